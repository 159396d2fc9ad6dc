// SPDX-License-Identifier: Apache-2.0
#include "base/words.hpp"
#include "drivers/sqlite/prepared.hpp"

#include <algorithm>
#include <array>

namespace polypool::sqlite {
namespace {

struct rule {
  std::string_view word;
  data_type type;
  bool anywhere;  // SQLite's own rules look for a part of the word, ours for its beginning
};

// The first that fits wins. The names that say more than SQLite's affinities come first.
constexpr std::array rules{
    rule{"BOOL", data_type::boolean, false},
    rule{"TIMESTAMPTZ", data_type::timestamp_tz, false},
    rule{"TIMESTAMP WITH TIME ZONE", data_type::timestamp_tz, false},
    rule{"TIMESTAMP", data_type::timestamp, false},
    rule{"DATETIME", data_type::timestamp, false},
    rule{"DATE", data_type::date, false},
    rule{"TIME", data_type::time, false},
    rule{"NUMERIC", data_type::numeric, false},
    rule{"DECIMAL", data_type::numeric, false},
    rule{"UUID", data_type::uuid, false},
    rule{"GUID", data_type::uuid, false},
    rule{"UNIQUEIDENTIFIER", data_type::uuid, false},
    rule{"JSON", data_type::json, false},
    rule{"INTERVAL", data_type::interval, false},
    rule{"INT", data_type::integer, true},
    rule{"CHAR", data_type::text, true},
    rule{"CLOB", data_type::text, true},
    rule{"TEXT", data_type::text, true},
    rule{"BLOB", data_type::bytes, true},
    rule{"BINARY", data_type::bytes, true},
    rule{"BYTEA", data_type::bytes, true},
    rule{"REAL", data_type::real, true},
    rule{"FLOA", data_type::real, true},
    rule{"DOUB", data_type::real, true},
};

}  // namespace

data_type declared_type(std::string_view declaration) {
  const std::string upper = upper_case(declaration);
  if (upper.empty()) return data_type::null;
  for (const auto& each : rules) {
    if (each.anywhere ? upper.contains(each.word) : upper.starts_with(each.word)) return each.type;
  }
  return data_type::other;
}

}  // namespace polypool::sqlite
