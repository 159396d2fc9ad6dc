// SPDX-License-Identifier: Apache-2.0
// What the server complains about, and what it does to the session.
#include "fixture.hpp"
#include "support/mongodb_script.hpp"

namespace polypool::test {
namespace {

using mongodb_complaints = mongodb_ways;
POLYPOOL_BOTH_WAYS(mongodb_complaints);

TEST_P(mongodb_complaints, of_a_real_server) {
  auto db = make_client();
  db.insert("things", {doc(R"({"_id": 1, "n": "text"})")});
  try {
    db.insert("things", {doc(R"({"_id": 1})")});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const document_write_error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::unique_violation);
    EXPECT_EQ(problem.native_code(), 11000);
    EXPECT_FALSE(problem.server_message().empty());
  }
  EXPECT_EQ(db.failure(R"({"noSuchCommand": 1})").portable_code(), errc::unsupported);
  EXPECT_EQ(db.failure(R"({"find": "things", "filter": 5})").portable_code(), errc::invalid_value);
  EXPECT_EQ(db.failure(R"({"dropIndexes": "nothing", "index": "none"})").portable_code(), errc::undefined_object);
  EXPECT_EQ(db.failure(document()).portable_code(), errc::invalid_argument);
  auto nowhere = db.command(doc(R"({"ping": 1})"));
  const auto ping = doc(R"({"ping": 1})");
  nowhere.body = &ping;
  nowhere.database = "";
  EXPECT_EQ(failure_of(go_, db->run(nowhere)).portable_code(), errc::invalid_argument);
  try {
    db.write("things", {document_write::update_one(doc(R"({"_id": 1})"), doc(R"({"$inc": {"n": 1}})"))});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::invalid_value) << problem.what();
  }
  EXPECT_THROW(db.write("", {document_write::insert({})}), error);
  EXPECT_FALSE(db->dirty());
  EXPECT_FALSE(db->broken());
  EXPECT_EQ(playground_->sessions(), 1);
}

class mongodb_injected : public ::testing::TestWithParam<way> {
 protected:
  mongodb_injected() : go_(GetParam()) {
    server_.join_set("rs", {server_.address()}, true);
    server_.on_command([this](const script_request& request) -> std::optional<script_answer> {
      if (request.name != "fails") return std::nullopt;
      ++asked_;
      return script_answer::failure(code_, "the server's own words");
    });
  }
  mongodb_script server_;
  std::atomic<int> code_ = 1;
  std::atomic<int> asked_ = 0;
  runner go_;
};
POLYPOOL_BOTH_WAYS(mongodb_injected);

TEST_P(mongodb_injected, every_code_that_is_told_apart) {
  for (const int code :
       {1,   2,   4,   6,    7,    9,     11,    13,    14,    15,    18,    20,    24,    26,    27,    40,
        43,  46,  50,  52,   59,   64,    66,    67,    72,    73,    89,    91,    112,   115,   121,   123,
        166, 168, 175, 189,  211,  225,   237,   238,   244,   246,   251,   257,   261,   262,   263,   290,
        317, 334, 365, 8000, 9001, 10058, 10107, 10334, 11000, 11600, 11601, 11602, 13435, 13436, 14031, 99999}) {
    SCOPED_TRACE(code);
    mongodb_client db(go_, server_.where());
    code_ = code;
    const auto problem = db.failure(R"({"fails": 1})");
    EXPECT_EQ(problem.native_code(), code);
    EXPECT_EQ(problem.server_message(), "the server's own words");
    EXPECT_EQ(db->broken(), problem.poisons_session());
    if (!db->broken()) {
      EXPECT_EQ(db.run(R"({"ping": 1})").at("ok"), 1.0);
      EXPECT_FALSE(db->dirty());
    }
  }
}

