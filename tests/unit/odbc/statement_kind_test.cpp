// SPDX-License-Identifier: Apache-2.0
// What statements do to their session, judged by their words.
#include "drivers/odbc/statement_kind.hpp"

#include <gtest/gtest.h>

namespace polypool::odbc {
namespace {

using enum transaction_effect;

profile of(brand database) {
  profile out;
  out.database = database;
  out.batches = database == brand::mssql;
  return out;
}

TEST(odbc_statement_kind, transactions) {
  const struct {
    brand database;
    const char* text;
    transaction_effect effect;
  } all[] = {
      {brand::postgres, "BEGIN", begins},
      {brand::postgres, "/* a */ start transaction read only", begins},
      {brand::postgres, "COMMIT", commits},
      {brand::postgres, "END", commits},
      {brand::postgres, "rollback work", rolls_back},
      {brand::postgres, "ABORT", rolls_back},
      {brand::postgres, "ROLLBACK TO SAVEPOINT x", undoes},
      {brand::postgres, "ROLLBACK TRANSACTION TO x", undoes},
      {brand::postgres, "COMMIT PREPARED 'x'", none},
      {brand::postgres, "ROLLBACK PREPARED 'x'", none},
      {brand::postgres, "SELECT 'BEGIN'", none},
      {brand::postgres, "BEGIN; SELECT 1", unclear},
      {brand::postgres, "SELECT 1; COMMIT", unclear},
      {brand::postgres, "SELECT ';COMMIT'", none},
      {brand::sqlite, "BEGIN IMMEDIATE", begins},
      {brand::sqlite, "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END", none},
      {brand::mssql, "BEGIN TRANSACTION", begins},
      {brand::mssql, "BEGIN TRAN x", begins},
      {brand::mssql, "BEGIN SELECT 1 END", none},
      {brand::mssql, "COMMIT", commits},
      {brand::mssql, "COMMIT TRANSACTION", commits},
      {brand::mssql, "ROLLBACK", rolls_back},
      {brand::mssql, "ROLLBACK TRANSACTION", rolls_back},
      {brand::mssql, "ROLLBACK TRANSACTION here", unclear},
      {brand::mssql, "EXEC something", unclear},
      {brand::mssql, "SELECT 1 COMMIT", unclear},
      {brand::mssql, "SELECT [commit] FROM t", none},
      {brand::other, "BEGIN", begins},
      {brand::other, "COMMIT", commits},
  };
  for (const auto& each : all) {
    EXPECT_EQ(static_cast<int>(kind_of(each.text, of(each.database)).transaction), static_cast<int>(each.effect))
        << each.text;
  }
}

TEST(odbc_statement_kind, what_leaves_something_behind) {
  for (const auto* text :
       {"SELECT 1", "UPDATE t SET x = 1", "MERGE t USING s ON 1=1 WHEN MATCHED THEN UPDATE SET x = 1",
        "INSERT INTO t VALUES ('EXEC #x')", "SELECT [set] FROM [use]", "DELETE FROM t", "BEGIN TRAN"}) {
    EXPECT_FALSE(kind_of(text, of(brand::mssql)).leaves_state) << text;
  }
  for (const auto* text : {"SET NOCOUNT ON", "USE other", "EXEC p", "CREATE TABLE #t (x int)", "SELECT 1 INTO #t",
                           "DECLARE c CURSOR FOR SELECT 1", "SELECT 1; SET ROWCOUNT 1", "DBCC TRACEON(1)"}) {
    EXPECT_TRUE(kind_of(text, of(brand::mssql)).leaves_state) << text;
    EXPECT_TRUE(kind_of(text, of(brand::mssql)).needs_reopening) << text;
  }
  for (const auto* text : {"SELECT 1", "CREATE TABLE t (x)", "INSERT INTO t VALUES ('PRAGMA')"}) {
    EXPECT_FALSE(kind_of(text, of(brand::sqlite)).leaves_state) << text;
  }
  for (const auto* text : {"PRAGMA foreign_keys = 0", "ATTACH 'x' AS y", "create temp table t (x)"}) {
    EXPECT_TRUE(kind_of(text, of(brand::sqlite)).leaves_state) << text;
  }
  EXPECT_TRUE(kind_of("SET work_mem = '1MB'", of(brand::postgres)).leaves_state);
  EXPECT_FALSE(kind_of("SET work_mem = '1MB'", of(brand::postgres)).needs_reopening);
  EXPECT_TRUE(kind_of("PREPARE x AS SELECT 1", of(brand::postgres)).needs_reopening);
  EXPECT_TRUE(kind_of("SET TimeZone = 'UTC'", of(brand::postgres)).moves_zone);
  EXPECT_TRUE(kind_of("set time zone 'UTC'", of(brand::postgres)).moves_zone);
  EXPECT_FALSE(kind_of("SET work_mem = '1MB'", of(brand::postgres)).moves_zone);
  EXPECT_FALSE(kind_of("SELECT 1", of(brand::other)).leaves_state);
  EXPECT_FALSE(kind_of("CREATE TABLE t (x int)", of(brand::other)).leaves_state);
  EXPECT_TRUE(kind_of("CREATE GLOBAL TEMPORARY TABLE t (x int)", of(brand::other)).leaves_state);
  EXPECT_TRUE(kind_of("ALTER SESSION SET x = 1", of(brand::other)).leaves_state);
  EXPECT_TRUE(kind_of("SET SCHEMA x", of(brand::other)).leaves_state);
  EXPECT_TRUE(kind_of("CALL p()", of(brand::other)).leaves_state);
}

TEST(odbc_statement_kind, several_statements) {
  for (const auto* text : {"SELECT 1; SELECT 2", "SELECT 1;;SELECT 2"}) {
    EXPECT_TRUE(kind_of(text, of(brand::postgres)).several) << text;
  }
  for (const auto* text : {"SELECT 1", "SELECT 1;", "SELECT 1 ; -- over", "SELECT ';'", "SELECT 1 /* ; */ + 1",
                           "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END"}) {
    EXPECT_FALSE(kind_of(text, of(brand::postgres)).several) << text;
  }
}

TEST(odbc_statement_kind, scripts) {
  using list = std::vector<std::string_view>;
  EXPECT_EQ(split_script("SELECT 1; SELECT ';' ;; -- x;\n SELECT 3", of(brand::other)),
            (list{"SELECT 1", "SELECT ';' ", "SELECT 3"}));
  EXPECT_EQ(split_script("", of(brand::other)), list{});
  EXPECT_EQ(split_script(" ; -- nothing\n", of(brand::other)), list{});
  const auto parts =
      split_script("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT CASE WHEN 1 THEN 2 END; END; SELECT 2",
                   of(brand::sqlite));
  ASSERT_EQ(parts.size(), 2u) << parts[0];
  EXPECT_EQ(parts[1], "SELECT 2");
  EXPECT_TRUE(is_one_batch("DECLARE @x int = 1; SELECT @x", of(brand::mssql)));
  EXPECT_TRUE(is_one_batch("IF 1 = 1 SELECT 1; ELSE SELECT 2", of(brand::mssql)));
  EXPECT_TRUE(is_one_batch("BEGIN SELECT 1; SELECT 2 END", of(brand::mssql)));
  EXPECT_FALSE(is_one_batch("BEGIN TRANSACTION; SELECT @@TRANCOUNT; COMMIT", of(brand::mssql)));
  EXPECT_FALSE(is_one_batch("SELECT 1; SELECT 2", of(brand::mssql)));
}

}  // namespace
}  // namespace polypool::odbc
