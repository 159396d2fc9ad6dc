// SPDX-License-Identifier: Apache-2.0
// Every call on SQL as a task, on an event loop and in a thread that blocks, against SQLite.
#include "support/fake_manager.hpp"

#include <polypool/asio.hpp>
#include <polypool/manager.hpp>
#include <polypool/sqlite.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe/class.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polypool {
namespace {

using ::testing::ElementsAre;
using testing::error_of;

struct city {
  std::int64_t id = 0;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(city, (), (id, name))

class async_sql : public ::testing::TestWithParam<bool> {
 protected:
  async_sql() : mgr_(settings(), options()) {
    db_.execute("CREATE TABLE cities (id integer PRIMARY KEY, name text NOT NULL)");
    db_.execute("INSERT INTO cities VALUES (1, 'Rome'), (2, 'Oslo'), (3, 'Bonn')");
  }
  static config::settings settings() {
    config::settings all;
    all.connections.push_back(config::connection_from_url("lite", "sqlite::memory:"));
    return all;
  }
  static manager_options options() {
    manager_options with;
    with.drivers.push_back(sqlite::make_driver());
    return with;
  }
  template <class T>
  T now(task<T> work) {
    if (!GetParam()) return run(std::move(work));
    auto future = spawn(loop_.get_executor(), std::move(work), boost::asio::use_future);
    loop_.restart();
    loop_.run();
    if constexpr (std::is_void_v<T> || std::is_default_constructible_v<T>) {
      return future.get();
    } else {
      return std::move(*future.get());
    }
  }
  std::int64_t count() { return db_.query_value<std::int64_t>("SELECT count(*) FROM cities"); }

  boost::asio::io_context loop_;
  manager mgr_;
  sql_database db_ = mgr_.sql();
};

INSTANTIATE_TEST_SUITE_P(both, async_sql, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "on_a_loop" : "in_a_thread"; });

TEST_P(async_sql, rows_and_columns) {
  EXPECT_EQ(now(db_.async_query_one("SELECT name FROM cities WHERE id = $1", 2)).front().get<std::string>(0), "Oslo");
  EXPECT_THAT(now(db_.async_query_column<std::string>("SELECT name FROM cities WHERE id > $1 ORDER BY id", 1)),
              ElementsAre("Oslo", "Bonn"));
  EXPECT_EQ(now(db_.async_query_one<city>("SELECT * FROM cities WHERE id = $1", 3)).name, "Bonn");
  EXPECT_EQ(now(db_.async_query_optional<city>("SELECT * FROM cities WHERE id = $1", 1))->name, "Rome");
  EXPECT_FALSE(now(db_.async_query_optional<city>("SELECT * FROM cities WHERE id = $1", 4)));
  EXPECT_TRUE(now(db_.async_query_column<int>("SELECT id FROM cities WHERE id > 3")).empty());
}

TEST_P(async_sql, no_row_where_there_has_to_be_one) {
  const std::string none = "SELECT * FROM cities WHERE id = 4";
  EXPECT_EQ(error_of([&] { now(db_.async_query_one(none)); }).code(), errc::row_count);
  EXPECT_EQ(error_of([&] { now(db_.async_query_one<city>(none)); }).code(), errc::row_count);
  EXPECT_EQ(error_of([&] { now(db_.async_query_value<int>(none)); }).code(), errc::row_count);
  EXPECT_EQ(error_of([&] { now(db_.from("cities").where("id", 4).async_value<int>("id")); }).code(), errc::row_count);
}

TEST_P(async_sql, statements_about_a_table) {
  EXPECT_EQ(now(db_.from("cities").async_insert(city{4, "Bern"})), 1U);
  EXPECT_EQ(now(db_.from("cities").async_insert_many({{{"id", 5}, {"name", "Kyiv"}}, {{"id", 6}, {"name", "Riga"}}})),
            2U);
  EXPECT_EQ(now(db_.from("cities").where("id", 4).async_value<std::string>("name")), "Bern");
  EXPECT_THAT(now(db_.from("cities").where("id", ">", 4).order_by("id").async_pluck<std::string>("name")),
              ElementsAre("Kyiv", "Riga"));
  EXPECT_EQ(now(db_.from("cities").where("id", 6).async_first<city>())->name, "Riga");
  EXPECT_FALSE(now(db_.from("cities").where("id", 7).async_first<city>()));
}

TEST_P(async_sql, structures_of_a_table) {
  auto mapped = mgr_.database().mapped();
  EXPECT_EQ(now(mapped.async_insert("cities", city{4, "Bern"})), 1U);
  EXPECT_EQ(now(mapped.async_update("cities", "id", city{4, "Basel"})), 1U);
  EXPECT_EQ(now(mapped.async_find<city>("cities", "id", 4))->name, "Basel");
  EXPECT_EQ(now(mapped.async_all<city>("cities")).size(), 4U);
  EXPECT_EQ(now(mapped.async_query<city>("SELECT * FROM cities WHERE id < $1", 3)).size(), 2U);
  EXPECT_EQ(mapped.update("cities", "id", city{4, "Bern"}), 1U);
  EXPECT_EQ(error_of([&] { now(mapped.async_update("cities", "key", city{})); }).code(), errc::invalid_argument);
}

task<std::int64_t> sum_of(row_stream rows) {
  std::int64_t sum = 0;
  for (;;) {
    task<std::optional<row>> fetching = rows.async_next();
    const std::optional<row> found = co_await std::move(fetching);
    if (!found) co_return sum;
    sum += found->get<std::int64_t>(0);
  }
}

TEST_P(async_sql, streams) {
  std::vector<value> least;
  least.emplace_back(2);
  EXPECT_EQ(now(sum_of(now(db_.async_stream_with("SELECT id FROM cities WHERE id >= $1", least)))), 5);
  auto tx = now(db_.async_begin());
  now(tx.async_execute("INSERT INTO cities VALUES (10, 'Bern')"));
  EXPECT_EQ(now(sum_of(now(tx.async_stream("SELECT id FROM cities WHERE id > $1", 2)))), 13);
  EXPECT_EQ(now(sum_of(now(tx.async_stream_with("SELECT id FROM cities WHERE id >= $1", least)))), 15);
  std::int64_t sum = 0;
  for (const auto row : tx.stream("SELECT id FROM cities WHERE id < $1", 3)) sum += row.get<int>(0);
  EXPECT_EQ(sum, 3);
  now(tx.async_rollback());
  EXPECT_EQ(count(), 3);
}

task<std::uint64_t> add_city(transaction& tx) {
  task<std::uint64_t> inserting = tx.async_execute("INSERT INTO cities VALUES (4, 'Bern')");
  co_return co_await std::move(inserting);
}
task<void> add_and_fail(transaction& tx) {
  task<std::uint64_t> inserting = tx.async_execute("INSERT INTO cities VALUES (5, 'Kyiv')");
  co_await std::move(inserting);
  throw error(errc::invalid_argument, "changed its mind");
}
task<void> remove_all(transaction& tx) {
  task<std::uint64_t> deleting = tx.async_execute("DELETE FROM cities");
  co_await std::move(deleting);
}

TEST_P(async_sql, whole_transactions) {
  EXPECT_EQ(now(db_.async_transact(add_city)), 1U);
  EXPECT_EQ(count(), 4);
  EXPECT_EQ(error_of([&] { now(db_.async_transact(add_and_fail)); }).code(), errc::invalid_argument);
  EXPECT_EQ(count(), 4);
  now(db_.async_transact(remove_all));
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(now(db_.async_with_retry(add_city)), 1U);
  EXPECT_EQ(count(), 1);
}

}  // namespace
}  // namespace polypool
