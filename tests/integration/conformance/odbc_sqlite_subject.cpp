// SPDX-License-Identifier: Apache-2.0
// SQLite over its ODBC driver, which gives real numbers with 15 digits only.
#include "subject.hpp"
#include "support/odbc_libraries.hpp"
#include "support/temporary_folder.hpp"

#include <polypool/odbc.hpp>

namespace polypool::test {
namespace {

class odbc_sqlite_place final : public subject_place {
 public:
  config::connection connection() const override {
    config::connection out;
    out.name = "db";
    out.type = config::database_type::odbc;
    out.where.database = folder_.file("db.sqlite");
    out.where.options["Driver"] = odbc_library("libsqlite3odbc.so");
    out.where.options["Timeout"] = "60000";
    return out;
  }

 private:
  temporary_folder folder_;
};

const bool odbc_sqlite_added = add_subject({
    .name = "odbc_sqlite",
    .why_not = [] { return why_no_library("libsqlite3odbc.so"); },
    .open = [] { return std::make_unique<odbc_sqlite_place>(); },
    .make_driver = &odbc::make_driver,
    .types = {{data_type::boolean, "BOOLEAN"},
              {data_type::integer, "BIGINT"},
              {data_type::text, "TEXT"},
              {data_type::bytes, "BLOB"},
              {data_type::date, "DATE"},
              {data_type::time, "TIME"},
              {data_type::timestamp, "TIMESTAMP"},
              {data_type::timestamp_tz, "VARCHAR"},
              {data_type::uuid, "VARCHAR"},
              {data_type::json, "TEXT"}},
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
    .selects_run_at_once = false,
    .network = false,
});

}  // namespace
}  // namespace polypool::test
