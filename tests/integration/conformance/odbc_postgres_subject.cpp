// SPDX-License-Identifier: Apache-2.0
// PostgreSQL over psqlodbc.
#include "subject.hpp"
#include "support/odbc_libraries.hpp"
#include "support/postgres_server.hpp"

#include <polypool/odbc.hpp>

namespace polypool::test {
namespace {

class odbc_postgres_place final : public subject_place {
 public:
  config::connection connection() const override {
    config::connection out;
    out.name = "db";
    out.type = config::database_type::odbc;
    out.where = playground_.endpoint();
    out.where.options["Driver"] = odbc_library("psqlodbcw.so");
    return out;
  }
  void end_all() override {
    playground_.admin().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" +
                                playground_.name() + "'");
  }
  bool becomes_quiet() override { return playground_.sessions_become(0); }

 private:
  postgres_playground playground_{*shared_postgres::address()};
};

std::string why_not() {
  if (auto reason = why_no_library("psqlodbcw.so"); !reason.empty()) return reason;
  return shared_postgres::address() ? std::string() : shared_postgres::why_not();
}

const bool odbc_postgres_added = add_subject({
    .name = "odbc_postgres",
    .why_not = &why_not,
    .open = [] { return std::make_unique<odbc_postgres_place>(); },
    .make_driver = &odbc::make_driver,
    .types = {{data_type::boolean, "boolean"},
              {data_type::integer, "bigint"},
              {data_type::real, "double precision"},
              {data_type::numeric, "numeric(30, 10)"},
              {data_type::text, "text"},
              {data_type::bytes, "bytea"},
              {data_type::date, "date"},
              {data_type::time, "time"},
              {data_type::timestamp, "timestamp"},
              {data_type::timestamp_tz, "timestamptz"},
              {data_type::uuid, "uuid"},
              {data_type::json, "json"}},
    .series = [](int count) { return "generate_series(1, " + std::to_string(count) + ") AS n"; },
    .quoted = [](const std::string& name) { return '"' + name + '"'; },
    .slow = "SELECT pg_sleep(60)",
    .session_id = "SELECT pg_backend_pid()",
    .traces = {{"CREATE TEMPORARY TABLE leftover (x int)", "SELECT count(*) FROM leftover"},
               {"SET work_mem = '9MB'", "SHOW work_mem"},
               {"BEGIN", "SELECT 1"}},
    .errors_end_transactions = true,
});

}  // namespace
}  // namespace polypool::test
