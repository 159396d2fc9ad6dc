// SPDX-License-Identifier: Apache-2.0
#include "sqlite_fixture.hpp"

#include <fstream>

namespace polypool::sqlite {
namespace {

using testing::AllOf;
using testing::HasSubstr;

error refused(std::string path, std::map<std::string, std::string> options = {}) {
  return caught([&] { database(std::move(path), std::move(options)); });
}

TEST(sqlite_open, creates_a_missing_file_with_good_settings) {
  const temporary_folder folder;
  const database db(folder.file());
  EXPECT_EQ(db.get<std::string>("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(db.get<int>("PRAGMA synchronous"), 1);
  EXPECT_EQ(db.get<int>("PRAGMA foreign_keys"), 1);
  EXPECT_EQ(db.get<int>("PRAGMA trusted_schema"), 0);
  EXPECT_FALSE(db.session().dirty());
  EXPECT_FALSE(db.session().broken());
  const auto info = run(db.session().describe());
  EXPECT_EQ(info.version, sqlite3_libversion());
  EXPECT_EQ(info.role, server_info::role_type::primary);
}

TEST(sqlite_open, keeps_data_from_session_to_session) {
  const temporary_folder folder;
  database(folder.file()).script("CREATE TABLE t(a); INSERT INTO t VALUES (42)");
  EXPECT_EQ(database(folder.file()).get<int>("SELECT a FROM t"), 42);
}

TEST(sqlite_open, obeys_its_options) {
  const temporary_folder folder;
  const database db(folder.file(), {{"journal_mode", "DELETE"}, {"foreign_keys", "off"}, {"busy_timeout", "0"}});
  EXPECT_EQ(db.get<std::string>("PRAGMA journal_mode"), "delete");
  EXPECT_EQ(db.get<int>("PRAGMA synchronous"), 2);
  EXPECT_EQ(db.get<int>("PRAGMA foreign_keys"), 0);
  const database careful(folder.file("other.db"), {{"synchronous", "extra"}});
  EXPECT_EQ(careful.get<int>("PRAGMA synchronous"), 3);
}

TEST(sqlite_open, says_what_is_wrong_with_an_option) {
  for (const auto& [name, text, allowed] :
       {std::tuple{"busy_timeout", "5", "a duration"}, std::tuple{"mode", "readonly", "rwc"},
        std::tuple{"journal_mode", "fast", "truncate"}, std::tuple{"synchronous", "2", "normal"},
        std::tuple{"foreign_keys", "maybe", "off"}}) {
    const auto problem = refused(":memory:", {{name, text}});
    EXPECT_EQ(problem.portable_code(), errc::invalid_configuration);
    EXPECT_THAT(problem.what(), AllOf(HasSubstr(name), HasSubstr(text), HasSubstr(allowed)));
  }
  EXPECT_THAT(refused(":memory:", {{"busy_timout", "5s"}}).what(),
              AllOf(HasSubstr("busy_timout"), HasSubstr("busy_timeout,")));
  EXPECT_THAT(refused("").what(), HasSubstr("filepath"));
  EXPECT_THAT(refused(":memory:", {{"journal_mode", "wal"}}).what(), HasSubstr("journal_mode"));
}

TEST(sqlite_open, names_a_missing_folder) {
  const temporary_folder folder;
  const auto problem = refused(folder.file("missing/test.db"));
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_THAT(problem.what(), AllOf(HasSubstr("missing' does not exist"), HasSubstr("create the folder")));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "missing"));
}

TEST(sqlite_open, names_a_missing_file_that_it_may_not_create) {
  const temporary_folder folder;
  for (const auto mode : {"ro", "rw"}) {
    const auto problem = refused(folder.file(), {{"mode", mode}});
    EXPECT_EQ(problem.portable_code(), errc::connect_failed);
    EXPECT_THAT(problem.what(), HasSubstr("no such file"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder.file()));
}

TEST(sqlite_open, refuses_a_folder_and_a_file_of_another_kind) {
  const temporary_folder folder;
  EXPECT_THAT(refused(folder.path().string()).what(), HasSubstr("is a folder"));
  std::ofstream(folder.file("notes.txt")) << std::string(5000, 'x');
  const auto problem = refused(folder.file("notes.txt"));
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.native_code(), SQLITE_NOTADB);
  EXPECT_THAT(problem.what(), AllOf(HasSubstr("notes.txt"), HasSubstr("encrypted")));
}

TEST(sqlite_open, read_only_refuses_writes) {
  const temporary_folder folder;
  const database writer(folder.file());
  writer.script("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
  const database reader(folder.file(), {{"mode", "ro"}});
  EXPECT_EQ(reader.get<int>("SELECT a FROM t"), 1);
  EXPECT_EQ(run(reader.session().describe()).role, server_info::role_type::read_only);
  EXPECT_EQ(reader.session().begin_statement({}), "BEGIN DEFERRED");
  const auto problem = caught([&] { reader.query("INSERT INTO t VALUES (2)"); });
  EXPECT_EQ(problem.portable_code(), errc::read_only);
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_FALSE(problem.poisons_session());
}

TEST(sqlite_open, reads_an_immutable_file_by_uri) {
  const temporary_folder folder;
  database(folder.file(), {{"journal_mode", "delete"}}).script("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
  const database db("file:" + folder.file() + "?immutable=1", {{"mode", "ro"}});
  EXPECT_EQ(db.get<int>("SELECT a FROM t"), 1);
  EXPECT_EQ(caught([&] { db.query("DELETE FROM t"); }).portable_code(), errc::read_only);
}

TEST(sqlite_open, every_session_has_its_own_database_in_memory) {
  const database one;
  const database two;
  one.query("CREATE TABLE t(a)");
  EXPECT_EQ(two.get<int>("SELECT count(*) FROM sqlite_schema"), 0);
  const auto driver = make_driver();
  EXPECT_TRUE(driver->session_owns_data(database::endpoint_of(":memory:")));
  EXPECT_TRUE(driver->session_owns_data(database::endpoint_of("file:x?mode=memory&cache=private")));
  EXPECT_FALSE(driver->session_owns_data(database::endpoint_of("/tmp/memory.db")));
  EXPECT_EQ(driver->type(), "sqlite");
  EXPECT_EQ(driver->kind(), database_kind::sql);
}

TEST(sqlite_open, waits_for_a_lock_no_longer_than_its_time_to_connect) {
  const temporary_folder folder;
  const database holder(folder.file(), {{"journal_mode", "delete"}});
  holder.script("CREATE TABLE t(a); BEGIN EXCLUSIVE");
  auto where = database::endpoint_of(folder.file());
  where.connect_timeout = std::chrono::milliseconds(30);
  const auto problem = caught([&] { database db(where); });
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_THAT(problem.what(), HasSubstr(folder.file()));
}

TEST(sqlite_open, probe_notices_that_the_file_is_gone) {
  const temporary_folder folder;
  const database db(folder.file());
  db.query("CREATE TABLE t(a)");
  run(db.session().probe());
  std::filesystem::remove(folder.file());
  const auto problem = caught([&] { run(db.session().probe()); });
  EXPECT_EQ(problem.portable_code(), errc::connection_lost);
  EXPECT_TRUE(problem.poisons_session());
  EXPECT_TRUE(db.session().broken());
  EXPECT_EQ(caught([&] { db.query("SELECT 1"); }).portable_code(), errc::connection_closed);
}

}  // namespace
}  // namespace polypool::sqlite
