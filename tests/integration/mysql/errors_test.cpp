// SPDX-License-Identifier: Apache-2.0
// What the server complains about, in portable words.
#include "drivers/mysql/errors.hpp"

#include "fixture.hpp"

#include <future>

namespace polypool::test {
namespace {

using mysql_errors = mysql_ways;
POLYPOOL_BOTH_WAYS(mysql_errors);

struct expected_complaint {
  const char* sql;
  int number;
  errc code;
};

TEST_P(mysql_errors, have_portable_codes) {
  auto db = make_client();
  db.script(
      "CREATE TABLE parent (id int PRIMARY KEY, name varchar(3) NOT NULL, age int CHECK (age > 0)) ENGINE = InnoDB;"
      "CREATE TABLE child (id int, FOREIGN KEY (id) REFERENCES parent (id)) ENGINE = InnoDB;"
      "INSERT INTO parent VALUES (1, 'a', 1); INSERT INTO child VALUES (1);");
  const bool mariadb = db.text("SELECT @@version").find("MariaDB") != std::string::npos;
  const expected_complaint all[] = {
      {"INSERT INTO parent VALUES (1, 'b', 1)", 1062, errc::unique_violation},
      {"INSERT INTO child VALUES (7)", 1452, errc::foreign_key_violation},
      {"DELETE FROM parent", 1451, errc::foreign_key_violation},
      {"INSERT INTO parent VALUES (2, NULL, 1)", 1048, errc::not_null_violation},
      {"INSERT INTO parent (id) VALUES (2)", 1364, errc::not_null_violation},
      {"INSERT INTO parent VALUES (2, 'b', 0)", mariadb ? 4025 : 3819, errc::check_violation},
      {"INSERT INTO parent VALUES (2, 'long', 1)", 1406, errc::invalid_value},
      {"INSERT INTO parent VALUES (99999999999, 'b', 1)", 1264, errc::invalid_value},
      {"INSERT INTO parent VALUES ('x', 'b', 1)", 1366, errc::invalid_value},
      {"SELECT 9223372036854775807 + 1", 1690, errc::invalid_value},
      {"SELEC 1", 1064, errc::syntax_error},
      {"SELECT * FROM nowhere", 1146, errc::undefined_object},
      {"SELECT nothing FROM parent", 1054, errc::undefined_object},
      {"SELECT no_such_function()", 1305, errc::undefined_object},
      {"DROP TABLE nowhere", 1051, errc::undefined_object},
      {"SELECT @@no_such_variable", 1193, errc::undefined_object},
      {"ALTER TABLE parent DROP COLUMN nothing", 1091, errc::undefined_object},
      {"CREATE TABLE parent (x int)", 1050, errc::database_error},
      {"SIGNAL SQLSTATE '40001' SET MESSAGE_TEXT = 'try again'", 1644, errc::serialization_failure},
      {"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'no space'", 1114, errc::disk_full},
      {"SIGNAL SQLSTATE '23999' SET MESSAGE_TEXT = 'some rule'", 1644, errc::constraint_violation},
  };
  for (const auto& expected : all) {
    SCOPED_TRACE(expected.sql);
    const auto problem = db.failure(expected.sql);
    EXPECT_EQ(problem.native_code(), expected.number) << problem.what();
    EXPECT_EQ(to_string(problem.portable_code()), to_string(expected.code));
    EXPECT_FALSE(problem.poisons_session());
    EXPECT_FALSE(problem.server_message().empty());
    EXPECT_EQ(problem.sqlstate().size(), 5u);
    EXPECT_EQ(to_string(failure_of(go_, db->execute_script(expected.sql)).portable_code()), to_string(expected.code));
    EXPECT_EQ(to_string(failure_of(go_, db.opening(expected.sql)).portable_code()), to_string(expected.code));
  }
  EXPECT_FALSE(db->broken());
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.text("SELECT count(*) FROM parent"), "1");
}

TEST_P(mysql_errors, carry_the_servers_words) {
  auto db = make_client();
  db.script("CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1)");
  const auto twice = db.failure("INSERT INTO parent VALUES (1)");
  EXPECT_EQ(std::string(twice.what()), "Duplicate entry '1' for key 'PRIMARY' (SQLSTATE 23000)");
  EXPECT_EQ(twice.server_message(), "Duplicate entry '1' for key 'PRIMARY'");
  EXPECT_EQ(twice.disposition(), disposition::permanent);
}

TEST_P(mysql_errors, timeouts_of_the_server) {
  auto db = make_client();
  if (db.text("SELECT @@version").find("MariaDB") == std::string::npos) GTEST_SKIP() << "this is no MariaDB";
  db.query("CREATE TABLE thing (x int PRIMARY KEY)");
  db.query("INSERT INTO thing VALUES (1)");
  db.query("SET max_statement_time = 0.02");
  const auto slow = db.failure("SELECT SLEEP(30) FROM thing, thing AS other WHERE SLEEP(1) = 0");
  EXPECT_EQ(slow.portable_code(), errc::deadline_exceeded) << slow.what();
  EXPECT_EQ(slow.native_code(), 1969);
  EXPECT_EQ(slow.disposition(), disposition::retryable);
  db.query("SET max_statement_time = 0");
  auto other = make_client();
  other.query("BEGIN");
  other.query("SELECT * FROM thing WHERE x = 1 FOR UPDATE");
  const auto locked = db.failure("SELECT * FROM thing FOR UPDATE NOWAIT");
  EXPECT_EQ(locked.portable_code(), errc::lock_timeout) << locked.what();
  // A lock that is not free rolls the statement back, and the transaction stays.
  db.query("BEGIN");
  db.query("INSERT INTO thing VALUES (2)");
  EXPECT_EQ(db.failure("SELECT * FROM thing WHERE x = 1 FOR UPDATE NOWAIT").portable_code(), errc::lock_timeout);
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::active);
  db.query("COMMIT");
  EXPECT_EQ(db.text("SELECT count(*) FROM thing"), "2");
  other.query("ROLLBACK");
  EXPECT_FALSE(db->broken());
}

