// SPDX-License-Identifier: Apache-2.0
// What a session with SQL Server is on first sight.
#include "fixture.hpp"

namespace polypool::test {
namespace {

using mssql_session = mssql_ways;
POLYPOOL_BOTH_WAYS(mssql_session);

TEST_P(mssql_session, says_what_it_is) {
  auto db = make_client();
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
  EXPECT_FALSE(go_(db->describe()).version.empty());
  EXPECT_EQ(db->dialect(), dialect::mssql);
  EXPECT_NO_THROW(go_(db->probe()));
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(server_->sessions(), 1);
}

TEST_P(mssql_session, runs_statements) {
  auto db = make_client();
  db.query("CREATE TABLE item (id INTEGER PRIMARY KEY, name nvarchar(100))");
  EXPECT_EQ(db.query("INSERT INTO item (name) VALUES ($1), ($2)", "one", std::nullopt).affected_rows(), 2u);
  const auto rows = db.query("SELECT id, name FROM item ORDER BY id");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].get<std::string>("name"), "one");
  EXPECT_EQ(rows[1].get<std::optional<std::string>>("name"), std::nullopt);
  EXPECT_EQ(rows[1].get<int>("id"), 2);
  EXPECT_EQ(db.query("UPDATE item SET name = 'x' WHERE id = $1", 1).affected_rows(), 1u);
  EXPECT_EQ(db.query("DELETE FROM item WHERE id = $1", 77).affected_rows(), 0u);
  EXPECT_FALSE(db->dirty());
}

}  // namespace
}  // namespace polypool::test
