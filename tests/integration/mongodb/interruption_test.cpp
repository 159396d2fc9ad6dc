// SPDX-License-Identifier: Apache-2.0
// Deadlines, stops, and servers that die: in the middle of something.
#include "fixture.hpp"
#include "support/mongodb_script.hpp"
#include "support/tcp_gate.hpp"

#include <optional>
#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

// A server that says nothing to `slow`.
class mongodb_interruption : public ::testing::TestWithParam<way> {
 protected:
  mongodb_interruption() : go_(GetParam()) {
    server_.on_command([](const script_request& request) -> std::optional<script_answer> {
      if (request.name == "slow" || request.name == "insert") return script_answer::silent();
      if (request.name == "quick") return script_answer::ok();
      if (request.name == "find") {
        return script_answer::batch("scripted.things", {doc(R"({"_id": 1})"), doc(R"({"_id": 2})")}, 77);
      }
      if (request.name == "getMore") return script_answer::silent();
      return std::nullopt;
    });
  }
  mongodb_client make_client() { return {go_, server_.where()}; }
  void become_set() { server_.join_set("rs", {server_.address()}, true); }
  bool arrived(std::string_view name) {
    return wait_until([&] { return !server_.requests(name).empty(); });
  }
  mongodb_script server_;
  runner go_;
  const document slow_ = doc(R"({"slow": 1})");
  const document quick_ = doc(R"({"quick": 1})");
  using access = document_command::access_type;
};
POLYPOOL_BOTH_WAYS(mongodb_interruption);

TEST_P(mongodb_interruption, a_deadline_in_the_middle) {
  auto db = make_client();
  const auto start = std::chrono::steady_clock::now();
  const auto problem = failure_of(go_, with_timeout(50ms, db->run(db.command(slow_))));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(problem.disposition(), disposition::in_doubt);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  EXPECT_TRUE(db->dirty());
  EXPECT_FALSE(db->broken());
  db.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.run(quick_).at("ok"), 1.0);
  EXPECT_TRUE(wait_until([&] { return server_.open_connections() == 1; })) << "the old connection is closed";
  const auto reading = failure_of(go_, with_timeout(50ms, db->run(db.command(slow_, access::read))));
  EXPECT_EQ(reading.disposition(), disposition::retryable) << "what only reads may be tried again";
}

TEST_P(mongodb_interruption, the_next_operation_recovers) {
  auto db = make_client();
  failure_of(go_, with_timeout(20ms, db->run(db.command(slow_))));
  EXPECT_EQ(db.run(quick_).at("ok"), 1.0);
  EXPECT_FALSE(db->dirty());
  failure_of(go_, with_timeout(20ms, db->run(db.command(slow_))));
  EXPECT_NO_THROW(go_(db->probe()));
  failure_of(go_, with_timeout(20ms, db->run(db.command(slow_))));
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
}

TEST_P(mongodb_interruption, a_deadline_of_the_past_touches_nothing) {
  auto db = make_client();
  const auto problem = failure_of(go_, with_deadline(time_point{}, db->run(db.command(quick_))));
  EXPECT_EQ(problem.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(problem.disposition(), disposition::retryable);
  EXPECT_FALSE(db->dirty());
  EXPECT_TRUE(server_.requests("quick").empty());
}

TEST_P(mongodb_interruption, a_stop_in_the_middle_and_before) {
  auto db = make_client();
  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(arrived("slow"));
    stop.request_stop();
  });
  const auto problem = failure_of(go_, with_stop(stop.get_token(), db->run(db.command(slow_))));
  EXPECT_EQ(problem.portable_code(), errc::cancelled);
  EXPECT_TRUE(db->dirty());
  const auto early = failure_of(go_, with_stop(stop.get_token(), db->run(db.command(quick_))));
  EXPECT_EQ(early.portable_code(), errc::cancelled);
  EXPECT_EQ(early.disposition(), disposition::retryable);
  EXPECT_EQ(db.run(quick_).at("ok"), 1.0);
}

TEST_P(mongodb_interruption, closed_by_force_from_another_thread) {
  auto db = make_client();
  std::jthread closer([&] {
    EXPECT_TRUE(arrived("slow"));
    db->interrupt();
  });
  const auto problem = db.failure(slow_);
  EXPECT_EQ(problem.portable_code(), errc::connection_closed);
  EXPECT_TRUE(problem.poisons_session());
  closer.join();
  db->interrupt();
  EXPECT_TRUE(db->broken());
  EXPECT_EQ(db.failure(quick_).portable_code(), errc::connection_closed);
  EXPECT_EQ(failure_of(go_, db->probe()).portable_code(), errc::connection_closed);
  EXPECT_EQ(failure_of(go_, db->reset()).portable_code(), errc::connection_closed);
}

