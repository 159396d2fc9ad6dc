// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Talking to MongoDB: databases, collections, cursors, transactions. Each call exists blocking and, with `async_`
/// before it, as a task.
#pragma once

#include <polypool/mongodb_options.hpp>
#include <polypool/pool.hpp>
#include <polypool/sql.hpp>

#include <concepts>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace polypool {

class mongodb_transaction;
namespace detail {
struct document_target;
struct document_stream;
struct document_transaction;
/// Whether a transaction that failed like this may be run again.
bool worth_repeating(const error& problem, int attempt) noexcept;
}  // namespace detail

/// What an insert of one document came to.
struct insert_result {
  boost::json::value id;  ///< the document's `_id`, made here when it had none
  bool acknowledged = true;
};
/// What an insert of several documents came to.
struct insert_many_result {
  std::vector<boost::json::value> ids;  ///< in the order of the documents
  bool acknowledged = true;
};
/// What an update or a replacement came to.
struct update_result {
  std::uint64_t matched = 0;
  std::uint64_t modified = 0;
  std::optional<boost::json::value> upserted_id;  ///< of the document that was inserted because none matched
  bool acknowledged = true;
};
/// What a deletion came to.
struct delete_result {
  std::uint64_t deleted = 0;
  bool acknowledged = true;
};

/// Documents fetched as they are asked for, in constant memory. Holds a session until it is read to the end, closed or
/// destroyed. Movable; one thread or task at a time; outlives the tasks it gives.
class mongodb_cursor {
 public:
  mongodb_cursor(mongodb_cursor&&) noexcept;
  mongodb_cursor& operator=(mongodb_cursor&&) noexcept;
  ~mongodb_cursor();

  /// The next document; nothing at the end.
  std::optional<document> next();
  /// next() as a task.
  task<std::optional<document>> async_next();
  /// All that are left.
  std::vector<document> all();
  /// all() as a task.
  task<std::vector<document>> async_all();
  /// Ends it early on the server, too, and gives the session back.
  void close();
  /// close() as a task.
  task<void> async_close();

  /// For `for (auto& article : articles.find(…))`.
  class iterator {
   public:
    explicit iterator(mongodb_cursor* from) : from_(from) { ++*this; }
    document& operator*() { return *current_; }
    document* operator->() { return &*current_; }
    iterator& operator++() {
      current_ = from_->next();
      return *this;
    }
    bool operator==(std::default_sentinel_t) const noexcept { return !current_; }

   private:
    mongodb_cursor* from_;
    std::optional<document> current_;
  };
  /// Fetches the first document. To be called once: it goes on where next() is.
  iterator begin() { return iterator(this); }
  /// The end: no document came any more.
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend class mongodb_collection;
  friend class mongodb_database;
  explicit mongodb_cursor(std::unique_ptr<detail::document_stream> state) noexcept;
  static task<mongodb_cursor> made_by(task<std::unique_ptr<detail::document_stream>> work);
  std::unique_ptr<detail::document_stream> state_;
};

/// The documents of one collection. Cheap to copy, safe to share between threads unless it belongs to a transaction.
///
/// Documents, filters, updates and pipelines are JSON; see polypool/bson_values.hpp for what JSON has no type for.
/// Errors: what the server said (`unique_violation`, `check_violation`, `syntax_error` …; native_code() is its number),
/// `invalid_value` and `invalid_argument` for what cannot be sent, `pool_timeout`, `deadline_exceeded`,
/// `connection_lost`, `unsupported`. Writes that fail throw document_write_error, which says what the others came to.
class mongodb_collection {
 public:
  /// Its name, without the database's.
  const std::string& name() const noexcept { return name_; }

  /// `find`. @param filter such as `{"author": "Ada"}`; empty: all @return the documents that match, as they are read
  mongodb_cursor find(document filter = {}, find_options how = {}) const;
  /// find() as a task.
  task<mongodb_cursor> async_find(document filter = {}, find_options how = {}) const;
  /// `find` of one document: the first that matches. @return nothing when none does
  std::optional<document> find_one(document filter = {}, find_options how = {}) const;
  /// find_one() as a task.
  task<std::optional<document>> async_find_one(document filter = {}, find_options how = {}) const;
  /// `aggregate`. @param pipeline stages such as `{"$match": {…}}` @return what the last one gives, as it is read
  mongodb_cursor aggregate(boost::json::array pipeline, aggregate_options how = {}) const;
  /// aggregate() as a task.
  task<mongodb_cursor> async_aggregate(boost::json::array pipeline, aggregate_options how = {}) const;
  /// Counts documents one by one.
  std::uint64_t count_documents(document filter = {}, count_options how = {}) const;
  /// count_documents() as a task.
  task<std::uint64_t> async_count_documents(document filter = {}, count_options how = {}) const;
  /// What the server remembers; fast, and wrong after a crash or in a sharded cluster.
  std::uint64_t estimated_document_count(count_options how = {}) const;
  /// estimated_document_count() as a task.
  task<std::uint64_t> async_estimated_document_count(count_options how = {}) const;
  /// The different values of a member.
  boost::json::array distinct(std::string member, document filter = {}, count_options how = {}) const;
  /// distinct() as a task.
  task<boost::json::array> async_distinct(std::string member, document filter = {}, count_options how = {}) const;

