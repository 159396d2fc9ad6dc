// SPDX-License-Identifier: Apache-2.0
// Connections that are cut, damaged and stalled anywhere, and servers that die.
#include "support/mongodb_server.hpp"
#include "support/tcp_gate.hpp"
#include "support/ways.hpp"

#include <polypool/config.hpp>
#include <polypool/manager.hpp>
#include <polypool/mongodb.hpp>
#include <polypool/mongodb_database.hpp>

#include <boost/json/parse.hpp>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;

document doc(std::string_view text) { return boost::json::parse(text).as_object(); }

std::unique_ptr<manager> make_manager(const endpoint& where, std::uint32_t sessions = 4) {
  config::settings settings;
  settings.defaults.retry_delay = 20ms;
  settings.defaults.retry_max_delay = 200ms;
  config::connection one;
  one.name = "documents";
  one.type = config::database_type::mongodb;
  one.where = where;
  one.overrides.max_open_conns = sessions;
  settings.connections.push_back(std::move(one));
  manager_options options;
  options.drivers.push_back(mongodb::make_driver());
  return std::make_unique<manager>(std::move(settings), std::move(options));
}

class mongodb_faults : public mongodb_test, public ::testing::WithParamInterface<way> {
 protected:
  mongodb_faults() : go_(GetParam()) {}
  void SetUp() override {
    mongodb_test::SetUp();
    if (!playground_) return;
    where_ = playground_->endpoint();
    gate_.emplace(where_.host, where_.port);
    where_.host = "127.0.0.1";
    where_.port = gate_->port();
  }
  runner go_;
  endpoint where_;
  std::optional<tcp_gate> gate_;
};
POLYPOOL_BOTH_WAYS(mongodb_faults);

