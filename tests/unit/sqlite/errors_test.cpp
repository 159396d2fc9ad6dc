// SPDX-License-Identifier: Apache-2.0
#include "sqlite_fixture.hpp"

#include <csignal>
#include <fstream>
#include <sys/resource.h>

namespace polypool::sqlite {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct expectation {
  std::string_view text;
  errc code;
  int native;
};

TEST(sqlite_errors, have_portable_codes) {
  const database db;
  db.script(
      "CREATE TABLE parent(id INTEGER PRIMARY KEY); "
      "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL DEFAULT 0, c CHECK (c < 10), p REFERENCES parent);"
      "CREATE TABLE strict_one(i INTEGER) STRICT; INSERT INTO t(id, u) VALUES (1, 1);"
      "CREATE TRIGGER stop BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'rows stay'); END;");
  for (const auto& [text, code, native] : {
           expectation{"INSERT INTO t(u) VALUES (1)", errc::unique_violation, SQLITE_CONSTRAINT_UNIQUE},
           expectation{"INSERT INTO t(id) VALUES (1)", errc::unique_violation, SQLITE_CONSTRAINT_PRIMARYKEY},
           expectation{"INSERT INTO t(n) VALUES (NULL)", errc::not_null_violation, SQLITE_CONSTRAINT_NOTNULL},
           expectation{"INSERT INTO t(c) VALUES (10)", errc::check_violation, SQLITE_CONSTRAINT_CHECK},
           expectation{"INSERT INTO t(p) VALUES (9)", errc::foreign_key_violation, SQLITE_CONSTRAINT_FOREIGNKEY},
           expectation{"DELETE FROM t", errc::constraint_violation, SQLITE_CONSTRAINT_TRIGGER},
           expectation{"INSERT INTO strict_one VALUES ('x')", errc::invalid_value, SQLITE_CONSTRAINT_DATATYPE},
           expectation{"INSERT INTO t(id) VALUES ('x')", errc::invalid_value, SQLITE_MISMATCH},
           expectation{"SELECT * FROM nobody", errc::undefined_object, SQLITE_ERROR},
           expectation{"SELECT nobody FROM t", errc::undefined_object, SQLITE_ERROR},
           expectation{"SELECT nobody()", errc::undefined_object, SQLITE_ERROR},
           expectation{"INSERT INTO t(nobody) VALUES (1)", errc::undefined_object, SQLITE_ERROR},
           expectation{"SELEC 1", errc::syntax_error, SQLITE_ERROR},
           expectation{"SELECT (1", errc::syntax_error, SQLITE_ERROR},
           expectation{"SELECT 'open", errc::syntax_error, SQLITE_ERROR},
           expectation{"SELECT abs(1, 2)", errc::syntax_error, SQLITE_ERROR},
           expectation{"INSERT INTO t(id, u) VALUES (1)", errc::syntax_error, SQLITE_ERROR},
           expectation{"SELECT json('{')", errc::invalid_value, SQLITE_ERROR},
           expectation{"CREATE TABLE t(a)", errc::database_error, SQLITE_ERROR},
       }) {
    const auto problem = caught([&] { db.query(text); });
    EXPECT_EQ(problem.portable_code(), code) << text << ": " << problem.what();
    EXPECT_EQ(problem.native_code(), native) << text;
    EXPECT_FALSE(problem.server_message().empty()) << text;
    EXPECT_FALSE(problem.poisons_session()) << text;
    EXPECT_FALSE(db.session().broken()) << text;
    EXPECT_FALSE(db.session().dirty()) << text;
  }
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 1);
}

TEST(sqlite_errors, say_where_and_what_to_do) {
  const database db;
  EXPECT_THAT(caught([&] { db.query("SELECT nobody"); }).what(),
              AllOf(HasSubstr("no such column"), HasSubstr("byte 7")));
}

TEST(sqlite_errors, a_locked_file_is_told_after_the_busy_timeout) {
  const temporary_folder folder;
  const database holder(folder.file());
  holder.script("CREATE TABLE t(a); BEGIN IMMEDIATE");
  const database db(folder.file(), {{"busy_timeout", "30ms"}});
  const auto started = std::chrono::steady_clock::now();
  const auto problem = caught([&] { db.query("INSERT INTO t VALUES (1)"); });
  EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(30));
  EXPECT_EQ(problem.portable_code(), errc::lock_timeout);
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  EXPECT_THAT(problem.what(), HasSubstr("busy_timeout"));
  EXPECT_FALSE(problem.poisons_session());
  holder.query("COMMIT");
  EXPECT_EQ(db.query("INSERT INTO t VALUES (1)").affected_rows(), 1U);
}

