// SPDX-License-Identifier: Apache-2.0
// Statements that the builder makes, run on every database: its dialect has to be what the database takes.
#include "fixture.hpp"

#include <polypool/builder.hpp>
#include <polypool/table_query.hpp>

#include <vector>

namespace polypool::test {
namespace {

using names = std::vector<std::string>;

class conformance_builder : public conformance {
 protected:
  void SetUp() override {
    conformance::SetUp();
    if (!place_) return;
    db().execute("CREATE TABLE fruit (id " + integer() + ", name " + text() + ", stock " + integer() + ")");
  }
  table_query fruit() { return db().from("fruit"); }
  static column_values row(int id, const char* name, value stock) {
    column_values out;
    out.emplace_back("id", id);
    out.emplace_back("name", name);
    out.emplace_back("stock", std::move(stock));
    return out;
  }
  void fill() {
    std::vector<column_values> rows;
    rows.push_back(row(1, "apple", 10));
    rows.push_back(row(2, "banana", 0));
    rows.push_back(row(3, "cherry", value()));
    rows.push_back(row(4, "damson", 7));
    rows.push_back(row(5, "o'elder; --", 7));
    EXPECT_EQ(fruit().insert_many(std::move(rows)), 5u);
  }
  static names named(table_query from) { return from.pluck<std::string>("name"); }
};
POLYPOOL_EVERY_DATABASE(conformance_builder);

TEST_P(conformance_builder, insert_and_select) {
  EXPECT_EQ(fruit().insert(row(7, "quince", 3)), 1u);
  const auto all = fruit().get();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all.front().get<int>("id"), 7);
  EXPECT_EQ(all.front().get<std::string>("name"), "quince");
  EXPECT_EQ(fruit().where("id", 7).value<int>("stock"), 3);
  const auto some = fruit().select("stock", "id").first();
  ASSERT_EQ(some.columns().size(), 2u);
  EXPECT_EQ(some.front().get<int>(0), 3);
}

TEST_P(conformance_builder, conditions) {
  fill();
  EXPECT_EQ(named(fruit().where("stock", ">", 5).where("id", "<>", 4).order_by("id")), (names{"apple", "o'elder; --"}));
  EXPECT_EQ(named(fruit().where("id", 2).or_where("id", "=", 4).order_by("id")), (names{"banana", "damson"}));
  EXPECT_EQ(named(fruit().where("name", "o'elder; --")), names{"o'elder; --"});
  EXPECT_EQ(named(fruit().where("name", "like", "%an%")), names{"banana"});
  EXPECT_EQ(named(fruit().where_in("id", {1, 3, 99}).order_by("id")), (names{"apple", "cherry"}));
  EXPECT_EQ(named(fruit().where_not_in("id", {1, 2, 3}).order_by("id")), (names{"damson", "o'elder; --"}));
  EXPECT_EQ(named(fruit().where_in("id", {})), names{});
  EXPECT_EQ(named(fruit().where_null("stock")), names{"cherry"});
  EXPECT_EQ(fruit().where_not_null("stock").count(), 4u);
  EXPECT_EQ(named(fruit().where_between("id", 2, 3).order_by("id")), (names{"banana", "cherry"}));
}

TEST_P(conformance_builder, order_and_limits) {
  fill();
  EXPECT_EQ(named(fruit().order_by("id", desc).limit(2)), (names{"o'elder; --", "damson"}));
  EXPECT_EQ(named(fruit().where_not_null("stock").order_by("stock", desc).order_by("id", desc)),
            (names{"apple", "o'elder; --", "damson", "banana"}));
  EXPECT_EQ(named(fruit().order_by("id").limit(2).offset(3)), (names{"damson", "o'elder; --"}));
  EXPECT_EQ(named(fruit().order_by("id").offset(4)), names{"o'elder; --"});
  EXPECT_EQ(named(fruit().order_by("id").paginate(2, 2)), (names{"cherry", "damson"}));
  EXPECT_EQ(named(fruit().order_by("id").paginate(4, 2)), names{});
  EXPECT_EQ(named(fruit().limit(3)).size(), 3u) << "without an order, too";
  EXPECT_EQ(fruit().order_by("id").limit(2).offset(4).count(), 1u);
}

TEST_P(conformance_builder, empty_results) {
  EXPECT_TRUE(fruit().get().empty());
  EXPECT_TRUE(fruit().first().empty());
  EXPECT_EQ(fruit().get().columns().size(), 3u);
  EXPECT_EQ(fruit().count(), 0u);
  EXPECT_FALSE(fruit().exists());
  EXPECT_EQ(caught([&] { (void)fruit().value<int>("id"); }).portable_code(), errc::row_count);
  EXPECT_EQ(fruit().where("id", 1).update({{"stock", 1}}), 0u);
  EXPECT_EQ(fruit().where("id", 1).remove(), 0u);
  fill();
  EXPECT_TRUE(fruit().exists());
  EXPECT_FALSE(fruit().where("id", ">", 100).exists());
}

TEST_P(conformance_builder, update_and_remove) {
  fill();
  EXPECT_EQ(fruit().where("stock", 7).update({{"stock", 8}, {"name", "sold"}}), 2u);
  EXPECT_EQ(fruit().where("name", "sold").where("stock", 8).count(), 2u);
  EXPECT_EQ(fruit().where("id", 1).update({{"stock", value()}}), 1u);
  EXPECT_EQ(fruit().where_null("stock").count(), 2u);
  EXPECT_EQ(fruit().where("id", "<=", 2).remove(), 2u);
  EXPECT_EQ(fruit().count(), 3u);
  EXPECT_EQ(caught([&] { fruit().remove(); }).portable_code(), errc::invalid_argument);
  EXPECT_EQ(caught([&] { fruit().update({{"stock", 0}}); }).portable_code(), errc::invalid_argument);
  EXPECT_EQ(fruit().all_rows().update({{"stock", 0}}), 3u);
  EXPECT_EQ(fruit().all_rows().remove(), 3u);
  EXPECT_FALSE(fruit().exists());
}

// What would be something else without its quotes, and what holds the quotes themselves.
TEST_P(conformance_builder, odd_names) {
  const names odd{"select", "two words", "Mixed", "quote\"d", "tick`ed", "brack]et", "semi;colon -- no", "größe", "$1"};
  std::string columns;
  const dialect language = db().lease().sql().dialect();
  for (const auto& each : odd) columns += (columns.empty() ? "" : ", ") + quoted_name(each, language) + " " + integer();
  db().execute("CREATE TABLE " + quoted_name("order by", language) + " (" + columns + ")");
  const auto table = [&] { return db().from("order by"); };
  column_values all;
  for (std::size_t i = 0; i < odd.size(); ++i) all.emplace_back(odd[i], static_cast<int>(i));
  EXPECT_EQ(table().insert(std::move(all)), 1u);
  for (std::size_t i = 0; i < odd.size(); ++i) {
    const auto number = static_cast<int>(i);
    EXPECT_EQ(table().where(odd[i], number).order_by(odd[i]).value<int>(odd[i]), number) << odd[i];
    EXPECT_EQ(table().where(odd[i], number).update({{odd[i], number + 100}}), 1u) << odd[i];
    EXPECT_EQ(table().get().front().get<int>(odd[i]), number + 100) << odd[i];
  }
}

TEST_P(conformance_builder, in_a_transaction) {
  fill();
  {
    auto tx = db().begin();
    EXPECT_EQ(tx.from("fruit").where("id", 1).remove(), 1u);
    EXPECT_EQ(tx.from("fruit").count(), 4u);
  }
  EXPECT_EQ(fruit().count(), 5u) << "it was not committed";
}

}  // namespace
}  // namespace polypool::test