TEST_P(mongodb_faults, cut_at_any_byte_of_an_answer) {
  std::uint64_t handshake = 0;
  std::uint64_t whole = 0;
  {
    const auto mgr = make_manager(where_, 1);
    const auto things = mgr->mongodb("documents").collection("things");
    mgr->connect();
    handshake = gate_->bytes_from_server();
    std::vector<document> documents;
    for (int i = 0; i < 20; ++i) documents.push_back({{"_id", i}, {"text", "some text"}});
    things.insert_many(std::move(documents));
    handshake = gate_->bytes_from_server();
    things.find().all();
    whole = gate_->bytes_from_server() - handshake;
  }
  ASSERT_GT(whole, 500u);
  for (std::uint64_t offset = 5; offset < whole; offset += 37) {
    SCOPED_TRACE(offset);
    gate_->pass();
    const auto mgr = make_manager(where_, 1);
    const auto things = mgr->mongodb("documents").collection("things");
    const auto before = gate_->bytes_from_server();
    mgr->connect();
    const auto connecting = gate_->bytes_from_server() - before;
    mgr->get("documents").reconnect();
    gate_->cut(tcp_gate::ending::fin);
    // The next connection breaks in the middle of the answer; what only reads is asked for once more, and that one
    // breaks as well.
    gate_->cut_after(connecting + offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    try {
      auto cursor = go_(things.async_find());
      const auto found = go_(cursor.async_all());
      EXPECT_EQ(found.size(), 20u);  // the length of the login varies by a few bytes
    } catch (const error& problem) {
      EXPECT_TRUE(problem.portable_code() == errc::connection_lost || problem.portable_code() == errc::connect_failed)
          << problem.what();
      EXPECT_EQ(problem.disposition() == disposition::in_doubt, false) << problem.what();
    }
    gate_->pass();
    EXPECT_EQ(go_(things.async_count_documents()), 20u) << "the pool has recovered";
  }
}

// Each operation meets a connection that breaks off in its answer: a plain error, and nothing that was confirmed is
// lost.
TEST_P(mongodb_faults, cut_at_every_step) {
  std::uint64_t login = 0;
  std::uint64_t whole = 0;
  where_.options["retry_reads"] = "false";
  std::uint64_t confirmed = 0;
  const auto life = [&](manager& mgr) {
    const auto db = mgr.mongodb("documents");
    const auto things = db.collection("things");
    db.run_command(doc(R"({"ping": 1})"));
    go_(things.async_insert_one(doc(R"({"kind": "one"})")));
    ++confirmed;
    go_(things.async_insert_many({doc(R"({"kind": "some"})"), doc(R"({"kind": "some"})")}));
    go_(things.async_update_many(doc(R"({"kind": "some"})"), doc(R"({"$set": {"n": 1}})")));
    go_(things.async_find_one_and_update(doc(R"({"kind": "some"})"), doc(R"({"$inc": {"n": 1}})")));
    auto cursor = go_(things.async_find({}, find_options().batch_size(1).limit(4)));
    go_(cursor.async_all());
    go_(things.async_distinct("kind"));
    go_(things.async_list_indexes());
    go_(things.async_delete_many(doc(R"({"kind": "some"})")));
    db.stats();
  };
  {
    const auto mgr = make_manager(where_, 1);
    mgr->connect();
    login = gate_->bytes_from_server();
    life(*mgr);
    whole = gate_->bytes_from_server();
  }
  int broken = 0;
  for (auto offset = login + 1; offset + 64 < whole; offset += (whole - login) / 40) {
    SCOPED_TRACE(offset - login);
    gate_->pass();
    gate_->cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    const auto mgr = make_manager(where_, 1);
    try {
      life(*mgr);  // reads may have been repeated
    } catch (const error& problem) {
      ++broken;
      EXPECT_TRUE(problem.portable_code() == errc::connection_lost || problem.portable_code() == errc::connect_failed)
          << problem.what();
    }
    gate_->pass();
    EXPECT_GE(go_(mgr->mongodb("documents").collection("things").async_count_documents(doc(R"({"kind": "one"})"))),
              confirmed);
  }
  EXPECT_GT(broken, 10);
}

// Such a server closes new connections without a word. The calls share the sessions there are, the pool does not storm
// the server, and who gets none is told what may be the reason.
TEST_P(mongodb_faults, a_server_without_room) {
  const auto mgr = make_manager(where_, 8);
  const auto things = mgr->mongodb("documents").collection("things");
  go_(things.async_insert_one(doc(R"({"_id": 1})")));
  gate_->refuse();
  std::atomic<int> fine = 0;
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < 8; ++i) {
      running.emplace_back([&] {
        for (int k = 0; k < 10; ++k) fine += things.find_one(doc(R"({"_id": 1})")) ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(fine, 80) << "sessions go from hand to hand, where no more can be had";
  EXPECT_LT(mgr->get("documents").statistics().pool.connect_failures, 200u) << "it backs off";
  const auto other = make_manager(where_, 2);
  try {
    other->mongodb("documents").collection("things").find_one({}, find_options().timeout(300ms));
    ADD_FAILURE() << "there is no room";
  } catch (const error& problem) {
    EXPECT_NE(std::string(problem.what()).find("no room for more"), std::string::npos) << problem.what();
  }
  gate_->pass();
  EXPECT_TRUE(wait_until([&] {
    try {
      return go_(other->mongodb("documents").collection("things").async_count_documents()) == 1u;
    } catch (const error&) {
      return false;
    }
  }));
}

TEST_P(mongodb_faults, idle_connections_that_are_gone) {
  const auto mgr = make_manager(where_, 2);
  const auto things = mgr->mongodb("documents").collection("things");
  go_(things.async_insert_one(doc(R"({"_id": 1})")));
  for (const auto how : {tcp_gate::ending::fin, tcp_gate::ending::rst}) {
    gate_->cut(how);
    EXPECT_EQ(go_(things.async_count_documents()), 1u) << "reads are repeated";
  }
}

TEST_P(mongodb_faults, a_network_that_stalls) {
  const auto mgr = make_manager(where_, 2);
  const auto things = mgr->mongodb("documents").collection("things");
  go_(things.async_insert_one(doc(R"({"_id": 1})")));
  gate_->stall();
  const auto start = std::chrono::steady_clock::now();
  const auto late = failure_of(go_, things.async_find_one({}, find_options().timeout(50ms)));
  EXPECT_EQ(late.portable_code(), errc::deadline_exceeded) << late.what();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  const auto sending = failure_of(
      go_, things.async_insert_one({{"text", std::string(10'000'000, 'x')}}, insert_options().timeout(100ms)));
  EXPECT_TRUE(sending.portable_code() == errc::deadline_exceeded || sending.portable_code() == errc::pool_timeout)
      << sending.what();
  gate_->pass();
  EXPECT_EQ(go_(things.async_count_documents()), 1u) << "what was not sent whole is not there";
}

TEST_P(mongodb_faults, slow_and_in_small_pieces) {
  gate_->delay(1ms);
  const auto mgr = make_manager(where_, 1);
  const auto things = mgr->mongodb("documents").collection("things");
  std::vector<document> documents;
  for (int i = 0; i < 50; ++i) documents.push_back({{"_id", i}, {"text", std::string(5000, 'x')}});
  go_(things.async_insert_many(std::move(documents)));
  auto cursor = go_(things.async_find());
  EXPECT_EQ(go_(cursor.async_all()).size(), 50u);
}

TEST_P(mongodb_faults, corrupted_bytes_do_not_crash) {
  std::uint64_t whole = 0;
  {
    const auto mgr = make_manager(where_, 1);
    const auto things = mgr->mongodb("documents").collection("things");
    things.insert_many({doc(R"({"_id": 1, "text": "x", "list": [1, 2]})"), doc(R"({"_id": 2, "when": {"$date": 5}})")});
    things.find().all();
    whole = gate_->bytes_from_server();
  }
  for (std::uint64_t offset = 0; offset < whole; offset += 13) {
    gate_->pass();
    gate_->corrupt_at(offset);
    where_.connect_timeout = 300ms;
    auto mgr = make_manager(where_, 1);
    try {
      auto cursor = go_(mgr->mongodb("documents").collection("things").async_find({}, find_options().timeout(300ms)));
      go_(cursor.async_all());
    } catch (const error& problem) {
      EXPECT_FALSE(std::string(problem.what()).empty());
    }
    gate_->pass();
  }
}

TEST(mongodb_servers, restarted) {
  if (const auto why = private_mongodb::why_not(); !why.empty()) GTEST_SKIP() << why;
  const private_mongodb server;
  auto where = server.where();
  const auto mgr = make_manager(where, 2);
  mgr->connect();
  const auto things = mgr->mongodb("documents").collection("things");
  things.insert_one(doc(R"({"_id": 1})"));
  server.restart();
  EXPECT_EQ(things.count_documents(), 1u) << "what only reads survives it";
  server.kill();
  try {
    things.find_one();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const error& problem) {
    EXPECT_TRUE(problem.portable_code() == errc::connection_lost || problem.portable_code() == errc::connect_failed)
        << problem.what();
  }
  EXPECT_EQ(mgr->get("documents").health_check().status, health_status::unhealthy);
  server.start();
  EXPECT_TRUE(wait_until([&] { return mgr->get("documents").health_check().status == health_status::healthy; }));
  EXPECT_EQ(things.count_documents(), 1u);
}

TEST(mongodb_servers, frozen) {
  if (const auto why = private_mongodb::why_not(); !why.empty()) GTEST_SKIP() << why;
  const private_mongodb server;
  const auto mgr = make_manager(server.where(), 1);
  mgr->connect();
  const auto things = mgr->mongodb("documents").collection("things");
  things.insert_one(doc(R"({"_id": 1})"));
  server.suspend();
  const auto start = std::chrono::steady_clock::now();
  runner go(way::event_loop);
  EXPECT_EQ(failure_of(go, things.async_find_one({}, find_options().timeout(100ms))).portable_code(),
            errc::deadline_exceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  server.resume();
  EXPECT_EQ(things.count_documents(), 1u);
}

}  // namespace
}  // namespace polypool::test
