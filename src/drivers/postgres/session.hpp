// SPDX-License-Identifier: Apache-2.0
// One session with a PostgreSQL server, over libpq's non-blocking calls.
#pragma once

#include "driver/postgres_words.hpp"
#include "driver/server_link.hpp"
#include "driver/statement_cache.hpp"
#include "drivers/postgres/native.hpp"
#include "drivers/postgres/parameters.hpp"
#include "drivers/postgres/rows.hpp"

#include <polypool/driver.hpp>
#include <polypool/waits.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace polypool::postgres {

/// A statement that the server keeps for us.
struct prepared_statement {
  std::string name;
  statement_kind kind;
  result_shape shape;
};

class session final : public sql_session {
 public:
  /// @param connection made and authenticated @param place for messages, such as "127.0.0.1:5432"
  session(connection_ptr connection, const endpoint& where, std::string place);
  ~session() override;
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Settings that the connection could not bring along (behind a pooler): made now and after each reset.
  task<void> settle();

  task<void> probe() override;
  task<void> reset() override;
  bool dirty() const noexcept override;
  bool broken() const noexcept override;
  void interrupt() noexcept override { link_.interrupt(); }
  native_handle native() noexcept override;
  task<server_info> describe() override;

  task<result> execute(statement what) override;
  task<std::unique_ptr<cursor>> open(statement what) override;
  task<void> execute_script(std::string_view text) override;
  transaction_state transaction() const noexcept override;
  polypool::dialect dialect() const noexcept override { return polypool::dialect::postgres; }
  std::string begin_statement(const transaction_options& options) const override;

 private:
  friend class row_cursor;

  // Before an operation: throws when the session or the task is at its end; sees to what is left of earlier ones.
  bool needs_attention() const noexcept { return busy_ || native_used_; }
  task<void> attend();
  void take_over();

  // One exchange: something is sent, then what comes back is read to its end.
  void sent(int accepted);
  task<void> flush();
  task<wait_result> receive();
  task<void> await_input();
  task<result_ptr> complete();
  task<void> refuse_copy(ExecStatusType direction);
  void note_answer(result_ptr& kept, result_ptr next);

  // Statements.
  prepared_statement* cached(std::string_view text) noexcept;
  bool prepares_now() const noexcept;
  task<prepared_statement*> prepare(std::string_view text);
  task<void> evict();
  task<void> forget(std::string_view text);
  void send_statement(const prepared_statement* known, std::string_view text);
  void note_kind(const statement_kind& kind) noexcept;
  void after_success(const statement_kind& kind) noexcept;
  task<void> simple(const char* text);

  // After trouble.
  error failure(const PGresult* answer, std::size_t parameters = 0);
  error lost(std::string_view words, std::string_view sqlstate);
  task<void> recover();
  task<bool> try_recover();
  bool drain_available();
  task<void> drain();
  task<void> cancel();
  task<void> reset_now();
  bool tls_has_input() const noexcept;

  connection_ptr connection_;
  PGconn* raw_;
  server_link link_;
  std::string settings_;
  statement_cache<prepared_statement> cache_;
  parameter_list parameters_;
  std::uint64_t next_name_ = 0;
  std::uint64_t exchange_ = 0;   // tells a cursor that its statement is over
  bool in_transaction_ = false;  // when the running statement was sent
  bool busy_ = false;            // sent, and not yet read to its end
  bool touched_ = false;         // a statement may have left something behind
  bool foreign_statements_ = false;
  bool tells_position_ = true;  // knows the functions that give places in the log
  bool native_used_ = false;
  bool read_only_wanted_ = false;
  bool copy_refused_ = false;
  bool stale_ = false;  // the last failure was that of a stale statement
  bool retired_ = false;
};

}  // namespace polypool::postgres
