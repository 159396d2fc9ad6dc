// SPDX-License-Identifier: Apache-2.0
#include "support/fake_manager.hpp"

#include <polypool/builder.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

struct query : query_clauses<query> {
  explicit query(std::string table, std::string alias = {}) : query_clauses(std::move(table), std::move(alias)) {}
};

constexpr std::array every_dialect{dialect::standard, dialect::postgres, dialect::mysql, dialect::sqlite,
                                   dialect::mssql};

std::string text_of(const query& q, dialect language = dialect::postgres) {
  return build_select(q.parts(), language).text;
}

TEST(builder, selects) {
  EXPECT_EQ(text_of(query("users")), R"(SELECT * FROM "users")");
  EXPECT_EQ(text_of(query("shop.users", "u").select("u.id", "u.name", "u.*")),
            R"(SELECT "u"."id", "u"."name", "u".* FROM "shop"."users" AS "u")");
  const auto made =
      build_select(query("users").where("age", ">=", 18).where("name", "LIKE", "A%").parts(), dialect::postgres);
  EXPECT_EQ(made.text, R"(SELECT * FROM "users" WHERE "age" >= $1 AND "name" like $2)");
  ASSERT_EQ(made.parameters.size(), 2U);
  EXPECT_EQ(std::get<std::int64_t>(made.parameters[0].data()), 18);
}

TEST(builder, each_value_has_a_placeholder_of_its_own) {
  const auto made =
      build_select(query("t").where("a", 1).or_where("b", "=", 1).where_in("c", {1, 1}).parts(), dialect::sqlite);
  EXPECT_EQ(made.text, R"(SELECT * FROM "t" WHERE "a" = $1 OR "b" = $2 AND "c" IN ($3, $4))");
  EXPECT_EQ(made.parameters.size(), 4U);
}

TEST(builder, nulls_lists_and_ranges) {
  EXPECT_EQ(text_of(query("t").where_null("a").where_not_null("b").where_in("c", {}).where_not_in("d", {})),
            R"(SELECT * FROM "t" WHERE "a" IS NULL AND "b" IS NOT NULL AND 1 = 0 AND 1 = 1)");
  EXPECT_EQ(text_of(query("t").where_between("a", 1, 2).where_not_in("b", {3})),
            R"(SELECT * FROM "t" WHERE "a" BETWEEN $1 AND $2 AND "b" NOT IN ($3))");
  EXPECT_THAT(error_of([] { text_of(query("t").where("a", "=", nullptr)); }).what(), HasSubstr("where_null"));
}

