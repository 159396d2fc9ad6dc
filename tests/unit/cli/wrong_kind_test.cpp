// SPDX-License-Identifier: Apache-2.0
// Telling apart what was meant for another kind of database.
#include "cli/wrong_kind.hpp"

#include "support/caught.hpp"

#include <gmock/gmock.h>

namespace polypool::cli {
namespace {

TEST(wrong_kind, sql_is_known_by_its_first_word) {
  for (const auto* text : {"SELECT 1 AS one", "select id, name from users", " \n INSERT INTO t VALUES (1)", "BEGIN;",
                           "WITH x AS (SELECT 1) SELECT * FROM x", "drop table t", "SELECT 1 ; SELECT 2"}) {
    EXPECT_TRUE(looks_like_sql(text)) << text;
  }
  for (const auto* text : {"SELECT 3", "select 0", "GET user:1", "", "  ", ";", "selection 1 2", "{\"find\": \"x\"}",
                           "HGETALL select", "DEL a b"}) {
    EXPECT_FALSE(looks_like_sql(text)) << text;
  }
}

TEST(wrong_kind, documents_are_json_objects) {
  EXPECT_TRUE(is_json_object(R"({"ping": 1})"));
  EXPECT_TRUE(is_json_object(" {} \n"));
  EXPECT_FALSE(is_json_object("[1]"));
  EXPECT_FALSE(is_json_object("{call refresh()}")) << "ODBC's way to call a procedure";
  EXPECT_FALSE(is_json_object("SELECT 1"));
  EXPECT_FALSE(is_json_object(""));
}

TEST(wrong_kind, errors_name_both) {
  using config::database_type;
  const auto document = test::caught([] { refuse_document("main", database_type::postgres, R"({"ping": 1})"); });
  EXPECT_EQ(document.portable_code(), errc::not_mongodb);
  EXPECT_STREQ(document.what(),
               "connection 'main' query: it is a postgres connection, not a MongoDB database; it takes SQL, such as: "
               "SELECT 1");
  const auto sql = test::caught([] { refuse_sql("cache", database_type::redis, "SELECT 1 AS one"); });
  EXPECT_EQ(sql.portable_code(), errc::not_sql_database);
  EXPECT_THAT(sql.what(), ::testing::HasSubstr("connection 'cache' query: it is a redis connection, not a SQL"));
  refuse_document("main", database_type::postgres, "SELECT 1");
  refuse_sql("cache", database_type::redis, "SELECT 1");
}

}  // namespace
}  // namespace polypool::cli
