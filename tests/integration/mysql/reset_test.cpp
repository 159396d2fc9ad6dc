// SPDX-License-Identifier: Apache-2.0
// What callers leave behind, and that reset() takes it away.
#include "drivers/mysql/statement_kind.hpp"
#include "fixture.hpp"

namespace polypool::test {
namespace {

class mysql_reset : public mysql_ways {
 protected:
  void expect_clean(client& db) {
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(db->transaction(), sql_session::transaction_state::none);
    EXPECT_EQ(db.text("SELECT @leftover"), "NULL");
    EXPECT_NE(db.text("SELECT @@sort_buffer_size"), "99328");
    EXPECT_EQ(db.text("SELECT @@autocommit"), "1");
    EXPECT_EQ(db.text("SELECT @@time_zone"), "+00:00");
    EXPECT_EQ(db.text("SELECT @@character_set_client"), "utf8mb4");
    EXPECT_EQ(db.text("SELECT @@character_set_results"), "utf8mb4");
    EXPECT_EQ(db.text("SELECT IS_USED_LOCK('" + playground_->name() + "')"), "NULL");
    EXPECT_EQ(db.failure("SELECT * FROM leftover").native_code(), 1146);
    EXPECT_EQ(db.failure("EXECUTE leftover").native_code(), 1243);
    EXPECT_EQ(db.text("SELECT DATABASE()"), playground_->name());
    EXPECT_EQ(db.text("SELECT count(*) FROM kept"), "0");
    db.reset();
  }
};
POLYPOOL_BOTH_WAYS(mysql_reset);

TEST_P(mysql_reset, leaves_nothing_behind) {
  const std::string other = playground_->name() + "_other";
  const std::string traces[] = {
      "SET @leftover = 1",
      "SELECT @leftover := 1",
      "SELECT 1 INTO @leftover",
      "SET sort_buffer_size = 99328",
      "SET SESSION sort_buffer_size = 99328, @leftover = 2",
      "SET autocommit = 0",
      "SET time_zone = '+03:00'",
      "SET NAMES latin1",
      "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
      "SET SESSION TRANSACTION READ ONLY",
      "CREATE TEMPORARY TABLE leftover (x int)",
      "CREATE /*!32301 TEMPORARY */ TABLE leftover (x int)",
      "SELECT GET_LOCK('" + playground_->name() + "', 1)",
      "DO GET_LOCK('" + playground_->name() + "', 1)",
      "LOCK TABLES kept WRITE",
      "HANDLER kept OPEN",
      "PREPARE leftover FROM 'SELECT 1'",
      "USE " + other,
      "BEGIN",
      "START TRANSACTION WITH CONSISTENT SNAPSHOT",
      "XA START 'leftover'",
      "CALL leaves_traces()",
      "/* why */ -- how\n # and where\n SET @leftover = 1",
      "BEGIN NOT ATOMIC SET @leftover = 1; END",
  };
  admin().execute("CREATE DATABASE " + other);
  auto db = make_client();
  db.query("CREATE TABLE kept (x int) ENGINE = InnoDB");
  db.script("CREATE PROCEDURE leaves_traces() BEGIN SET @leftover = 1; SET SESSION sort_buffer_size = 99328; END");
  db.reset();
  const int id = db.id();
  for (const auto& trace : traces) {
    for (const int how : {0, 1, 2}) {
      SCOPED_TRACE(trace + (how == 0 ? " executed" : how == 1 ? " as a script" : " with a cursor"));
      EXPECT_FALSE(db->dirty());
      if (how == 0) {
        db.query(trace);
      } else if (how == 1) {
        db.script(trace);
      } else {
        const auto rows = db.open(trace);
        while (go_(rows->next())) continue;
      }
      EXPECT_TRUE(db->dirty());
      db.reset();
      expect_clean(db);
    }
  }
  EXPECT_EQ(db.id(), id) << "it is the same session";
}

TEST_P(mysql_reset, open_transactions) {
  auto db = make_client();
  db.query("CREATE TABLE kept (x int) ENGINE = InnoDB");
  db.query("SELECT 11");
  db.query("BEGIN");
  db.query("INSERT INTO kept VALUES (1)");
  db.failure("SELECT * FROM missing");
  db.reset();
  EXPECT_EQ(db->transaction(), sql_session::transaction_state::none);
  EXPECT_EQ(db.text("SELECT count(*) FROM kept"), "0");
  db.query("BEGIN");
  db.query("INSERT INTO kept VALUES (1)");
  db.query("SET @leftover = 1");
  db.reset();
  EXPECT_EQ(db.text("SELECT count(*) FROM kept"), "0");
}

// COM_RESET_CONNECTION drops them on the server; a rollback does not.
TEST_P(mysql_reset, and_prepared_statements) {
  auto db = make_client();
  const auto prepared = [&] { return db.query("SHOW SESSION STATUS LIKE 'Com_stmt_prepare'").front().get<int>(1); };
  db.query("SELECT $1", 1);
  prepared();
  const auto before = prepared();
  db.query("BEGIN");
  db.reset();
  db.query("SELECT $1", 1);
  EXPECT_EQ(prepared(), before) << "what was prepared is used again after a rollback";
  db.query("SET @leftover = 1");
  db.reset();
  EXPECT_EQ(db.text("SELECT $1", 7), "7") << "it is prepared again after a reset";
}

TEST_P(mysql_reset, of_a_clean_session_asks_the_server_nothing) {
  auto db = make_client();
  const auto questions = [&] { return db.query("SHOW SESSION STATUS LIKE 'Questions'").front().get<int>(1); };
  questions();
  const auto before = questions();
  EXPECT_FALSE(db->dirty());
  db.reset();
  EXPECT_EQ(questions(), before + 1) << "only the question itself";
}

TEST_P(mysql_reset, of_a_session_that_is_gone_fails) {
  auto db = make_client();
  const auto id = db.id();
  db.query("BEGIN");
  admin().execute("KILL " + std::to_string(id));
  EXPECT_TRUE(wait_until([&] { return state_of(id) == "gone"; }));
  EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_lost);
  EXPECT_TRUE(db->broken());
  EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_lost);
}

