// SPDX-License-Identifier: Apache-2.0
// One session with a MySQL or MariaDB server, over Connector/C's non-blocking calls.
#pragma once

#include "driver/server_link.hpp"
#include "driver/statement_cache.hpp"
#include "drivers/mysql/errors.hpp"
#include "drivers/mysql/native.hpp"
#include "drivers/mysql/parameters.hpp"
#include "drivers/mysql/patient_reads.hpp"
#include "drivers/mysql/rows.hpp"
#include "drivers/mysql/settings.hpp"
#include "drivers/mysql/statement_kind.hpp"

#include <polypool/driver.hpp>
#include <polypool/waits.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::mysql {

/// How long a session may take to end a statement that nobody waits for any more.
inline constexpr auto recovery_limit = std::chrono::seconds(5);

/// A statement that the server keeps for us.
struct prepared_statement {
  prepared_ptr handle;
  std::vector<std::uint16_t> order;  ///< for each `?`, which value it takes
  std::size_t expected = 0;          ///< how many values it takes
  statement_kind kind;
  result_shape shape;
};

class session final : public sql_session {
 public:
  /// @param connection made and authenticated
  session(connection_ptr connection, settings how, const endpoint& where);
  ~session() override;
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Learns which server it talks to, and gives the session its settings.
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
  task<void> begin(transaction_options options) override;
  transaction_state transaction() const noexcept override;
  polypool::dialect dialect() const noexcept override { return polypool::dialect::mysql; }
  std::string begin_statement(const transaction_options& options) const override;

 private:
  friend class row_cursor;
  enum class step { other, prepare, fetch, store };

  // Before an operation: sees to what is left of earlier ones.
  bool needs_attention() const noexcept { return busy_ || native_used_ || several_; }
  task<void> attend();
  void take_over();

  // One exchange with the server: something is sent, then what comes back is read to its end.
  void sending(MYSQL_STMT* running) noexcept;
  task<void> wait();
  void require(bool succeeded, MYSQL_STMT* prepared = nullptr);
  void finished() noexcept;
  void note_changes() noexcept;
  bool results_pending() const noexcept;
  error failure(MYSQL_STMT* prepared = nullptr);
  bool transaction_is_doubtful() const noexcept { return ask_for_transaction_; }
  task<void> learn_of_transaction();

  // Statements.
  sql_dialect text_dialect() const noexcept;
  prepared_statement* cached(std::string_view text) noexcept;
  task<prepared_statement*> obtain(std::string_view text, statement_kind kind);
  task<prepared_statement*> send_anew(prepared_statement& stale, statement what);
  task<prepared_statement> prepare(std::string_view text, statement_kind kind);
  task<unsigned int> prepare_raw();
  task<void> close(MYSQL_STMT* old);
  task<void> evict(std::size_t count);
  task<void> forget(std::string_view text);
  task<void> drop_once();
  task<bool> execute_prepared(prepared_statement& use, statement what);
  void check_size(std::size_t bytes) const;
  void refuse_in_failed_transaction(const statement_kind& kind) const;
  void note_kind(const statement_kind& kind) noexcept;
  void after_success(const statement_kind& kind) noexcept;

  // Rows of a prepared statement.
  void expect_rows(prepared_statement& use);
  void start_fetch(const prepared_statement& use);
  bool row_fetched(const prepared_statement& use);
  task<result> collect(prepared_statement& use);
  task<void> skip_other_results(MYSQL_STMT* prepared);

  // The text protocol, for what is not worth preparing.
  task<result> query(std::string_view text);
  task<result> run_plain(std::string_view text, statement_kind kind);
  task<result> text_result();
  task<void> skip_text_results(std::size_t& count);
  task<void> allow_several(bool allowed);

  // After trouble.
  task<void> recover();
  task<bool> try_recover();
  bool drain_rows();
  task<void> drain();
  task<void> forget_kill();
  task<void> cancel();
  task<void> learn_identity();
  task<void> reset_now();
  task<void> reset_everything();
  task<void> return_to_database();
  /// @param lag how far behind it is, when it is a replica and knows
  task<bool> replicates(std::optional<duration>& lag);
  void drop_statements() noexcept;

  patient_reads reads_;  // the connection points here, and so goes first
  connection_ptr connection_;
  MYSQL* raw_;
  server_link link_;
  settings how_;
  endpoint where_;        // to log in beside, and cancel
  std::string identity_;  // of the server, so that nobody else's statement is cancelled
  std::size_t max_packet_ = 0;
  statement_cache<prepared_statement> cache_;
  prepared_statement once_;  // where nothing is kept
  prepared_ptr preparing_;
  std::vector<prepared_ptr> orphans_;  // of a broken session; freed with it
  parameter_list parameters_;
  row_splitter splitter_;
  std::string sent_text_;  // the library may still be sending it
  library_call call_;
  step step_ = step::other;        // what the call is
  MYSQL_STMT* running_ = nullptr;  // whose results are to be read; null: the text protocol's
  std::uint64_t exchange_ = 0;     // tells a cursor that its statement is over
  bool busy_ = false;              // sent, and not yet read to its end
  bool touched_ = false;           // a statement may have left something behind
  bool native_used_ = false;
  bool other_database_ = false;
  bool several_ = false;              // the server takes several statements at once
  bool utc_ = false;                  // the session's time zone
  bool ask_for_transaction_ = false;  // an error may have rolled it back
  bool doomed_ = false;               // an error has
  bool retired_ = false;
};

}  // namespace polypool::mysql
