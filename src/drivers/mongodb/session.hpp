// SPDX-License-Identifier: Apache-2.0
// One session with MongoDB: a single-threaded client of libmongoc, over connections of ours.
#pragma once

#include "drivers/mongodb/native.hpp"
#include "drivers/mongodb/network.hpp"
#include "drivers/mongodb/settings.hpp"

#include <polypool/document.hpp>
#include <polypool/waits.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace polypool::mongodb {

/// A cursor that lives on the server.
struct server_cursor {
  std::int64_t id = 0;  ///< 0: it is over
  std::string database;
  std::string collection;
  std::uint32_t server = 0;  ///< libmongoc's number of the server that has it; 0: the only one
};

class session final : public document_session {
 public:
  /// Opens it; blocks. The environment limits that.
  /// @param own_limit its deadline is connect_timeout, not the caller's
  session(settings how, const environment& env, bool own_limit);
  ~session() override;
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  task<void> probe() override;
  task<void> reset() override;
  bool dirty() const noexcept override;
  bool broken() const noexcept override { return broken_ || network_.waits().closed(); }
  void interrupt() noexcept override { network_.waits().close(); }
  native_handle native() noexcept override;
  task<server_info> describe() override;

  task<document> run(const document_command& what) override;
  task<std::unique_ptr<document_cursor>> open(const document_command& what) override;
  task<write_outcome> write(const document_writes& what) override;

  void begin_transaction(const document_transaction_options& options) override;
  task<void> commit_transaction() override;
  task<void> abort_transaction() override;
  bool in_transaction() const noexcept override { return transaction_ != transaction_state::none; }

 private:
  friend class cursor;
  enum class transaction_state : std::uint8_t {
    none,
    active,
    lost,  ///< its connection is gone, and its owner has to hear of it
  };
  // What a call of libmongoc gave.
  struct answer {
    bson_document reply;
    std::uint32_t server = 0;
  };

  // connection.cpp
  void open_client();
  void attempt(bool encrypted);
  error hung() const;
  void reopen();
  void say_farewell() noexcept;
  void end_on_server(const char* how, const bson_t* logical_session, std::uint32_t server) noexcept;
  void close_client() noexcept;

  // call.cpp: each call of libmongoc is made in a scope of the watch, on a thread that may block
  void attend();
  void send_command(const document_command& what, const environment& env, answer& into);
  void send_once(const bson_t* command, const document_command& what, answer& into);
  void send_plain(const char* database, const bson_t* command, const mongoc_read_prefs_t* from, bson_t* reply);
  void append_session(bson_t* options);
  std::uint32_t choose_server(const document_command& what);
  [[noreturn]] void fail(const bson_error_t& problem, const bson_t* reply, bool changes_data);
  error cut_short(bool changes_data);
  void fail_unless_worth_waiting(const bson_error_t& problem, const bson_t* reply, bool changes_data, time_point until);
  bool worth_repeating(const error& problem, const document_command& what) noexcept;
  bool reconnected() noexcept;
  template <class Work>
  auto guarded(const environment& env, Work&& work);

  std::string position_of_primary();

  // cursor.cpp
  std::unique_ptr<document_cursor> open_now(const document_command& what, const environment& env);
  void fetch_batch(const server_cursor& which, std::int64_t batch_size, bson_t* reply, const environment& env);
  void kill_cursor(const server_cursor& which) noexcept;

  // writes.cpp
  write_outcome write_now(const document_writes& what);
  bool acknowledges(const bson_t* options) const;
  [[noreturn]] void fail_writes(const bson_error_t& problem, const bson_t* reply, const document_writes& what,
                                write_outcome outcome);

  // transaction.cpp
  void commit_now();
  void abort_now();
  void require_whole_transaction() const;
  bool is_standalone() const;

  settings how_;
  network network_;
  native_ptr<mongoc_client_t> client_;
  native_ptr<mongoc_client_session_t> own_;  // null where the server keeps no sessions; goes before the client
  native_ptr<mongoc_read_prefs_t> primary_;
  std::vector<server_cursor> abandoned_;  // of cursors that were destroyed early
  int open_cursors_ = 0;
  std::uint64_t generation_ = 0;  // how often it has connected
  transaction_state transaction_ = transaction_state::none;
  bool own_limit_ = false;  // the time to connect is limited by connect_timeout
  bool cut_off_ = false;    // a call was ended early, and its connection with it
  bool native_used_ = false;
  bool broken_ = false;
};

/// The documents of one answer after the other.
class cursor final : public document_cursor {
 public:
  /// @param reply of the command; taken over
  cursor(session& owner, std::unique_ptr<bson_document> reply, server_cursor where, std::int64_t batch_size,
         json_form form);
  ~cursor() override;
  bool take(document& into) override;
  task<bool> fetch() override;
  task<void> finish() override;

 private:
  bool fetch_now(const environment& env);
  void read_batch(const char* name);
  void require_same_connection() const;
  void end() noexcept;

  session* owner_;
  std::unique_ptr<bson_document> reply_;
  bson_iter_t at_{};  // before the next document
  bool more_ = false;
  server_cursor where_;
  std::int64_t batch_size_;
  std::uint64_t generation_;
  json_form form_;
};

}  // namespace polypool::mongodb
