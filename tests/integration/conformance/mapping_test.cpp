// SPDX-License-Identifier: Apache-2.0
// Structures as rows, on every database, and all ways to work with one over its one pool.
#include "fixture.hpp"

#include <polypool/database.hpp>
#include <polypool/mapping.hpp>

#include <boost/describe/class.hpp>
#include <gmock/gmock.h>

namespace polypool::test {
namespace {

using ::testing::HasSubstr;

struct person {
  std::int64_t id = 0;
  std::string name;
  bool active = false;
  double score = 0;
  date born{};
  timestamp seen{};
  bytes photo;
  std::optional<std::string> email;
  std::optional<std::int64_t> boss;
  bool operator==(const person&) const = default;
};
BOOST_DESCRIBE_STRUCT(person, (), (id, name, active, score, born, seen, photo, email, boss))

person ada() {
  using namespace std::chrono;
  person out;
  out.id = 1;
  out.name = "Ada \"漢\" O'Neil";
  out.active = true;
  out.score = -1.25;
  out.born = sys_days(1815y / December / 10);
  out.seen = local_days(2024y / February / 29) + 12h + 30min + 250ms;
  out.photo = {std::byte{0}, std::byte{0xff}, std::byte{0x27}};
  out.email = "ada@example.org";
  return out;
}

class conformance_mapping : public conformance {
 protected:
  void SetUp() override {
    conformance::SetUp();
    if (!place_) return;
    const auto of = [this](data_type wanted) { return type(wanted) ? *type(wanted) : text(); };
    db().execute("CREATE TABLE people (id " + integer() + ", name " + text() + ", active " + of(data_type::boolean) +
                 ", score " + of(data_type::real) + ", born " + of(data_type::date) + ", seen " +
                 of(data_type::timestamp) + ", photo " + of(data_type::bytes) + ", email " + text() + ", boss " +
                 integer() + ")");
  }
};
POLYPOOL_EVERY_DATABASE(conformance_mapping);

TEST_P(conformance_mapping, structures_come_back_the_same) {
  auto people = mgr().database("db").mapped();
  auto first = ada();
  EXPECT_EQ(people.insert("people", first), 1u);
  person second = ada();
  second.id = 2;
  second.active = false;
  second.email = "";
  second.boss = 1;
  EXPECT_EQ(people.insert("people", second), 1u);
  EXPECT_EQ(people.find<person>("people", "id", 1), first);
  EXPECT_EQ(people.find<person>("people", "id", 2), second);
  EXPECT_FALSE(people.find<person>("people", "id", 3));
  first.email.reset();
  first.boss = 2;
  first.score = 1e100;
  EXPECT_EQ(people.update("people", "id", first), 1u);
  EXPECT_EQ(db().query<person>("SELECT * FROM people WHERE boss IN ($1, $2) ORDER BY id", 1, 2),
            (std::vector{first, second}));
}

TEST_P(conformance_mapping, what_is_missing_or_null_is_named) {
  mgr().database("db").mapped().insert("people", ada());
  const auto missing = caught([&] { db().query<person>("SELECT id, name, score FROM people"); });
  EXPECT_EQ(missing.portable_code(), errc::column_not_found);
  EXPECT_THAT(missing.what(), HasSubstr("the members 'active', 'born', 'seen', 'photo', 'email', 'boss'"));
  db().execute("UPDATE people SET name = NULL");
  const auto null = caught([&] { db().query<person>("SELECT * FROM people"); });
  EXPECT_EQ(null.portable_code(), errc::null_value);
  EXPECT_THAT(null.what(), HasSubstr("'name'"));
}

TEST_P(conformance_mapping, every_style_works_over_one_pool) {
  auto all = mgr().database("db");
  all.mapped().insert("people", ada());
  EXPECT_EQ(all.builder().from("people").where("id", 1).value<std::string>("email"), "ada@example.org");
  EXPECT_EQ(all.sql().query_value<int>("SELECT count(*) FROM people"), 1);
  {
    const auto lease = db().lease();
    EXPECT_NE(lease.session().native().pointer, nullptr);
  }
  EXPECT_EQ(all.builder().from("people").count(), 1u);
  EXPECT_EQ(mgr().get("db").statistics().pool.max_open, 1u);
  EXPECT_LE(mgr().get("db").statistics().pool.open, 1u);
}

}  // namespace
}  // namespace polypool::test