TEST_P(mysql_errors, permissions) {
  auto db = make_client();
  const auto problem = db.failure("SELECT * FROM mysql.user");
  EXPECT_EQ(problem.portable_code(), errc::permission_denied);
  EXPECT_EQ(problem.native_code(), 1142);
  EXPECT_EQ(db.failure("USE mysql").portable_code(), errc::permission_denied);
  EXPECT_EQ(db.failure("SET GLOBAL max_connections = 10").portable_code(), errc::permission_denied);
  EXPECT_FALSE(db->broken());
}

// Two transactions that lock in opposite order, on two threads of their own. The loser's whole transaction is gone, and
// nothing more may happen in its name.
TEST_F(mysql_test, deadlocks_end_the_transaction_and_are_retryable) {
  runner first_way(way::blocking);
  runner second_way(way::blocking);
  client first(first_way, playground_->endpoint());
  client second(second_way, playground_->endpoint());
  first.script(
      "CREATE TABLE thing (id int PRIMARY KEY, x int) ENGINE = InnoDB; INSERT INTO thing VALUES (1, 0), (2, 0)");
  first.query("BEGIN");
  second.query("BEGIN");
  first.query("UPDATE thing SET x = 1 WHERE id = 1");
  second.query("UPDATE thing SET x = 2 WHERE id = 2");
  const auto attempt = [](client& db, const char* sql) -> std::optional<error> {
    try {
      db.query(sql);
      return std::nullopt;
    } catch (const error& problem) {
      EXPECT_EQ(db->transaction(), sql_session::transaction_state::failed);
      const auto refused = db.failure("INSERT INTO thing VALUES (3, 3)");
      EXPECT_EQ(refused.portable_code(), errc::transaction_aborted) << refused.what();
      EXPECT_EQ(db.failure("COMMIT").portable_code(), errc::transaction_aborted);
      EXPECT_EQ(db.failure("ROLLBACK TO SAVEPOINT x").portable_code(), errc::transaction_aborted);
      db.query("ROLLBACK");
      EXPECT_EQ(db->transaction(), sql_session::transaction_state::none);
      EXPECT_FALSE(db->dirty());
      return problem;
    }
  };
  auto other = std::async(std::launch::async, attempt, std::ref(first), "UPDATE thing SET x = 1 WHERE id = 2");
  const auto mine = attempt(second, "UPDATE thing SET x = 2 WHERE id = 1");
  const auto theirs = other.get();
  ASSERT_NE(mine.has_value(), theirs.has_value());
  const error& victim = mine ? *mine : *theirs;
  EXPECT_EQ(victim.portable_code(), errc::deadlock);
  EXPECT_EQ(victim.native_code(), 1213);
  EXPECT_EQ(victim.disposition(), disposition::retryable);
  (mine ? first : second).query("COMMIT");
  EXPECT_EQ(first.text("SELECT count(*) FROM thing"), "2");
}

TEST(mysql_error_numbers, tell_the_library_from_the_server) {
  using mysql::complaint;
  EXPECT_EQ(mysql::portable_code({1290, "HY000", "The MariaDB server is running with the --read-only option"}),
            errc::read_only);
  EXPECT_EQ(mysql::portable_code({1290, "HY000", "… with the --secure-file-priv option so it cannot"}),
            errc::permission_denied);
  EXPECT_EQ(mysql::portable_code({4711, "22003", "something new"}), errc::invalid_value);
  EXPECT_EQ(mysql::portable_code({4711, "HY000", "something new"}), errc::database_error);
  EXPECT_TRUE(mysql::is_client_error(2013));
  EXPECT_FALSE(mysql::is_client_error(1927));
  const auto read_only = mysql::server_error({1836, "HY000", "Running in read-only mode"});
  EXPECT_TRUE(read_only.poisons_session());
  EXPECT_EQ(read_only.disposition(), disposition::retryable_elsewhere);
  EXPECT_FALSE(
      mysql::server_error({1792, "25006", "Cannot execute statement in a READ ONLY transaction"}).poisons_session());
  EXPECT_TRUE(mysql::server_error({1927, "70100", "Connection was killed"}).poisons_session());
}

}  // namespace
}  // namespace polypool::test
