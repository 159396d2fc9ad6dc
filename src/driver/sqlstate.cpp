// SPDX-License-Identifier: Apache-2.0
#include "driver/sqlstate.hpp"

#include <array>

namespace polypool {
namespace {

struct mapping {
  std::string_view sqlstate;  // five characters, or a class of two
  errc code;
};

// Whole codes first, then classes.
constexpr std::array mappings{
    mapping{"23505", errc::unique_violation},
    mapping{"23503", errc::foreign_key_violation},
    mapping{"23001", errc::foreign_key_violation},
    mapping{"23502", errc::not_null_violation},
    mapping{"23514", errc::check_violation},
    mapping{"40001", errc::serialization_failure},
    mapping{"40P01", errc::deadlock},
    mapping{"40002", errc::constraint_violation},
    mapping{"40003", errc::in_doubt},
    mapping{"55P03", errc::lock_timeout},
    mapping{"57014", errc::deadline_exceeded},
    mapping{"57P01", errc::connection_lost},
    mapping{"57P02", errc::connection_lost},
    mapping{"57P03", errc::connect_failed},
    mapping{"57P04", errc::connection_lost},
    mapping{"57P05", errc::connection_lost},
    mapping{"25P02", errc::transaction_aborted},
    mapping{"25P03", errc::connection_lost},
    mapping{"25006", errc::read_only},
    mapping{"42601", errc::syntax_error},
    mapping{"42P01", errc::undefined_object},
    mapping{"42P02", errc::undefined_object},
    mapping{"42703", errc::undefined_object},
    mapping{"42704", errc::undefined_object},
    mapping{"42883", errc::undefined_object},
    mapping{"26000", errc::undefined_object},
    mapping{"34000", errc::undefined_object},
    mapping{"3D000", errc::undefined_object},
    mapping{"3F000", errc::undefined_object},
    mapping{"42501", errc::permission_denied},
    mapping{"53100", errc::disk_full},
    mapping{"53300", errc::too_many_connections},
    mapping{"08", errc::connection_lost},
    mapping{"22", errc::invalid_value},
    mapping{"23", errc::constraint_violation},
    mapping{"28", errc::authentication_failed},
};

}  // namespace

errc code_of_sqlstate(std::string_view sqlstate) noexcept {
  for (const auto& candidate : mappings) {
    if (sqlstate.starts_with(candidate.sqlstate)) return candidate.code;
  }
  return errc::database_error;
}

}  // namespace polypool