  /// `insert` of one document; it gets an ObjectId where it has no `_id`.
  insert_result insert_one(document what, insert_options how = {}) const;
  /// insert_one() as a task.
  task<insert_result> async_insert_one(document what, insert_options how = {}) const;
  /// `insert`, in as few messages as they fit. Throws document_write_error when some were not inserted.
  insert_many_result insert_many(std::vector<document> documents, insert_options how = {}) const;
  /// insert_many() as a task.
  task<insert_many_result> async_insert_many(std::vector<document> documents, insert_options how = {}) const;
  /// `update` of the first document that matches.
  /// @param update operators such as `{"$set": {…}}`, or a pipeline
  update_result update_one(document filter, boost::json::value update, update_options how = {}) const;
  /// update_one() as a task.
  task<update_result> async_update_one(document filter, boost::json::value update, update_options how = {}) const;
  /// `update` of all documents that match; as update_one() else.
  update_result update_many(document filter, boost::json::value update, update_options how = {}) const;
  /// update_many() as a task.
  task<update_result> async_update_many(document filter, boost::json::value update, update_options how = {}) const;
  /// `update` that puts another document in the place of the first that matches. It keeps its `_id`.
  update_result replace_one(document filter, document replacement, update_options how = {}) const;
  /// replace_one() as a task.
  task<update_result> async_replace_one(document filter, document replacement, update_options how = {}) const;
  /// `delete` of the first document that matches.
  delete_result delete_one(document filter, update_options how = {}) const;
  /// delete_one() as a task.
  task<delete_result> async_delete_one(document filter, update_options how = {}) const;
  /// `delete` of all documents that match.
  /// Throws invalid_argument for a filter that matches everything; drop() is the way to want that, or
  /// `{"_id": {"$exists": true}}`.
  delete_result delete_many(document filter, update_options how = {}) const;
  /// delete_many() as a task.
  task<delete_result> async_delete_many(document filter, update_options how = {}) const;
  /// Many writes of all kinds, in as few messages as they fit.
  write_outcome bulk_write(std::vector<document_write> writes, insert_options how = {}) const;
  /// bulk_write() as a task.
  task<write_outcome> async_bulk_write(std::vector<document_write> writes, insert_options how = {}) const;

  /// `findAndModify`: updates one document.
  /// The document as it was, or as it is then (return_after); nothing when none matched.
  std::optional<document> find_one_and_update(document filter, boost::json::value update,
                                              modify_options how = {}) const;
  /// find_one_and_update() as a task.
  task<std::optional<document>> async_find_one_and_update(document filter, boost::json::value update,
                                                          modify_options how = {}) const;
  /// `findAndModify`: replaces one document. @return as find_one_and_update()
  std::optional<document> find_one_and_replace(document filter, document replacement, modify_options how = {}) const;
  /// find_one_and_replace() as a task.
  task<std::optional<document>> async_find_one_and_replace(document filter, document replacement,
                                                           modify_options how = {}) const;
  /// `findAndModify`: deletes one document. @return what it was; nothing when none matched
  std::optional<document> find_one_and_delete(document filter, modify_options how = {}) const;
  /// find_one_and_delete() as a task.
  task<std::optional<document>> async_find_one_and_delete(document filter, modify_options how = {}) const;

  /// `createIndexes` of one index; does nothing when it is there already.
  /// @param keys such as `{"author": 1, "date": -1}` @return its name
  std::string create_index(document keys, index_options how = {}) const;
  /// create_index() as a task.
  task<std::string> async_create_index(document keys, index_options how = {}) const;
  /// `dropIndexes` of one index. Throws what the server says when there is none of that name.
  void drop_index(std::string name) const;
  /// drop_index() as a task.
  task<void> async_drop_index(std::string name) const;
  /// `dropIndexes` of all but that of `_id`.
  void drop_indexes() const;
  /// drop_indexes() as a task.
  task<void> async_drop_indexes() const;
  /// `listIndexes`. @return none for a collection that does not exist
  std::vector<document> list_indexes() const;
  /// list_indexes() as a task.
  task<std::vector<document>> async_list_indexes() const;

  /// Removes it with all its documents and indexes. Does nothing when it does not exist.
  void drop() const;
  /// drop() as a task.
  task<void> async_drop() const;
  /// Sizes and counts, as the server tells them.
  document stats() const;
  /// stats() as a task.
  task<document> async_stats() const;

 private:
  friend class mongodb_database;
  friend class mongodb_transaction;
  mongodb_collection(std::shared_ptr<const detail::document_target> target, std::string name);
  clock& time() const;
  std::shared_ptr<const detail::document_target> target_;
  std::string name_;
};

