// SPDX-License-Identifier: Apache-2.0
// Structures and statements over one table, against SQLite.
#include "support/fake_manager.hpp"

#include <polypool/manager.hpp>
#include <polypool/sqlite.hpp>

#include <boost/describe/class.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

namespace polypool {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

struct thing {
  std::int64_t id = 0;
};
BOOST_DESCRIBE_STRUCT(thing, (), (id))

struct user : thing {
  std::string name;
  std::optional<std::string> email;
};
BOOST_DESCRIBE_STRUCT(user, (thing), (name, email))

class mapping : public ::testing::Test {
 protected:
  mapping() : mgr_(settings(), options()) {
    db_.execute("CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL, email text, age int)");
    db_.from("users").insert_many({{{"id", 1}, {"name", "Ada"}, {"email", "ada@example.org"}, {"age", 36}},
                                   {{"id", 2}, {"name", "Bob"}, {"email", nullptr}, {"age", 17}},
                                   {{"id", 3}, {"name", "Cleo"}, {"email", nullptr}, {"age", 50}}});
  }
  static config::settings settings() {
    config::settings all;
    all.connections.push_back(config::connection_from_url("lite", "sqlite::memory:"));
    all.connections.back().default_orm = config::access_style::builder;
    return all;
  }
  static manager_options options() {
    manager_options with;
    with.drivers.push_back(sqlite::make_driver());
    return with;
  }
  manager mgr_;
  sql_database db_ = mgr_.sql();
};

TEST_F(mapping, rows_become_structures) {
  const std::vector<user> users = db_.query<user>("SELECT email, name, id FROM users WHERE id < $1 ORDER BY id", 3);
  ASSERT_EQ(users.size(), 2U);
  EXPECT_EQ(users[0].id, 1);
  EXPECT_EQ(users[0].name, "Ada");
  EXPECT_EQ(users[0].email, "ada@example.org");
  EXPECT_EQ(users[1].email, std::nullopt);
  EXPECT_EQ(db_.query_one<user>("SELECT * FROM users WHERE id = 3").name, "Cleo");
  EXPECT_EQ(error_of([&] { db_.query_one<user>("SELECT * FROM users WHERE id = 9"); }).code(), errc::row_count);
  EXPECT_FALSE(db_.query_optional<user>("SELECT * FROM users WHERE id = 9"));
  EXPECT_EQ(run(db_.async_query<user>("SELECT * FROM users")).size(), 3U);
}

TEST_F(mapping, what_does_not_fit_is_named) {
  const auto missing = error_of([&] { db_.query<user>("SELECT id, age FROM users"); });
  EXPECT_EQ(missing.code(), errc::column_not_found);
  EXPECT_THAT(missing.what(), HasSubstr("the members 'name', 'email'"));
  EXPECT_THAT(missing.what(), HasSubstr("its columns are 'id', 'age'"));
  const auto null = error_of([&] { db_.query<user>("SELECT id, email AS name, email FROM users WHERE id = 2"); });
  EXPECT_EQ(null.code(), errc::null_value);
  EXPECT_THAT(null.what(), HasSubstr("name"));
  const auto type = error_of([&] { db_.query<user>("SELECT name AS id, name, email FROM users"); });
  EXPECT_EQ(type.code(), errc::type_mismatch);
  EXPECT_THAT(type.what(), HasSubstr("id"));
  // also where there are no rows: a wrong statement does not hide until there is data
  EXPECT_EQ(error_of([&] { db_.query<user>("SELECT id FROM users WHERE id = 9"); }).code(), errc::column_not_found);
}

TEST_F(mapping, a_table_is_read) {
  EXPECT_THAT(db_.from("users").order_by("name", desc).pluck<std::string>("name"), ElementsAre("Cleo", "Bob", "Ada"));
  EXPECT_EQ(db_.from("users").where("age", ">", 18).count(), 2U);
  EXPECT_TRUE(db_.from("users").where("name", "like", "B%").exists());
  EXPECT_FALSE(db_.from("users").where("name", "Zoe").exists());
  EXPECT_EQ(db_.from("users").order_by("id").paginate(2, 2).get<user>().front().name, "Cleo");
  EXPECT_EQ(db_.from("users").where("id", 2).value<std::string>("name"), "Bob");
  EXPECT_EQ(error_of([&] { db_.from("users").where("id", 9).value<int>("id"); }).code(), errc::row_count);
  EXPECT_EQ(db_.from("users").order_by("id").first<user>()->name, "Ada");
  EXPECT_EQ(db_.from("users", "u").select("u.name").where("u.id", 1).get().front().get<std::string>("name"), "Ada");
  EXPECT_EQ(run(db_.from("users").where_null("email").async_count()), 2U);
  EXPECT_TRUE(run(db_.from("users").async_exists()));
  EXPECT_EQ(run(db_.from("users").where("id", 1).async_get<user>()).front().name, "Ada");
  EXPECT_EQ(db_.from("users").limit(0).get().size(), 0U);
}

TEST_F(mapping, a_table_is_changed) {
  user zoe;
  zoe.id = 4;
  zoe.name = "Zoe";
  EXPECT_EQ(db_.from("users").insert(zoe), 1U);
  EXPECT_EQ(db_.from("users").insert_returning({{"name", "Max"}}, {"id", "name"}).front().get<int>("id"), 5);
  EXPECT_EQ(db_.from("users").where_in("id", {4, 5}).update({{"age", 1}}), 2U);
  EXPECT_EQ(db_.from("users").where("age", 1).remove(), 2U);
  EXPECT_EQ(error_of([&] { db_.from("users").remove(); }).code(), errc::invalid_argument);
  EXPECT_EQ(db_.from("users").count(), 3U);
  {
    auto tx = db_.begin();
    EXPECT_EQ(tx.from("users").all_rows().remove(), 3U);
    EXPECT_EQ(tx.from("users").count(), 0U);
  }
  EXPECT_EQ(db_.from("users").count(), 3U);
  EXPECT_EQ(run(db_.from("users").where("id", 3).async_update({{"name", "Cleopatra"}})), 1U);
  EXPECT_EQ(run(db_.from("users").where("id", 3).async_remove()), 1U);
}

TEST_F(mapping, the_configuration_picks_the_access) {
  auto db = mgr_.database("lite");
  EXPECT_EQ(db.style(), config::access_style::builder);
  struct which {
    std::string operator()(native_access) const { return "native"; }
    std::string operator()(builder_access) const { return "builder"; }
    std::string operator()(mapped_access) const { return "mapped"; }
  };
  EXPECT_EQ(db.visit(which()), "builder");
  EXPECT_EQ(mgr_.database().visit(which()), "builder");
  // and all are there over the same pool
  EXPECT_EQ(db.builder().from("users").count(), 3U);
  auto by_structure = db.mapped();
  EXPECT_EQ(by_structure.all<user>("users").size(), 3U);
  auto bob = by_structure.find<user>("users", "id", 2);
  ASSERT_TRUE(bob);
  bob->name = "Robert";
  EXPECT_EQ(by_structure.update("users", "id", *bob), 1U);
  EXPECT_EQ(by_structure.find<user>("users", "id", 2)->name, "Robert");
  EXPECT_EQ(error_of([&] { by_structure.update("users", "key", *bob); }).code(), errc::invalid_argument);
  EXPECT_EQ(db.native().with<sqlite3*>([](sqlite3* raw) { return sqlite3_total_changes(raw); }), 4);
  EXPECT_EQ(mgr_.get("lite").statistics().pool.open, 1U);
  EXPECT_EQ(error_of([&] { mgr_.database("nobody"); }).code(), errc::connection_not_found);
}

}  // namespace
}  // namespace polypool