TEST(builder, quotes_names_as_each_dialect_does) {
  EXPECT_EQ(quoted_name("a.b", dialect::mysql), "`a`.`b`");
  EXPECT_EQ(quoted_name("a.b", dialect::mssql), "[a].[b]");
  EXPECT_EQ(quoted_name("a.b", dialect::sqlite), R"("a"."b")");
  // What would end the quoting early is doubled, whatever a name contains.
  EXPECT_EQ(quoted_name(R"(x"; DROP TABLE t; --)", dialect::postgres), R"("x""; DROP TABLE t; --")");
  EXPECT_EQ(quoted_name("x`; DROP", dialect::mysql), "`x``; DROP`");
  EXPECT_EQ(quoted_name("x]; DROP", dialect::mssql), "[x]]; DROP]");
  for (const auto language : every_dialect) {
    EXPECT_EQ(error_of([&] { quoted_name("", language); }).code(), errc::invalid_argument);
    EXPECT_EQ(error_of([&] { quoted_name("a..b", language); }).code(), errc::invalid_argument);
    EXPECT_EQ(error_of([&] { quoted_name(std::string_view("a\0b", 3), language); }).code(), errc::invalid_argument);
  }
}

TEST(builder, a_comparison_is_one_of_a_list) {
  const auto refused = error_of([] { text_of(query("t").where("a", "= 1; DROP TABLE t; --", 1)); });
  EXPECT_EQ(refused.code(), errc::invalid_argument);
  EXPECT_THAT(refused.what(), HasSubstr("there are: =, <>"));
}

TEST(builder, limits_as_each_dialect_says_them) {
  const auto page = query("t").order_by("id", desc).paginate(3, 20);
  EXPECT_EQ(text_of(page, dialect::postgres), R"(SELECT * FROM "t" ORDER BY "id" DESC LIMIT 20 OFFSET 40)");
  EXPECT_EQ(text_of(page, dialect::mysql), "SELECT * FROM `t` ORDER BY `id` DESC LIMIT 20 OFFSET 40");
  EXPECT_EQ(text_of(page, dialect::mssql),
            "SELECT * FROM [t] ORDER BY [id] DESC OFFSET 40 ROWS FETCH NEXT 20 ROWS ONLY");
  const auto skipped = query("t").offset(5);
  EXPECT_EQ(text_of(skipped, dialect::postgres), R"(SELECT * FROM "t" OFFSET 5)");
  EXPECT_EQ(text_of(skipped, dialect::sqlite), R"(SELECT * FROM "t" LIMIT -1 OFFSET 5)");
  EXPECT_EQ(text_of(skipped, dialect::mysql), "SELECT * FROM `t` LIMIT 18446744073709551615 OFFSET 5");
  EXPECT_EQ(text_of(skipped, dialect::mssql), "SELECT * FROM [t] ORDER BY (SELECT NULL) OFFSET 5 ROWS");
  EXPECT_EQ(text_of(query("t").limit(0), dialect::mssql), "SELECT TOP 0 * FROM [t]");
  EXPECT_EQ(error_of([] { query("t").paginate(0, 10); }).code(), errc::invalid_argument);
  EXPECT_EQ(error_of([] { query("t").paginate(1, 0); }).code(), errc::invalid_argument);
  EXPECT_EQ(error_of([] { query("t").paginate(~0ULL, 10); }).code(), errc::invalid_argument);
}

TEST(builder, counts_and_asks) {
  EXPECT_EQ(build_count(query("t").where("a", 1).order_by("a").parts(), dialect::postgres).text,
            R"(SELECT count(*) FROM "t" WHERE "a" = $1)");
  EXPECT_EQ(build_count(query("t").limit(3).parts(), dialect::postgres).text,
            R"(SELECT count(*) FROM (SELECT 1 AS one FROM "t" LIMIT 3) AS counted)");
  EXPECT_EQ(build_exists(query("t").where("a", 1).parts(), dialect::postgres).text,
            R"(SELECT 1 FROM "t" WHERE "a" = $1 LIMIT 1)");
}

TEST(builder, inserts) {
  const std::vector<column_values> rows{{{"name", "Ada"}, {"age", 36}}, {{"name", "Bob"}, {"age", nullptr}}};
  const auto made = build_insert(query("users").parts(), rows, {"id"}, dialect::postgres);
  EXPECT_EQ(made.text, R"(INSERT INTO "users" ("name", "age") VALUES ($1, $2), ($3, $4) RETURNING "id")");
  EXPECT_EQ(build_insert(query("users").parts(), {rows[0]}, {"*"}, dialect::mssql).text,
            "INSERT INTO [users] ([name], [age]) OUTPUT INSERTED.* VALUES ($1, $2)");
  EXPECT_EQ(error_of([&] { build_insert(query("users").parts(), {}, {}, dialect::postgres); }).code(),
            errc::invalid_argument);
  EXPECT_EQ(error_of([&] { build_insert(query("t").parts(), {rows[0], {{"x", 1}}}, {}, dialect::mysql); }).code(),
            errc::invalid_argument);
}

TEST(builder, updates_and_deletes_want_a_condition) {
  EXPECT_EQ(build_update(query("t").where("id", 7).parts(), {{"a", 1}, {"b", nullptr}}, dialect::postgres).text,
            R"(UPDATE "t" SET "a" = $1, "b" = $2 WHERE "id" = $3)");
  EXPECT_EQ(build_delete(query("t").where("id", 7).parts(), dialect::mysql).text, "DELETE FROM `t` WHERE `id` = $1");
  for (const auto language : every_dialect) {
    const auto update = error_of([&] { build_update(query("t").parts(), {{"a", 1}}, language); });
    EXPECT_EQ(update.code(), errc::invalid_argument);
    EXPECT_THAT(update.what(), HasSubstr("all_rows()"));
    EXPECT_EQ(error_of([&] { build_delete(query("t").parts(), language); }).code(), errc::invalid_argument);
    EXPECT_NO_THROW(build_delete(query("t").all_rows().parts(), language));
    // silently left out, these would change more rows than meant
    EXPECT_EQ(error_of([&] { build_delete(query("t").where("a", 1).limit(1).parts(), language); }).code(),
              errc::invalid_argument);
  }
}

}  // namespace
}  // namespace polypool
