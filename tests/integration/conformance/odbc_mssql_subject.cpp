// SPDX-License-Identifier: Apache-2.0
// SQL Server: the test server that speaks TDS, over FreeTDS.
#include "subject.hpp"
#include "support/odbc_libraries.hpp"
#include "support/process.hpp"
#include "support/tds_server.hpp"

#include <polypool/odbc.hpp>

namespace polypool::test {
namespace {

class mssql_place final : public subject_place {
 public:
  config::connection connection() const override {
    config::connection out;
    out.name = "db";
    out.type = config::database_type::mssql;
    out.where = server_.endpoint();
    out.where.options["Driver"] = odbc_library("libtdsodbc.so");
    return out;
  }
  bool becomes_quiet() override {
    return wait_until([this] { return server_.sessions() == 0; });
  }

 private:
  tds_server server_;
};

const bool odbc_mssql_added = add_subject({
    .name = "mssql",
    .why_not = [] { return why_no_library("libtdsodbc.so"); },
    .open = [] { return std::make_unique<mssql_place>(); },
    .make_driver = &odbc::make_mssql_driver,
    .types = {{data_type::boolean, "bit"},
              {data_type::integer, "bigint"},
              {data_type::real, "float"},
              {data_type::numeric, "decimal(30, 10)"},
              {data_type::text, "nvarchar(max)"},
              {data_type::bytes, "varbinary(max)"},
              {data_type::date, "date"},
              {data_type::time, "time(6)"},
              {data_type::timestamp, "datetime2(6)"},
              {data_type::timestamp_tz, "datetimeoffset(6)"},
              {data_type::uuid, "uniqueidentifier"},
              {data_type::json, "nvarchar(max)"}},
    .series =
        [](int count) {
          return "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < " + std::to_string(count) +
                 ") SELECT n FROM s) AS series";
        },
    .quoted = [](const std::string& name) { return '[' + name + ']'; },
    .slow = "WAITFOR DELAY '00:01:00'",
    .session_id = "SELECT @@SPID",
    .traces = {{"CREATE TABLE #leftover (x int)", "SELECT count(*) FROM #leftover"},
               {"BEGIN TRANSACTION", "SELECT 1"},
               {"SET LANGUAGE 'Deutsch'", "SELECT polypool_setting('language')"}},
    .read_only_transactions = false,
    .reset_keeps_session = false,
    .batches = true,
});

}  // namespace
}  // namespace polypool::test
