// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// What a driver for a document database implements: commands, cursors, writes and transactions over JSON documents.
#pragma once

#include <polypool/driver.hpp>
#include <polypool/error.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool {

/// One document as MongoDB's extended JSON: what JSON has no type for is an object such as
/// `{"$oid": "65f1…"}` or `{"$date": "2024-02-29T12:00:00Z"}`; polypool/bson_values.hpp makes and reads them.
using document = boost::json::object;

/// How values come back. `relaxed` writes numbers and dates as people do; `canonical` keeps the type of every number
/// apart (`{"$numberInt": "5"}`, `{"$numberLong": "5"}`, `{"$numberDouble": "5.0"}`). Both are always read.
enum class json_form : std::uint8_t { relaxed, canonical };

/// Which members of a replica set may answer a read.
enum class read_preference : std::uint8_t { primary, primary_preferred, secondary, secondary_preferred, nearest };

/// As MongoDB spells it: "primaryPreferred".
std::string_view to_string(read_preference preference) noexcept;
/// Knows `primaryPreferred` and `primary_preferred`, in any case. Nothing when unknown.
std::optional<read_preference> parse_read_preference(std::string_view text) noexcept;

/// A command for the server. Everything it refers to outlives the call.
struct document_command {
  /// What it does to data; decides which server gets it, and what may be done when the connection breaks.
  enum class access_type : std::uint8_t {
    read,   ///< changes nothing: goes where the read preference says, and may be run again
    write,  ///< goes to the primary
    any,    ///< nobody knows: goes to the primary, never run again
  };
  std::string_view database;
  const document* body = nullptr;  ///< its first member names the command
  access_type access = access_type::any;
  std::optional<read_preference> from;  ///< nothing: as the connection is configured
  json_form form = json_form::relaxed;
  /// Tells the server the task's deadline (`maxTimeMS`), so that it gives up by itself and the session stays whole.
  bool limited_on_server = false;
};

/// The documents of a command that answered with a cursor, fetched in batches as they are asked for. One that is
/// destroyed before its end leaves its session dirty. Must not outlive its session.
class document_cursor {
 public:
  virtual ~document_cursor() = default;
  /// Takes the next document of those that were fetched. Waits for nothing.
  /// @return false when there is none: fetch() more
  virtual bool take(document& into) = 0;
  /// Fetches the next batch, which may be empty (a tailable cursor's). @return false at the end
  virtual task<bool> fetch() = 0;
  /// Ends it early on the server, too.
  virtual task<void> finish() = 0;
};

/// One write. Made by the named functions.
struct document_write {
  enum class action_type : std::uint8_t { insert, update_one, update_many, replace_one, delete_one, delete_many };
  action_type action = action_type::insert;
  document filter;            ///< which documents; not for insert
  boost::json::value change;  ///< the document to insert or put in place, the update or its pipeline
  document options;           ///< `upsert`, `hint`, `collation`, `arrayFilters` …

  /// Inserts a document.
  static document_write insert(document what) { return {action_type::insert, {}, std::move(what), {}}; }
  /// Changes the first document that matches. @param update operators, or a pipeline
  static document_write update_one(document filter, boost::json::value update, document options = {}) {
    return {action_type::update_one, std::move(filter), std::move(update), std::move(options)};
  }
  /// Changes all documents that match.
  static document_write update_many(document filter, boost::json::value update, document options = {}) {
    return {action_type::update_many, std::move(filter), std::move(update), std::move(options)};
  }
  /// Puts a document in the place of the first that matches.
  static document_write replace_one(document filter, document replacement, document options = {}) {
    return {action_type::replace_one, std::move(filter), std::move(replacement), std::move(options)};
  }
  /// Deletes the first document that matches.
  static document_write delete_one(document filter, document options = {}) {
    return {action_type::delete_one, std::move(filter), nullptr, std::move(options)};
  }
  /// Deletes all documents that match.
  static document_write delete_many(document filter, document options = {}) {
    return {action_type::delete_many, std::move(filter), nullptr, std::move(options)};
  }
};

/// Several writes to one collection. Everything it refers to outlives the call.
struct document_writes {
  std::string_view database;
  std::string_view collection;
  const std::vector<document_write>* writes = nullptr;
  bool ordered = true;                ///< stops at the first failure; else the others are still tried
  const document* options = nullptr;  ///< `writeConcern`, `bypassDocumentValidation`, `comment`, `let`; may be null
  json_form form = json_form::relaxed;
};

/// What writes came to.
struct write_outcome {
  std::uint64_t inserted = 0;
  std::uint64_t matched = 0;
  std::uint64_t modified = 0;
  std::uint64_t deleted = 0;
  /// `_id` of each document inserted, in their order; made here where the document had none.
  std::vector<boost::json::value> inserted_ids;
  /// Which writes of the list inserted a document because nothing matched, with its `_id`.
  std::vector<std::pair<std::size_t, boost::json::value>> upserted_ids;
  bool acknowledged = true;  ///< false with the write concern `w: 0`: nothing else is known then
};

/// Some writes of several failed.
class document_write_error : public error {
 public:
  struct failure {
    std::size_t index = 0;  ///< in the list of writes
    int native_code = 0;    ///< the server's
    std::string message;
  };
  /// @param cause what the caller gets to read @param outcome, failures what happened to each
  document_write_error(const error& cause, write_outcome outcome, std::vector<failure> failures)
      : error(cause),
        outcome_(std::make_shared<write_outcome>(std::move(outcome))),
        failures_(std::make_shared<std::vector<failure>>(std::move(failures))) {}
  /// What the others came to. `inserted_ids` has those of documents that were inserted.
  const write_outcome& outcome() const noexcept { return *outcome_; }
  /// Those that failed, by their place in the list.
  const std::vector<failure>& failures() const noexcept { return *failures_; }

 private:
  std::shared_ptr<const write_outcome> outcome_;  // shared: copying an exception must not throw
  std::shared_ptr<const std::vector<failure>> failures_;
};

/// How a transaction of a document database begins.
struct document_transaction_options {
  std::string read_concern;   ///< `local`, `majority`, `snapshot`; empty: the server's default
  std::string write_concern;  ///< `majority`, or a number of members; empty: the server's default
};

/// A session with a document database.
///
/// A deadline or stop that strikes while the server is at work ends the connection to it (the protocol has no way to
/// take a command back), and the server ends the command when it notices. reset(), or the next operation, connects
/// anew. Commands that are `limited_on_server` are ended by the server first, and the connection stays.
class document_session : public session {
 public:
  /// Runs a command and gives its answer. Throws what the server said.
  virtual task<document> run(const document_command& what) = 0;
  /// Runs a command that answers with a cursor (`find`, `aggregate`, `listCollections` …).
  virtual task<std::unique_ptr<document_cursor>> open(const document_command& what) = 0;
  /// Runs writes, split into as many messages as the server takes. Throws document_write_error when some failed.
  virtual task<write_outcome> write(const document_writes& what) = 0;

  /// Begins a transaction: everything this session runs is part of it from now on. Asks the server nothing yet.
  /// Throws `unsupported` where there are none (a server that is not part of a replica set).
  virtual void begin_transaction(const document_transaction_options& options) = 0;
  /// Makes what it did lasting. Throws in_doubt when the connection broke so that nobody knows.
  virtual task<void> commit_transaction() = 0;
  /// Ends it as if it had not been.
  virtual task<void> abort_transaction() = 0;
  /// Whether one has begun and has not ended.
  virtual bool in_transaction() const noexcept = 0;
};

}  // namespace polypool