/// A handle to a database of MongoDB: cheap to copy, safe to share between threads unless it belongs to a transaction.
/// An unnamed one goes to whatever connection is active at each call; a named one to that connection, also after it was
/// removed and registered again.
class mongodb_database {
 public:
  /// The connection's name now. Throws no_default_connection.
  std::string name() const;
  /// The same database, with calls made this way.
  mongodb_database with(call how) const;
  /// Another database of the same server; without this, the one that the connection is configured with.
  mongodb_database in(std::string database) const;

  /// A collection of this database; the server makes it with its first document.
  mongodb_collection collection(std::string name) const;
  /// Runs any command that does not answer with a cursor. Its first member names it.
  document run_command(document command, command_options how = {}) const;
  /// run_command() as a task.
  task<document> async_run_command(document command, command_options how = {}) const;
  /// Runs a pipeline that begins with a stage of its own, such as `$currentOp`.
  mongodb_cursor aggregate(boost::json::array pipeline, aggregate_options how = {}) const;
  /// aggregate() as a task.
  task<mongodb_cursor> async_aggregate(boost::json::array pipeline, aggregate_options how = {}) const;

  /// `create`. Throws what the server says when there is one of that name.
  /// @param options such as `{"capped": true, "size": 1048576}` or a `validator`
  mongodb_collection create_collection(std::string name, document options = {}) const;
  /// create_collection() as a task.
  task<mongodb_collection> async_create_collection(std::string name, document options = {}) const;
  /// Does nothing when it does not exist.
  void drop_collection(std::string name) const;
  /// drop_collection() as a task.
  task<void> async_drop_collection(std::string name) const;
  /// `listCollections`. @param filter such as `{"type": "view"}` @return name, type and options of each
  std::vector<document> list_collections(document filter = {}) const;
  /// list_collections() as a task.
  task<std::vector<document>> async_list_collections(document filter = {}) const;
  /// The names of its collections and views.
  std::vector<std::string> collection_names() const;
  /// collection_names() as a task.
  task<std::vector<std::string>> async_collection_names() const;
  /// Removes the whole database.
  void drop() const;
  /// drop() as a task.
  task<void> async_drop() const;
  /// `dbStats`: sizes and counts, as the server tells them.
  document stats() const;
  /// stats() as a task.
  task<document> async_stats() const;

  /// Begins a transaction. Throws `unsupported` where the server has none: they take a replica set or a sharded
  /// cluster.
  mongodb_transaction begin(document_transaction_options options = {},
                            std::source_location where = std::source_location::current()) const;
  /// begin() as a task.
  task<mongodb_transaction> async_begin(document_transaction_options options = {},
                                        std::source_location where = std::source_location::current()) const;
  /// Runs `work(tx)` in a transaction and commits when it returns; rolls back when it throws. Transactions that clash
  /// are run again, up to five times in all, so `work` must not do anything else that counts.
  template <std::invocable<mongodb_transaction&> Work>
  auto transact(Work&& work, const document_transaction_options& options = {}) const;

  /// Borrows a session from the same pool, for the native driver.
  polypool::lease lease(std::source_location where = std::source_location::current()) const;
  /// lease() as a task.
  task<polypool::lease> async_lease(std::source_location where = std::source_location::current()) const;

 private:
  friend class manager;
  friend class connection;
  friend class mongodb_transaction;
  explicit mongodb_database(std::shared_ptr<const detail::document_target> target) noexcept;
  clock& time() const;
  std::shared_ptr<const detail::document_target> target_;
};

/// A transaction on one session. Its destructor rolls back, never commits. Movable; one thread or task at a time.
class mongodb_transaction {
 public:
  mongodb_transaction(mongodb_transaction&&) noexcept;
  mongodb_transaction& operator=(mongodb_transaction&&) noexcept;
  ~mongodb_transaction();

  /// A collection; what is done through it is part of the transaction. It throws once that is over.
  mongodb_collection collection(std::string name) const;
  /// The database; what is done through it is part of the transaction as well.
  mongodb_database database() const;
  /// Throws in_doubt when the connection broke so that nobody knows.
  void commit();
  /// commit() as a task.
  task<void> async_commit();
  /// `abortTransaction`: nothing of it happened.
  void rollback();
  /// rollback() as a task.
  task<void> async_rollback();

 private:
  friend class mongodb_database;
  explicit mongodb_transaction(std::shared_ptr<detail::document_transaction> state) noexcept;
  static task<mongodb_transaction> made_by(task<std::shared_ptr<detail::document_transaction>> work);
  std::shared_ptr<detail::document_transaction> state_;
};

template <std::invocable<mongodb_transaction&> Work>
auto mongodb_database::transact(Work&& work, const document_transaction_options& options) const {
  for (int attempt = 1;; ++attempt) {
    auto tx = begin(options);
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Work&, mongodb_transaction&>>) {
        work(tx);
        tx.commit();
        return;
      } else {
        auto out = work(tx);
        tx.commit();
        return out;
      }
    } catch (const error& problem) {
      if (!detail::worth_repeating(problem, attempt)) throw;
    }
  }
}

}  // namespace polypool
