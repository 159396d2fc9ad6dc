// SPDX-License-Identifier: Apache-2.0
// What ODBC drivers say, in portable words.
#include "drivers/odbc/diagnostics.hpp"

#include "drivers/odbc/sql_server.hpp"

#include <gtest/gtest.h>

namespace polypool::odbc {
namespace {

profile of(brand database, driver_family family) {
  profile out;
  out.database = database;
  out.family = family;
  return out;
}

error of_one(const diagnostic& one, const profile& with) { return statement_error(std::vector{one}, with); }

TEST(odbc_diagnostics, plain_words) {
  EXPECT_EQ(plain_words("[FreeTDS][SQL Server]Invalid object name 'x'.", driver_family::freetds),
            "Invalid object name 'x'.");
  EXPECT_EQ(plain_words("[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Oh.\r\nNo.", driver_family::microsoft),
            "Oh. No.");
  EXPECT_EQ(plain_words("ERROR: division by zero;\nError while executing the query", driver_family::psqlodbc),
            "division by zero");
  EXPECT_EQ(plain_words("[SQLite]no such table: x (1)", driver_family::sqlite), "no such table: x");
  EXPECT_EQ(plain_words("[SQLite]no such function: f(1)", driver_family::sqlite), "no such function: f(1)");
  EXPECT_EQ(plain_words("[unfinished", driver_family::other), "[unfinished");
  EXPECT_EQ(plain_words("", driver_family::other), "");
}

TEST(odbc_diagnostics, of_sql_server) {
  const auto with = of(brand::mssql, driver_family::freetds);
  const struct {
    int number;
    errc code;
  } all[] = {{2627, errc::unique_violation},
             {2601, errc::unique_violation},
             {547, errc::foreign_key_violation},
             {515, errc::not_null_violation},
             {1205, errc::deadlock},
             {1222, errc::lock_timeout},
             {3960, errc::serialization_failure},
             {18456, errc::authentication_failed},
             {208, errc::undefined_object},
             {207, errc::undefined_object},
             {102, errc::syntax_error},
             {156, errc::syntax_error},
             {8152, errc::invalid_value},
             {2628, errc::invalid_value},
             {8115, errc::invalid_value},
             {245, errc::invalid_value},
             {229, errc::permission_denied},
             {3906, errc::read_only},
             {978, errc::read_only},
             {10928, errc::too_many_connections},
             {10929, errc::too_many_connections},
             {10053, errc::connection_lost},
             {10054, errc::connection_lost},
             {40613, errc::connect_failed},
             {3930, errc::transaction_aborted},
             {9002, errc::disk_full},
             {777777, errc::database_error}};
  for (const auto& each : all) {
    SCOPED_TRACE(each.number);
    const auto problem = of_one({"42000", each.number, "[FreeTDS][SQL Server]words"}, with);
    EXPECT_EQ(to_string(problem.portable_code()), to_string(each.code));
    EXPECT_EQ(problem.native_code(), each.number);
    EXPECT_EQ(problem.server_message(), "words");
    EXPECT_EQ(problem.sqlstate(), "42000");
  }
  EXPECT_EQ(of_one({"23000", 547, "… conflicted with the CHECK constraint"}, with).portable_code(),
            errc::check_violation);
  EXPECT_TRUE(of_one({"01000", 3906, "read-only"}, with).poisons_session());
  EXPECT_TRUE(of_one({"08S01", 0, "gone"}, with).poisons_session());
  EXPECT_EQ(of_one({"08S01", 0, "gone"}, with).portable_code(), errc::connection_lost);
  EXPECT_TRUE(ends_transaction(1205));
  EXPECT_FALSE(ends_transaction(2627));
}

TEST(odbc_diagnostics, the_one_that_counts) {
  const auto with = of(brand::mssql, driver_family::microsoft);
  const std::vector<diagnostic> found{{"01000", 3621, "The statement has been terminated."},
                                      {"23000", 2627, "Violation of PRIMARY KEY constraint"}};
  EXPECT_EQ(statement_error(found, with).native_code(), 2627);
  const std::vector<diagnostic> unknown{{"HY000", 50000, "first"}, {"HY000", 50001, "second"}};
  EXPECT_EQ(statement_error(unknown, with).server_message(), "first");
  EXPECT_EQ(statement_error({}, with).portable_code(), errc::database_error);
}

TEST(odbc_diagnostics, of_postgres_and_sqlite) {
  const auto postgres = of(brand::postgres, driver_family::psqlodbc);
  EXPECT_EQ(of_one({"23505", 1, "ERROR: duplicate"}, postgres).portable_code(), errc::unique_violation);
  EXPECT_EQ(of_one({"57014", 1, "ERROR: canceling statement due to user request"}, postgres).portable_code(),
            errc::cancelled);
  EXPECT_EQ(of_one({"57014", 1, "ERROR: canceling statement due to statement timeout"}, postgres).portable_code(),
            errc::deadline_exceeded);
  EXPECT_EQ(of_one({"42P18", 1, "could not determine"}, postgres).hint(),
            "say which type the parameter has, such as $1::text");
  const auto sqlite = of(brand::sqlite, driver_family::sqlite);
  EXPECT_EQ(of_one({"HY000", 19, "[SQLite]UNIQUE constraint failed: t.a (19)"}, sqlite).portable_code(),
            errc::unique_violation);
  EXPECT_EQ(of_one({"HY000", 19, "[SQLite]FOREIGN KEY constraint failed (19)"}, sqlite).portable_code(),
            errc::foreign_key_violation);
  EXPECT_EQ(of_one({"HY000", 5, "[SQLite]database is locked (5)"}, sqlite).portable_code(), errc::lock_timeout);
  EXPECT_EQ(of_one({"HY000", 1, "[SQLite]near \"x\": syntax error (1)"}, sqlite).portable_code(), errc::syntax_error);
}

TEST(odbc_diagnostics, of_databases_that_are_not_known) {
  const auto other = of(brand::other, driver_family::other);
  EXPECT_EQ(of_one({"23000", 0, "x"}, other).portable_code(), errc::constraint_violation);
  EXPECT_EQ(of_one({"42S02", 0, "x"}, other).portable_code(), errc::undefined_object);
  EXPECT_EQ(of_one({"07002", 0, "x"}, other).portable_code(), errc::parameter_count);
  EXPECT_EQ(of_one({"22003", 0, "x"}, other).portable_code(), errc::invalid_value);
  EXPECT_EQ(of_one({"HYT00", 0, "x"}, other).portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(of_one({"HY000", 0, ""}, other).portable_code(), errc::database_error);
  EXPECT_FALSE(std::string(of_one({"HY000", 0, ""}, other).what()).empty());
}

TEST(odbc_diagnostics, why_a_connection_could_not_be_made) {
  const secret password("hunter2");
  const auto of_connect = [&](const diagnostic& one, driver_family family) {
    return connect_error(std::vector{one}, family, "db:1433", password);
  };
  const auto login =
      connect_error(std::vector<diagnostic>{{"08001", 0, "[FreeTDS][SQL Server]Unable to connect"},
                                            {"42000", 18456, "[FreeTDS][SQL Server]Login failed hunter2"}},
                    driver_family::freetds, "db:1433", password);
  EXPECT_EQ(login.portable_code(), errc::authentication_failed);
  EXPECT_EQ(std::string(login.what()).find("hunter2"), std::string::npos) << login.what();
  EXPECT_NE(login.cause().find("db:1433"), std::string::npos);
  EXPECT_EQ(login.disposition(), disposition::permanent);
  const auto full = of_connect({"08001", 10928, "resource limit"}, driver_family::microsoft);
  EXPECT_EQ(full.portable_code(), errc::too_many_connections);
  EXPECT_EQ(full.disposition(), disposition::retryable);
  const auto busy = of_connect({"08001", 40613, "not currently available"}, driver_family::microsoft);
  EXPECT_EQ(busy.portable_code(), errc::connect_failed);
  EXPECT_EQ(busy.disposition(), disposition::retryable);
  EXPECT_EQ(of_connect({"IM002", 0, "Data source name not found"}, driver_family::other).portable_code(),
            errc::invalid_configuration);
  EXPECT_EQ(
      of_connect({"01000", 0, "[unixODBC][Driver Manager]Can't open lib 'x'"}, driver_family::other).portable_code(),
      errc::invalid_configuration);
  EXPECT_EQ(of_connect({"08001", 101, "FATAL:  password authentication failed for user"}, driver_family::psqlodbc)
                .portable_code(),
            errc::authentication_failed);
  EXPECT_EQ(
      of_connect({"08001", 101, "FATAL:  sorry, too many clients already"}, driver_family::psqlodbc).portable_code(),
      errc::too_many_connections);
  EXPECT_EQ(of_connect({"08001", 101, "connection refused"}, driver_family::psqlodbc).disposition(),
            disposition::retryable_elsewhere);
  EXPECT_EQ(connect_error({}, driver_family::other, "x", password).portable_code(), errc::connect_failed);
}

}  // namespace
}  // namespace polypool::odbc
