// SPDX-License-Identifier: Apache-2.0
// What every SQL call has in common: its session, its counting, its errors' context.
#pragma once

#include "manager/call_guard.hpp"

#include <polypool/sql.hpp>

namespace polypool::detail {

/// Runs a statement on a transaction's session in the given environment; counts it and gives errors their context.
task<result> execute_on(const call_context& context, sql_session& on, statement what, const environment& env);

struct stream_state;

struct transaction_state {
  call_context context;
  lease session;
  call_places places;
  bool over = false;
  std::size_t depth = 0;               // savepoints open now
  std::uint64_t serial = 0;            // for the names of savepoints
  std::string undo_to;                 // a savepoint whose destructor asked to go back; done before the next statement
  std::vector<stream_state*> streams;  // open now
  std::vector<std::unique_ptr<cursor>> unfinished;  // of streams destroyed early; ended before the next statement

  sql_session& sql() const { return static_cast<sql_session&>(session.session()); }
  void require_running(std::string_view operation) const;
  /// Takes their cursors from streams that are still open; they say so from then on.
  void cut_streams() noexcept;
  /// Lets go of the session, and of the cursors over it before.
  void end() noexcept;
};

/// Does what destructors of savepoints and streams asked for.
task<void> settle(transaction_state& tx);
task<result> execute_in(transaction_state& tx, statement what);

struct stream_state {
  call_context context;
  lease session;                          // empty in a transaction's stream
  call_places places;                     // as well
  std::shared_ptr<transaction_state> tx;  // null outside a transaction
  std::unique_ptr<cursor> source;
  std::shared_ptr<const column_list> columns;
  std::shared_ptr<const row_block> block;
  std::size_t next = 0;
  std::uint64_t affected = 0;
  bool over = false;
  bool cut_off = false;  // its transaction ended first

  stream_state() = default;
  stream_state(const stream_state&) = delete;
  ~stream_state();
  /// Gives the session back, or the transaction its word that nothing runs any more.
  void let_go() noexcept;
};

/// Opens a cursor on a session; the stream takes the lease, or shares the transaction.
task<std::unique_ptr<stream_state>> open_stream(std::unique_ptr<stream_state> stream, statement what);
task<std::optional<row>> next_row(stream_state& stream);
task<void> close_stream(stream_state& stream);

}  // namespace polypool::detail
