// SPDX-License-Identifier: Apache-2.0
// One connection for many callers at once.
#include "manager_fixture.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <mongoc/mongoc.h>
#include <thread>

namespace polypool::test {
namespace {

class mongodb_sharing : public mongodb_test {
 protected:
  void SetUp() override {
    mongodb_test::SetUp();
    if (playground_) mgr_ = make_mongodb_manager(playground_->endpoint(), 4);
  }
  void TearDown() override {
    mgr_.reset();
    mongodb_test::TearDown();
  }
  std::unique_ptr<manager> mgr_;
};

task<void> one_task(mongodb_database db, int number, std::atomic<int>& done) {
  const auto things = db.collection("things");
  document what;
  what["_id"] = number;
  what["n"] = number % 7;
  task<insert_result> inserting = things.async_insert_one(what);
  co_await std::move(inserting);
  document by_id;
  by_id["_id"] = number;
  task<std::optional<document>> finding = things.async_find_one(by_id);
  const std::optional<document> found = co_await std::move(finding);
  if (found && *found == what) ++done;
}

TEST_F(mongodb_sharing, three_threads_and_a_hundred_tasks) {
  const auto db = mgr_->mongodb("documents");
  db.collection("things").insert_one(doc(R"({"_id": -1})"));
  std::atomic<int> done = 0;
  std::atomic<int> failures = 0;
  boost::asio::io_context context;
  for (int i = 0; i < 100; ++i) spawn(context.get_executor(), one_task(db, i, done), boost::asio::detached);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const int number = 1000 + 100 * t + i;
        try {
          db.collection("things").insert_one({{"_id", number}});
          if (db.collection("things").find_one({{"_id", number}})) ++done;
        } catch (const error& problem) {
          ++failures;
          ADD_FAILURE() << problem.what();
        }
      }
    });
  }
  std::jthread loop([&] { context.run(); });
  context.run();
  loop.join();
  threads.clear();
  EXPECT_EQ(done, 160);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(db.collection("things").count_documents(), 161u);
  const auto numbers = mgr_->get("documents").statistics();
  EXPECT_LE(numbers.pool.open, 4u);
  EXPECT_EQ(numbers.pool.in_use, 0u);
  EXPECT_GE(numbers.queries, 321u);
  EXPECT_LE(playground_->sessions(), 4);
}

TEST_F(mongodb_sharing, tasks_that_are_dropped_in_the_middle) {
  const auto db = mgr_->mongodb("documents");
  db.collection("things").insert_one(doc(R"({"_id": -1})"));
  std::atomic<int> done = 0;
  {
    boost::asio::io_context context;
    for (int i = 0; i < 50; ++i) spawn(context.get_executor(), one_task(db, i, done), boost::asio::detached);
    for (int i = 0; i < 60; ++i) context.run_one();
  }
  EXPECT_TRUE(wait_until([&] { return mgr_->get("documents").statistics().pool.in_use == 0; }));
  EXPECT_TRUE(db.collection("things").find_one(doc(R"({"_id": -1})")));
}

TEST_F(mongodb_sharing, handles_follow_switches_and_removals) {
  auto other = playground_->endpoint();
  other.database += "_second";
  config::connection second;
  second.name = "second";
  second.type = config::database_type::mongodb;
  second.where = other;
  mgr_->register_connection(second);
  mgr_->switch_active("documents");
  const auto unnamed = mgr_->mongodb();
  unnamed.collection("things").insert_one(doc(R"({"_id": 1})"));
  EXPECT_EQ(unnamed.name(), "documents");
  mgr_->switch_active("second");
  EXPECT_EQ(unnamed.name(), "second");
  EXPECT_EQ(unnamed.collection("things").count_documents(), 0u);
  const auto named = mgr_->get("second").mongodb();
  unnamed.drop();
  mgr_->remove("second");
  EXPECT_THROW(named.collection("things").count_documents(), error);
  mgr_->register_connection(second);
  EXPECT_EQ(named.collection("things").count_documents(), 0u);
  try {
    mgr_->sql("documents");
    ADD_FAILURE() << "it speaks no SQL";
  } catch (const error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::not_sql_database);
    EXPECT_NE(std::string(problem.what()).find("mongodb(\"documents\")"), std::string::npos) << problem.what();
  }
  EXPECT_EQ(mgr_->get("documents").describe().role, server_info::role_type::primary);
  EXPECT_EQ(mgr_->get("documents").health_check().status, health_status::healthy);
}

TEST_F(mongodb_sharing, a_pool_that_is_used_up) {
  auto narrow = make_mongodb_manager(playground_->endpoint(), 1);
  const auto db = narrow->mongodb("documents");
  db.collection("things").insert_many({doc("{}"), doc("{}"), doc("{}")});
  auto held = db.collection("things").find({}, find_options().batch_size(1));
  EXPECT_TRUE(held.next());
  try {
    db.collection("things").find_one({}, find_options().timeout(50ms));
    ADD_FAILURE() << "there is no session left";
  } catch (const error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::pool_timeout) << problem.what();
  }
  held.close();
  EXPECT_TRUE(db.collection("things").find_one({}));
  EXPECT_EQ(db.lease().native<mongoc_client_t*>() != nullptr, true);
}

TEST_F(mongodb_sharing, a_connection_without_a_database) {
  auto where = playground_->endpoint();
  const auto name = where.database;
  where.database.clear();
  const auto mgr = make_mongodb_manager(where);
  try {
    mgr->mongodb("documents").collection("things").find_one();
    ADD_FAILURE() << "which database?";
  } catch (const error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::invalid_argument);
    EXPECT_NE(problem.hint().find("database"), std::string::npos);
  }
  EXPECT_FALSE(mgr->mongodb("documents").in(name).collection("things").find_one());
  EXPECT_THROW(mgr->mongodb("documents").collection(""), error);
}

}  // namespace
}  // namespace polypool::test