TEST_P(mongodb_interruption, a_server_that_stays_silent_without_a_deadline) {
  auto where = server_.where();
  where.options["socket_timeout"] = "100ms";
  mongodb_client db(go_, where);
  const auto problem = db.failure(slow_);
  EXPECT_EQ(problem.portable_code(), errc::connection_lost);
  EXPECT_NE(problem.cause().find("said nothing for too long"), std::string::npos) << problem.what();
  EXPECT_TRUE(problem.poisons_session());
  EXPECT_TRUE(db->broken());
}

TEST_P(mongodb_interruption, the_server_is_told_the_deadline) {
  auto db = make_client();
  auto what = db.command(quick_);
  what.limited_on_server = true;
  go_(with_timeout(10s, db->run(what)));
  go_(db->run(what));
  const auto seen = server_.requests("quick");
  ASSERT_EQ(seen.size(), 2u);
  const auto told = bson::as_int64(seen[0].body.at("maxTimeMS"));
  EXPECT_GT(told, 5000);
  EXPECT_LT(told, 10000);
  EXPECT_FALSE(seen[1].body.contains("maxTimeMS"));
}

TEST_P(mongodb_interruption, reset_ends_on_the_server_what_was_left_there) {
  become_set();
  auto db = make_client();
  db.run(quick_);
  const auto lsid = server_.requests("quick").front().body.at("lsid");
  failure_of(go_, with_timeout(20ms, db->run(db.command(slow_))));
  EXPECT_TRUE(server_.requests("killSessions").empty());
  db.reset();
  const auto killed = server_.requests("killSessions");
  ASSERT_EQ(killed.size(), 1u);
  EXPECT_EQ(killed[0].body.at("killSessions").as_array().at(0), lsid);
  db.run(quick_);
  EXPECT_NE(server_.requests("quick").back().body.at("lsid"), lsid);
}

TEST_P(mongodb_interruption, cursors_that_are_left_behind) {
  auto db = make_client();
  const auto find = doc(R"({"find": "things"})");
  {
    const auto dropped = db.open(find);
    EXPECT_TRUE(db->dirty());
  }
  EXPECT_TRUE(db->dirty());
  EXPECT_TRUE(server_.requests("killCursors").empty()) << "a destructor waits for nothing";
  db.reset();
  EXPECT_FALSE(db->dirty());
  ASSERT_EQ(server_.requests("killCursors").size(), 1u);
  EXPECT_EQ(bson::as_int64(server_.requests("killCursors")[0].body.at("cursors").as_array().at(0)), 77);
  {
    const auto finished = db.open(find);
    go_(finished->finish());
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(server_.requests("killCursors").size(), 2u);
    document next;
    EXPECT_FALSE(finished->take(next));
    EXPECT_FALSE(go_(finished->fetch()));
  }
  const auto cut = db.open(find);
  document next;
  EXPECT_TRUE(cut->take(next));
  EXPECT_TRUE(cut->take(next));
  EXPECT_FALSE(cut->take(next));
  EXPECT_EQ(failure_of(go_, with_timeout(20ms, cut->fetch())).portable_code(), errc::deadline_exceeded);
  db.reset();
  EXPECT_EQ(failure_of(go_, cut->fetch()).portable_code(), errc::connection_lost) << "its connection is another one";
  EXPECT_FALSE(db->dirty());
}

TEST_P(mongodb_interruption, farewell) {
  become_set();
  {
    auto db = make_client();
    db.run(quick_);
  }
  EXPECT_TRUE(arrived("endSessions"));
  {
    auto db = make_client();
    const auto open = db.open(R"({"find": "things"})");
    db->begin_transaction({});
  }
  EXPECT_TRUE(arrived("killSessions")) << "a transaction or a cursor is ended at once";
  EXPECT_TRUE(wait_until([&] { return server_.open_connections() == 0; }));
}

TEST_P(mongodb_interruption, tasks_that_are_destroyed_in_the_middle) {
  auto db = make_client();
  std::optional<task<document>> never_run = db->run(db.command(slow_));
  never_run.reset();
  EXPECT_FALSE(db->dirty());
  EXPECT_EQ(db.run(quick_).at("ok"), 1.0);
}

}  // namespace
}  // namespace polypool::test