TEST_P(mysql_reset, without_a_database_there_is_no_way_back_to_none) {
  auto where = playground_->endpoint();
  where.database = "";
  client db(go_, where);
  db.query("SET @leftover = 1");
  db.reset();
  EXPECT_FALSE(db->broken());
  db.query("USE " + playground_->name());
  EXPECT_TRUE(db->dirty());
  db.reset();
  EXPECT_TRUE(db->broken()) << "the pool opens another one";
}

TEST(mysql_statement_kind, what_leaves_something_behind) {
  const auto kind_of = [](std::string_view text) { return mysql::kind_of(text, mysql_dialect); };
  for (const auto* text : {"SELECT 1", "UPDATE t SET x = 1", "SELECT '@x := 1'", "SELECT `@x`", "SELECT @@version",
                           "SELECT temperature FROM t", "BEGIN", "START TRANSACTION", "", "/* SET */ SELECT 1",
                           "-- SET", "# SET", "SELECT 'GET_LOCK'", "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
                           "INSERT INTO t (`temporary`) VALUES (1)", "SELECT locked FROM t", "COMMIT", "ROLLBACK"}) {
    EXPECT_FALSE(kind_of(text).leaves_state) << text;
  }
  for (const auto* text : {"set x = 1", " ( SELECT @x)", "create temporary table x (y int)", "CALL p()", "USE x",
                           "LOCK TABLES t READ", "SELECT get_lock('a', 1)", "FLUSH TABLES WITH READ LOCK",
                           "SELECT @'x'", "PREPARE a FROM 'b'", "XA START 'x'", "BEGIN NOT ATOMIC SELECT 1; END",
                           "SELECT 1; SET @a = 1", "/*! SET x = 1 */", "HANDLER t OPEN", "BACKUP STAGE START"}) {
    EXPECT_TRUE(kind_of(text).leaves_state) << text;
  }
  EXPECT_TRUE(kind_of("USE x").selects_database);
  EXPECT_TRUE(kind_of("SELECT 1; USE x").selects_database);
  EXPECT_TRUE(kind_of("ROLLBACK").rolls_back);
  EXPECT_TRUE(kind_of("rollback work").rolls_back);
  EXPECT_FALSE(kind_of("ROLLBACK TO SAVEPOINT a").rolls_back);
  EXPECT_FALSE(kind_of("ROLLBACK WORK TO a").rolls_back);
  EXPECT_TRUE(kind_of("SELECT 1; SELECT 2").several);
  EXPECT_FALSE(kind_of("SELECT 1; -- no more").several);
  EXPECT_FALSE(kind_of("SELECT ';'").several);
  EXPECT_TRUE(kind_of(" -- nothing\n;").empty);
  EXPECT_TRUE(kind_of("(SELECT 1) UNION SELECT 2").reads);
  EXPECT_TRUE(kind_of("CREATE TABLE t (x int)").plain);
  EXPECT_FALSE(kind_of("INSERT INTO t VALUES (1)").plain);
}

}  // namespace
}  // namespace polypool::test