TEST_P(mongodb_injected, what_reads_is_sent_again_when_the_server_leaves) {
  mongodb_client db(go_, server_.where());
  const auto find = doc(R"({"find": "things"})");
  for (const int code : {91, 11600, 11602, 10107, 13436}) {
    std::atomic<int> left = 1;
    server_.on_command([&](const script_request& request) -> std::optional<script_answer> {
      if (request.name == "find" && left-- > 0) return script_answer::failure(code, "bye");
      return std::nullopt;
    });
    EXPECT_TRUE(db.run(find, document_command::access_type::read).contains("cursor")) << code;
    EXPECT_FALSE(db->broken());
  }
  std::atomic<int> left = 1;
  server_.on_command([&](const script_request& request) -> std::optional<script_answer> {
    if (request.name == "find" && left-- > 0) return script_answer::closing();
    return std::nullopt;
  });
  EXPECT_TRUE(db.run(find, document_command::access_type::read).contains("cursor"));
  left = 1;
  EXPECT_EQ(db.failure(find).portable_code(), errc::connection_lost) << "nobody knows what such a command does";
  EXPECT_TRUE(db->broken());
  auto where = server_.where();
  where.options["retry_reads"] = "false";
  mongodb_client stubborn(go_, where);
  left = 1;
  EXPECT_EQ(stubborn.failure(find, document_command::access_type::read).portable_code(), errc::connection_lost);
}

TEST_P(mongodb_injected, writes_that_break_are_in_doubt) {
  auto where = server_.where();
  where.options["retry_writes"] = "false";
  mongodb_client db(go_, where);
  server_.on_command([](const script_request& request) -> std::optional<script_answer> {
    if (request.name == "insert") return script_answer::closing();
    return std::nullopt;
  });
  try {
    db.insert("things", {doc("{}")});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const document_write_error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::connection_lost);
    EXPECT_EQ(problem.disposition(), disposition::in_doubt);
    EXPECT_TRUE(problem.poisons_session());
  }
  EXPECT_TRUE(db->broken());
}

TEST_P(mongodb_injected, a_write_concern_that_is_not_met) {
  mongodb_client db(go_, server_.where());
  server_.on_command([](const script_request& request) -> std::optional<script_answer> {
    if (request.name != "insert") return std::nullopt;
    return script_answer::with(doc(
        R"({"n": 1, "ok": 1.0, "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}})"));
  });
  try {
    db.insert("things", {doc(R"({"_id": 1})")});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const document_write_error& problem) {
    EXPECT_EQ(problem.disposition(), disposition::in_doubt) << problem.what();
    EXPECT_EQ(problem.outcome().inserted, 1u);
    EXPECT_EQ(problem.native_code(), 64);
  }
  EXPECT_FALSE(db->broken());
}

TEST_P(mongodb_injected, nonsense_from_the_server) {
  const std::string_view messages[] = {std::string_view("\x03\0\0\0", 4), std::string_view("\xff\xff\xff\x7f", 4),
                                       std::string_view("HTTP/1.1 400 Bad Request\r\n\r\n"),
                                       std::string_view("\x15\0\0\0\0\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0", 21)};
  for (const auto bytes : messages) {
    mongodb_client db(go_, server_.where());
    server_.on_command([&](const script_request& request) -> std::optional<script_answer> {
      if (request.name != "odd") return std::nullopt;
      script_answer out;
      out.what = script_answer::what_type::raw_bytes;
      out.bytes = bytes;
      return out;
    });
    auto odd = doc(R"({"odd": 1})");
    const auto problem = failure_of(go_, with_timeout(5s, db->run(db.command(odd))));
    EXPECT_TRUE(problem.portable_code() == errc::connection_lost || problem.portable_code() == errc::deadline_exceeded)
        << problem.what();
    EXPECT_TRUE(db->broken() || db->dirty());
  }
  mongodb_client db(go_, server_.where());
  server_.on_command([&](const script_request& request) -> std::optional<script_answer> {
    if (request.name == "find")
      return script_answer::with(doc(R"({"cursor": {"id": 5, "firstBatch": [1, 2]}, "ok": 1.0})"));
    return std::nullopt;
  });
  const auto odd = db.open(R"({"find": "things"})");
  document next;
  EXPECT_THROW(odd->take(next), error);
}

}  // namespace
}  // namespace polypool::test
