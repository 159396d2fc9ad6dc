// SPDX-License-Identifier: Apache-2.0
// What every call to MongoDB has in common: where it goes, its deadline, its session, its counting, its errors'
// context.
#pragma once

#include "manager/call_guard.hpp"

#include <polypool/mongodb_database.hpp>

namespace polypool::detail {

struct document_transaction;

/// What a handle stands for. Shared by all handles made from it.
struct document_target {
  std::shared_ptr<manager_core> core;
  connection_pointer state;                  // null: the active one
  std::shared_ptr<const call> how;           // null: as configured
  std::string database;                      // empty: as the connection is configured
  std::shared_ptr<document_transaction> tx;  // null: outside of a transaction
};
using target_pointer = std::shared_ptr<const document_target>;

struct document_transaction {
  target_pointer target;  // of the handle that began it; has no transaction itself
  call_context context;
  lease session;
  call_places places;
  bool over = false;
  std::vector<document_stream*> streams;  // open now

  document_session& documents() const { return static_cast<document_session&>(session.session()); }
  void require_running(std::string_view operation) const;
  /// Lets go of the session, and of the cursors over it before.
  void end() noexcept;
};

struct document_stream {
  call_context context;
  lease session;                             // empty in a transaction
  call_places places;                        // as well
  std::shared_ptr<document_transaction> tx;  // null outside
  std::unique_ptr<document_cursor> source;
  bool over = false;
  bool cut_off = false;  // its transaction ended first

  document_stream() = default;
  document_stream(const document_stream&) = delete;
  ~document_stream() { let_go(); }
  void let_go() noexcept;
};

/// One command and how it is sent.
struct document_request {
  document body;
  document_command::access_type access = document_command::access_type::any;
  std::optional<read_preference> from;
  json_form form = json_form::relaxed;
  std::optional<duration> timeout;
  bool limited_on_server = true;

  /// Takes over what options say.
  template <class Options>
  void apply(const Options& how) {
    for (const auto& each : how.fields()) body.insert_or_assign(each.key(), each.value());
    form = how.form();
    timeout = how.timeout();
    if constexpr (requires { how.from(); }) from = how.from();
  }
};

/// Where a call goes, with the limit of its own. Throws as target_of does, and when its transaction is over.
call_context context_of(const document_target& target, std::optional<duration> timeout, std::string_view operation);

/// Throws invalid_argument when neither the handle nor the connection names a database.
std::string database_of(const document_target& target, const call_context& context, std::string_view operation);

/// Runs a command and gives its answer.
task<document> run_document(target_pointer target, document_request request, std::string_view operation);

/// Runs a command whose answer is a cursor.
task<std::unique_ptr<document_stream>> open_documents(target_pointer target, document_request request,
                                                      std::string_view operation);
task<std::vector<document>> all_documents(target_pointer target, document_request request, std::string_view operation);

/// Writes, as options say.
task<write_outcome> write_documents(target_pointer target, std::string collection, std::vector<document_write> writes,
                                    insert_options how, std::string_view operation);

/// Fetches until there is a document.
task<std::optional<document>> next_document(document_stream& stream);
task<std::vector<document>> rest_of(document_stream& stream);
task<void> close_documents(document_stream& stream);

/// Blocks the calling thread, on the target's clock.
template <class T>
T run_blocking(clock& time, task<T> work) {
  return run(std::move(work), blocking_environment(time));
}

/// Runs a call of a transaction: gives an error its connection and operation, counts the call, and goes on with the
/// error if there is one. The error keeps its type.
template <class T>
task<T> counted(const call_context& context, task<T> work, const environment& env, std::string_view operation) {
  task<T> child = std::move(work);
  const auto started = context.state->time().now();
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(child).in(env);
      note_call(context, started, nullptr);
      co_return;
    } else {
      T out = co_await std::move(child).in(env);
      note_call(context, started, nullptr);
      co_return std::move(out);
    }
  } catch (error& problem) {
    note_call(context, started, &problem);
    problem.at(context.state->name(), context.operation(operation));
    throw;
  }
}

}  // namespace polypool::detail