TEST(sqlite_errors, a_stale_snapshot_is_a_serialization_failure) {
  const temporary_folder folder;
  const database one(folder.file());
  const database two(folder.file());
  one.script("CREATE TABLE t(a); BEGIN; SELECT * FROM t");
  two.query("INSERT INTO t VALUES (1)");
  const auto problem = caught([&] { one.query("INSERT INTO t VALUES (2)"); });
  EXPECT_EQ(problem.portable_code(), errc::serialization_failure);
  EXPECT_EQ(problem.native_code(), SQLITE_BUSY_SNAPSHOT);
  EXPECT_EQ(one.session().transaction(), sql_session::transaction_state::active);
}

TEST(sqlite_errors, an_own_cursor_in_the_way_is_named) {
  const database db;
  db.script("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)");
  const auto reading = db.open("SELECT a FROM t");
  const auto problem = caught([&] { db.query("DROP TABLE t"); });
  EXPECT_EQ(problem.portable_code(), errc::lock_timeout);
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_THAT(problem.what(), HasSubstr("cursor"));
}

TEST(sqlite_errors, a_full_database_rolls_back_and_goes_on) {
  const temporary_folder folder;
  const database db(folder.file());
  db.script("CREATE TABLE t(a); PRAGMA max_page_count = 20");
  const auto problem = caught([&] { db.query("INSERT INTO t VALUES (zeroblob(1000000))"); });
  EXPECT_EQ(problem.portable_code(), errc::disk_full);
  EXPECT_FALSE(problem.poisons_session());
  EXPECT_EQ(db.get<int>("SELECT count(*) FROM t"), 0);
  EXPECT_EQ(db.query("INSERT INTO t VALUES (1)").affected_rows(), 1U);
}

// The file size limit of this process, as long as it lives: writes beyond it fail like those to a broken disk.
class file_size_limit {
 public:
  explicit file_size_limit(rlim_t bytes) : former_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &former_);
    rlimit limit = former_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  file_size_limit(const file_size_limit&) = delete;
  file_size_limit& operator=(const file_size_limit&) = delete;
  ~file_size_limit() {
    setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, former_handler_);
  }

 private:
  rlimit former_{};
  void (*former_handler_)(int);
};

TEST(sqlite_errors, a_failing_disk_costs_the_session_but_no_data) {
  const temporary_folder folder;
  database db(folder.file());
  db.script("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
  {
    const file_size_limit limit(100'000);
    const auto problem = caught([&] { db.query("INSERT INTO t VALUES (zeroblob(1000000))"); });
    EXPECT_EQ(problem.portable_code(), errc::database_error);
    EXPECT_EQ(problem.native_code() & 0xFF, SQLITE_IOERR);
    EXPECT_TRUE(problem.poisons_session());
    EXPECT_TRUE(db.session().broken());
    EXPECT_EQ(db.session().transaction(), sql_session::transaction_state::unknown);
    EXPECT_EQ(caught([&] { db.query("SELECT 1"); }).portable_code(), errc::connection_closed);
    EXPECT_EQ(caught([&] { db.reset(); }).portable_code(), errc::connection_closed);
  }
  db.close();
  const database again(folder.file());
  EXPECT_EQ(again.get<std::string>("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(again.get<int>("SELECT count(*) FROM t"), 1);
}

TEST(sqlite_errors, a_damaged_file_is_told) {
  const temporary_folder folder;
  {
    const database db(folder.file(), {{"journal_mode", "delete"}});
    db.script("CREATE TABLE t(a); INSERT INTO t SELECT zeroblob(3000) FROM (VALUES (1), (2), (3), (4), (5), (6), (7))");
  }
  {
    std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(4096, '\xee');
  }
  const database db(folder.file(), {{"journal_mode", "delete"}});
  const auto problem = caught([&] { db.query("SELECT * FROM t"); });
  EXPECT_EQ(problem.portable_code(), errc::database_error);
  EXPECT_EQ(problem.native_code() & 0xFF, SQLITE_CORRUPT);
  EXPECT_THAT(problem.what(), HasSubstr("integrity_check"));
}

}  // namespace
}  // namespace polypool::sqlite
