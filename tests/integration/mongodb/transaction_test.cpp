// SPDX-License-Identifier: Apache-2.0
// Transactions: how they look on the wire, and what becomes of them when something breaks. FerretDB has none.
#include "manager_fixture.hpp"
#include "support/mongodb_script.hpp"

namespace polypool::test {
namespace {

class mongodb_transactions : public ::testing::TestWithParam<way> {
 protected:
  mongodb_transactions() : go_(GetParam()) {
    server_.join_set("rs", {server_.address()}, true);
    auto where = server_.where();
    where.options["replica_set"] = "rs";
    mgr_ = make_mongodb_manager(where, 1);
    db_.emplace(mgr_->mongodb("documents"));
  }
  // Answers commands of this name that way, so many times.
  void answer(std::string name, script_answer with, int times = 1) {
    auto left = std::make_shared<std::atomic<int>>(times);
    server_.on_command([=](const script_request& request) -> std::optional<script_answer> {
      if (request.name != name || left->fetch_sub(1) <= 0) return std::nullopt;
      return with;
    });
  }
  mongodb_script server_;
  runner go_;
  std::unique_ptr<manager> mgr_;
  std::optional<mongodb_database> db_;
};
POLYPOOL_BOTH_WAYS(mongodb_transactions);

TEST_P(mongodb_transactions, on_the_wire) {
  document_transaction_options how;
  how.read_concern = "snapshot";
  how.write_concern = "majority";
  auto tx = go_(db_->async_begin(how));
  const auto things = tx.collection("things");
  go_(things.async_insert_one(doc(R"({"a": 1})")));
  go_(things.async_update_one(doc("{}"), doc(R"({"$set": {"a": 2}})")));
  auto cursor = go_(things.async_find());
  go_(cursor.async_all());
  go_(tx.async_commit());
  const auto first = server_.requests("insert").at(0).body;
  EXPECT_EQ(first.at("startTransaction"), true);
  EXPECT_EQ(first.at("autocommit"), false);
  EXPECT_EQ(first.at("readConcern").at("level"), "snapshot");
  const auto second = server_.requests("update").at(0).body;
  EXPECT_FALSE(second.contains("startTransaction"));
  EXPECT_EQ(second.at("autocommit"), false);
  EXPECT_EQ(second.at("txnNumber"), first.at("txnNumber"));
  EXPECT_EQ(second.at("lsid"), first.at("lsid"));
  EXPECT_EQ(server_.requests("find").at(0).body.at("txnNumber"), first.at("txnNumber"));
  const auto commit = server_.requests("commitTransaction").at(0);
  EXPECT_EQ(commit.database, "admin");
  EXPECT_EQ(commit.body.at("lsid"), first.at("lsid"));
  EXPECT_EQ(commit.body.at("writeConcern").at("w"), "majority");
  EXPECT_EQ(failure_of(go_, things.async_insert_one({})).portable_code(), errc::invalid_argument) << "it is over";
  EXPECT_EQ(failure_of(go_, tx.async_commit()).portable_code(), errc::invalid_argument);
  go_(db_->collection("things").async_insert_one(doc(R"({"a": 1})")));
  EXPECT_FALSE(server_.requests("insert").at(1).body.contains("autocommit"));
}

TEST_P(mongodb_transactions, rolled_back_by_call_and_by_scope) {
  auto tx = go_(db_->async_begin());
  go_(tx.collection("things").async_insert_one(doc("{}")));
  go_(tx.async_rollback());
  EXPECT_EQ(server_.requests("abortTransaction").size(), 1u);
  {
    auto dropped = go_(db_->async_begin());
    go_(dropped.collection("things").async_insert_one(doc("{}")));
  }
  // The only session comes back clean.
  go_(db_->collection("things").async_insert_one(doc("{}")));
  EXPECT_EQ(server_.requests("abortTransaction").size(), 2u);
  EXPECT_FALSE(server_.requests("insert").back().body.contains("autocommit"));
  EXPECT_TRUE(server_.requests("commitTransaction").empty());
}

TEST_P(mongodb_transactions, clashes_are_run_again) {
  answer("update", script_answer::failure(112, "WriteConflict", {"TransientTransactionError"}), 2);
  int runs = 0;
  const auto value = db_->transact([&](mongodb_transaction& tx) {
    ++runs;
    return tx.collection("things").update_one(doc("{}"), doc(R"({"$set": {"a": 1}})")).matched;
  });
  EXPECT_EQ(value, 1u);
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(server_.requests("abortTransaction").size(), 2u);
  EXPECT_EQ(server_.requests("commitTransaction").size(), 1u);
  answer("update", script_answer::failure(112, "WriteConflict", {"TransientTransactionError"}), 100);
  runs = 0;
  const auto work = [&](mongodb_transaction& tx) {
    ++runs;
    tx.collection("things").update_one(doc("{}"), doc(R"({"$set": {"a": 1}})"));
  };
  EXPECT_THROW(db_->transact(work), error);
  EXPECT_EQ(runs, 5);
  runs = 0;
  EXPECT_THROW(db_->transact([&](mongodb_transaction&) {
    ++runs;
    throw std::runtime_error("mine");
  }),
               std::runtime_error);
  EXPECT_EQ(runs, 1);
}

TEST_P(mongodb_transactions, a_commit_that_breaks_is_in_doubt) {
  answer("commitTransaction", script_answer::closing(), 2);  // libmongoc tries once more
  auto tx = go_(db_->async_begin());
  go_(tx.collection("things").async_insert_one(doc("{}")));
  const auto problem = failure_of(go_, tx.async_commit());
  EXPECT_EQ(problem.portable_code(), errc::in_doubt) << problem.what();
  answer("commitTransaction", script_answer::failure(64, "waiting for replication timed out"), 1);
  tx = go_(db_->async_begin());
  go_(tx.collection("things").async_insert_one(doc("{}")));
  EXPECT_EQ(failure_of(go_, tx.async_commit()).portable_code(), errc::in_doubt);
  answer("commitTransaction", script_answer::failure(251, "no such transaction", {"TransientTransactionError"}), 1);
  tx = go_(db_->async_begin());
  go_(tx.collection("things").async_insert_one(doc("{}")));
  EXPECT_EQ(failure_of(go_, tx.async_commit()).portable_code(), errc::transaction_aborted);
}

TEST_P(mongodb_transactions, a_deadline_in_the_middle_loses_it) {
  answer("insert", script_answer::silent(), 1);
  auto tx = go_(db_->async_begin());
  const auto things = tx.collection("things");
  const auto late = failure_of(go_, things.async_insert_one(doc("{}"), insert_options().timeout(50ms)));
  EXPECT_EQ(late.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(failure_of(go_, things.async_find_one()).portable_code(), errc::transaction_aborted);
  EXPECT_EQ(failure_of(go_, tx.async_commit()).portable_code(), errc::transaction_aborted);
  EXPECT_EQ(server_.requests("killSessions").size(), 1u);
  go_(db_->collection("things").async_insert_one(doc("{}")));
  EXPECT_FALSE(server_.requests("insert").back().body.contains("autocommit"));
}

TEST_P(mongodb_transactions, cursors_do_not_outlive_it) {
  server_.on_command([](const script_request& request) -> std::optional<script_answer> {
    if (request.name != "find") return std::nullopt;
    return script_answer::batch("scripted.things", {doc(R"({"_id": 1})")}, 5);
  });
  std::optional<mongodb_cursor> cursor;
  {
    auto tx = go_(db_->async_begin());
    cursor.emplace(go_(tx.collection("things").async_find()));
    EXPECT_TRUE(go_(cursor->async_next()));
    go_(tx.async_commit());
  }
  EXPECT_EQ(failure_of(go_, cursor->async_next()).portable_code(), errc::invalid_argument);
  cursor.reset();
  EXPECT_EQ(failure_of(go_, db_->async_run_command(doc(R"({"noSuch": 1})"))).portable_code(), errc::unsupported);
}

TEST_P(mongodb_transactions, none_where_the_server_has_none) {
  mongodb_script alone;
  const auto mgr = make_mongodb_manager(alone.where());
  const auto problem = failure_of(go_, mgr->mongodb("documents").async_begin());
  EXPECT_EQ(problem.portable_code(), errc::unsupported);
  EXPECT_EQ(problem.connection(), "documents");
  EXPECT_FALSE(problem.hint().empty());
  if (!shared_mongodb::where()) return;
  const auto real = make_mongodb_manager(*shared_mongodb::where());
  if (real->get("documents").describe().version.empty()) return;
  try {
    auto tx = real->mongodb("documents").begin();  // a server named by MONGODB_URL may have them
    tx.rollback();
  } catch (const error& refused) {
    EXPECT_EQ(refused.portable_code(), errc::unsupported);
  }
}

}  // namespace
}  // namespace polypool::test
