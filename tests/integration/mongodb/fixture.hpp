// SPDX-License-Identifier: Apache-2.0
// What the tests of the driver share.
#pragma once

#include "support/mongodb_server.hpp"
#include "support/ways.hpp"

#include <polypool/bson_values.hpp>
#include <polypool/mongodb.hpp>
#include <polypool/task.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool::test {

using namespace std::chrono_literals;

/// A document written as JSON.
inline document doc(std::string_view text) { return boost::json::parse(text).as_object(); }

/// A session with the tests' usual calls.
class mongodb_client {
 public:
  mongodb_client(runner& go, const endpoint& where);
  document_session& session() { return *session_; }
  document_session* operator->() { return session_.get(); }

  using access = document_command::access_type;
  document run(const document& body, access how = access::any, json_form form = json_form::relaxed) {
    return go_(session_->run(command(body, how, form)));
  }
  document run(std::string_view body, access how = access::any) { return run(doc(body), how); }
  error failure(const document& body, access how = access::any) {
    return failure_of(go_, session_->run(command(body, how)));
  }
  error failure(std::string_view body, access how = access::any) { return failure(doc(body), how); }
  std::unique_ptr<document_cursor> open(const document& body, json_form form = json_form::relaxed) {
    return go_(session_->open(command(body, access::read, form)));
  }
  std::unique_ptr<document_cursor> open(std::string_view body) { return open(doc(body)); }
  /// All documents of a command that answers with a cursor.
  std::vector<document> all(const document& body, json_form form = json_form::relaxed);
  std::vector<document> all(std::string_view body) { return all(doc(body)); }
  /// What is left in a cursor.
  std::vector<document> rest(document_cursor& from);
  write_outcome write(const std::string& collection, std::vector<document_write> writes, bool ordered = true);
  void insert(const std::string& collection, std::vector<document> documents);
  void reset() { go_(session_->reset()); }
  void close() { session_.reset(); }
  /// Does not own the body.
  document_command command(const document& body, access how = access::any, json_form form = json_form::relaxed) const {
    document_command out;
    out.database = database_;
    out.body = &body;
    out.access = how;
    out.form = form;
    return out;
  }
  const std::string& database() const noexcept { return database_; }

 private:
  runner& go_;
  std::string database_;
  std::unique_ptr<document_session> session_;
};

/// Opens a session that speaks documents. Throws what the driver throws.
std::unique_ptr<document_session> connect_mongodb(runner& go, const endpoint& where);

class mongodb_ways : public mongodb_test, public ::testing::WithParamInterface<way> {
 protected:
  mongodb_ways() : go_(GetParam()) {}
  mongodb_client make_client() { return {go_, playground_->endpoint()}; }
  runner go_;
};

}  // namespace polypool::test
