// SPDX-License-Identifier: Apache-2.0
#include "subject.hpp"
#include "support/temporary_folder.hpp"

#include <polypool/sqlite.hpp>

namespace polypool::test {
namespace {

class sqlite_place final : public subject_place {
 public:
  config::connection connection() const override {
    config::connection out;
    out.name = "db";
    out.type = config::database_type::sqlite;
    out.where.filepath = folder_.file("db.sqlite");
    out.where.options["foreign_keys"] = "true";
    out.where.options["busy_timeout"] = "60s";
    return out;
  }

 private:
  temporary_folder folder_;
};

const bool sqlite_added = add_subject({
    .name = "sqlite",
    .why_not = [] { return std::string(); },
    .open = [] { return std::make_unique<sqlite_place>(); },
    .make_driver = &sqlite::make_driver,
    .types = {{data_type::boolean, "BOOLEAN"},
              {data_type::integer, "BIGINT"},
              {data_type::real, "DOUBLE"},
              {data_type::numeric, "NUMERIC(30, 10)"},
              {data_type::text, "TEXT"},
              {data_type::bytes, "BLOB"},
              {data_type::date, "DATE"},
              {data_type::time, "TIME"},
              {data_type::timestamp, "TIMESTAMP"},
              {data_type::timestamp_tz, "TIMESTAMPTZ"},
              {data_type::uuid, "UUID"},
              {data_type::json, "JSON"}},
    .series =
        [](int count) {
          return "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < " + std::to_string(count) +
                 ") SELECT n FROM s) AS series";
        },
    .quoted = [](const std::string& name) { return '"' + name + '"'; },
    .slow =
        "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 10000000000) SELECT count(*) FROM s",
    .session_id = "",
    .traces = {{"CREATE TEMPORARY TABLE leftover (x int)", "SELECT count(*) FROM leftover"},
               {"BEGIN", "SELECT 1"},
               {"PRAGMA cache_size = 777", "PRAGMA cache_size"}},
    .exact_numerics = false,
    .strict_types = false,
    .read_only_transactions = false,
    .network = false,
});

}  // namespace
}  // namespace polypool::test
