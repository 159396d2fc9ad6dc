// SPDX-License-Identifier: Apache-2.0
// A real SQL Server, when MSSQL_URL names one.
#include "fixture.hpp"

#include <polypool/config.hpp>

#include <cstdlib>
#include <unistd.h>

namespace polypool::test {
namespace {

class mssql_real : public ::testing::TestWithParam<way> {
 protected:
  mssql_real() : go_(GetParam()) {}
  void SetUp() override {
    const char* url = std::getenv("MSSQL_URL");
    if (url == nullptr || *url == 0) GTEST_SKIP() << "no SQL Server to test with: set MSSQL_URL";
    where_ = config::connection_from_url("real", url, config::database_type::mssql).where;
    table_ = "polypool_test_" + std::to_string(::getpid()) + std::string(to_string(GetParam()));
  }
  mssql_client make_client() { return {go_, where_}; }
  runner go_;
  endpoint where_;
  std::string table_;
};
POLYPOOL_BOTH_WAYS(mssql_real);

TEST_P(mssql_real, values_errors_and_transactions) {
  auto db = make_client();
  EXPECT_FALSE(go_(db->describe()).version.empty());
  db.query("CREATE TABLE " + table_ +
           " (id bigint PRIMARY KEY, t nvarchar(max), b varbinary(max), d decimal(38, 10), f float, u uniqueidentifier,"
           " dt date, tm time(6), d2 datetime2(6), dto datetimeoffset(6), flag bit, n int NOT NULL CHECK (n > 0))");
  const date day = std::chrono::sys_days(std::chrono::year(2024) / 2 / 29);
  const timestamp_tz point = day + 13h + 45min + 250ms;
  const timestamp local = std::chrono::local_days(day.time_since_epoch()) + 13h + 1us;
  const auto id = uuid::parse("01234567-89ab-cdef-0123-456789abcdef");
  const bytes data{std::byte{0}, std::byte{255}};
  const std::string insert = "INSERT INTO " + table_ + " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
  db.query(insert, 1, "ü€😀", data, numeric{"123.4560000000"}, 0.1, *id, day, time_of_day(13h + 1us), local, point,
           true, 7);
  const auto rows = db.query("SELECT * FROM " + table_);
  const auto row = rows.front();
  EXPECT_EQ(row.get<std::string>("t"), "ü€😀");
  EXPECT_EQ(row.get<bytes>("b"), data);
  EXPECT_EQ(row.get<numeric>("d").text, "123.4560000000");
  EXPECT_EQ(row.get<double>("f"), 0.1);
  EXPECT_EQ(row.get<uuid>("u"), *id);
  EXPECT_EQ(row.get<date>("dt"), day);
  EXPECT_EQ(row.get<time_of_day>("tm"), time_of_day(13h + 1us));
  EXPECT_EQ(row.get<timestamp>("d2"), local);
  EXPECT_EQ(row.get<timestamp_tz>("dto"), point);
  EXPECT_EQ(row.get<bool>("flag"), true);
  const std::string short_insert = "INSERT INTO " + table_ + " (id, n) VALUES ($1, $2)";
  EXPECT_EQ(db.failure(short_insert, 1, 1).portable_code(), errc::unique_violation);
  EXPECT_EQ(db.failure(short_insert, 2, nullptr).portable_code(), errc::not_null_violation);
  EXPECT_EQ(db.failure(short_insert, 2, 0).portable_code(), errc::check_violation);
  EXPECT_EQ(db.failure("SELECT * FROM nowhere_at_all").portable_code(), errc::undefined_object);
  EXPECT_EQ(db.failure("SELECT 1 FROM").portable_code(), errc::syntax_error);
  go_(db->begin({}));
  db.query(short_insert, 3, 3);
  db.query(db->savepoint_statement(savepoint_step::open, "here"));
  db.query(short_insert, 4, 4);
  db.query(db->savepoint_statement(savepoint_step::undo, "here"));
  db.query("COMMIT");
  EXPECT_EQ(db.text("SELECT count(*) FROM " + table_), "2");
  db.query("DROP TABLE " + table_);
}

TEST_P(mssql_real, cancels_and_resets) {
  auto db = make_client();
  const auto problem = failure_of(go_, with_timeout(100ms, db.executing("WAITFOR DELAY '00:01:00'")));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  db.reset();
  EXPECT_EQ(db.text("SELECT 7"), "7");
  db.query("CREATE TABLE #leftover (x int)");
  db.query("SET LOCK_TIMEOUT 4711");
  EXPECT_TRUE(db->dirty());
  db.reset();
  EXPECT_EQ(db.text("SELECT @@LOCK_TIMEOUT"), "-1");
  EXPECT_EQ(db.failure("SELECT * FROM #leftover").portable_code(), errc::undefined_object);
}

}  // namespace
}  // namespace polypool::test
