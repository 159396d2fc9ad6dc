// SPDX-License-Identifier: Apache-2.0
#include "subject.hpp"
#include "support/mysql_server.hpp"

#include <polypool/mysql.hpp>

namespace polypool::test {
namespace {

class mysql_place final : public subject_place {
 public:
  config::connection connection() const override {
    config::connection out;
    out.name = "db";
    out.type = config::database_type::mysql;
    out.where = playground_.endpoint();
    return out;
  }
  bool becomes_quiet() override { return playground_.sessions_become(0); }

 private:
  mysql_playground playground_{*shared_mysql::address()};
};

const bool mysql_added = add_subject({
    .name = "mysql",
    .why_not = [] { return shared_mysql::address() ? std::string() : shared_mysql::why_not(); },
    .open = [] { return std::make_unique<mysql_place>(); },
    .make_driver = &mysql::make_driver,
    .types = {{data_type::boolean, "BOOLEAN"},
              {data_type::integer, "BIGINT"},
              {data_type::real, "DOUBLE"},
              {data_type::numeric, "DECIMAL(30, 10)"},
              {data_type::text, "LONGTEXT"},
              {data_type::bytes, "LONGBLOB"},
              {data_type::date, "DATE"},
              {data_type::time, "TIME(6)"},
              {data_type::timestamp, "DATETIME(6)"},
              {data_type::timestamp_tz, "TIMESTAMP(6) NULL"},
              {data_type::uuid, "CHAR(36)"},
              {data_type::json, "JSON"}},
    .series =
        [](int count) {
          // A recursion of its own for each thousand: servers stop longer ones.
          return "(WITH RECURSIVE d(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < 999) SELECT a.i * 1000 + "
                 "b.i "
                 "+ 1 AS n FROM d a, d b WHERE a.i * 1000 + b.i < " +
                 std::to_string(count) + " ORDER BY n) AS series";
        },
    .quoted = [](const std::string& name) { return '`' + name + '`'; },
    .slow = "SELECT SLEEP(60)",
    .session_id = "SELECT CONNECTION_ID()",
    .traces = {{"CREATE TEMPORARY TABLE leftover (x int)", "SELECT count(*) FROM leftover"},
               {"SET @leftover = 1", "SELECT @leftover"},
               {"SET sort_buffer_size = 99328", "SELECT @@sort_buffer_size"},
               {"BEGIN", "SELECT 1"}},
});

}  // namespace
}  // namespace polypool::test
