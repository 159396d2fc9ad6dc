// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/session.hpp"

#include "driver/isolation.hpp"
#include "driver/placeholders.hpp"

#include <sys/socket.h>
#include <typeinfo>
#include <utility>

namespace polypool::mysql {

session::session(connection_ptr connection, settings how, const endpoint& where)
    : connection_(std::move(connection)),
      raw_(connection_.get()),
      link_("MySQL", place_of(where)),
      how_(std::move(how)),
      where_(where),
      cache_(where.statement_cache) {
  link_.attach(mysql_get_socket(raw_));
  if (mysql_get_ssl_cipher(raw_) != nullptr) {
    call_.expect_tls();
  } else {
    reads_.attach(raw_);
  }
}

session::~session() {
  // What is under way fails at once; and nobody waits to say goodbye to a server that does not listen.
  if (busy_ || broken() || call_.waiting()) ::shutdown(link_.descriptor(), SHUT_RDWR);
  finish_abandoned(call_, raw_);
  if (step_ == step::store) rows_ptr(call_.outcome<MYSQL_RES*>()).reset();
  connection_.reset();  // before the statements, which then have nobody left to talk to
}

bool session::dirty() const noexcept {
  return busy_ || touched_ || native_used_ || several_ || doomed_ ||
         (raw_->server_status & SERVER_STATUS_IN_TRANS) != 0;
}

bool session::broken() const noexcept {
  return link_.broken() || retired_ || mysql_get_socket(raw_) == MARIADB_INVALID_SOCKET;
}

native_handle session::native() noexcept {
  native_used_ = true;
  return {typeid(MYSQL*), raw_};
}

sql_session::transaction_state session::transaction() const noexcept {
  if (busy_ || link_.broken()) return transaction_state::unknown;
  if (doomed_) return transaction_state::failed;
  return (raw_->server_status & SERVER_STATUS_IN_TRANS) != 0 ? transaction_state::active : transaction_state::none;
}

std::string session::begin_statement(const transaction_options& options) const {
  return options.read_only ? "START TRANSACTION READ ONLY" : "START TRANSACTION";
}

// The isolation level of the next transaction is set before it begins.
task<void> session::begin(transaction_options options) {
  const bool touched = touched_;
  if (options.isolation != isolation::server_default) {
    const std::string level = "SET TRANSACTION ISOLATION LEVEL " + std::string(isolation_words(options.isolation));
    task<result> setting = execute(statement(level));
    co_await std::move(setting);
  }
  const std::string text = begin_statement(options);
  task<result> beginning = execute(statement(text));
  co_await std::move(beginning);
  touched_ = touched;  // the level lasts no longer than the transaction
}

task<result> session::execute(statement what) {
  link_.check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  std::optional<error> problem;
  try {
    prepared_statement* use = cached(what.text());
    if (!use) {
      const statement_kind kind = kind_of(what.text(), text_dialect());
      if (kind.empty) {
        check_parameter_count(0, what.parameters().size());
        co_return result();
      }
      const bool plain = kind.plain && what.parameters().empty();
      if (!plain) use = co_await obtain(what.text(), kind);
      if (!use) {
        check_parameter_count(0, what.parameters().size());
        co_return co_await run_plain(what.text(), kind);
      }
    }
    const bool sent = co_await execute_prepared(*use, what);
    if (!sent) use = co_await send_anew(*use, what);
    result out = co_await collect(*use);
    after_success(use->kind);
    if (once_.handle) co_await drop_once();
    co_return out;
  } catch (const error& e) {
    problem.emplace(e);
  }
  if (transaction_is_doubtful()) co_await learn_of_transaction();
  throw error(*problem);
}

task<void> session::execute_script(std::string_view text) {
  link_.check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  if (text.contains('\0')) throw error(errc::invalid_argument, "the script has a NUL character in its text");
  const statement_kind kind = kind_of(text, text_dialect());
  if (kind.empty) co_return;
  refuse_in_failed_transaction(kind);
  check_size(text.size());
  std::optional<error> problem;
  std::size_t done = 0;
  if (kind.several) co_await allow_several(true);
  try {
    note_kind(kind);
    sent_text_ = text;
    sending(nullptr);
    call_.start<mysql_real_query_start, mysql_real_query_cont>(raw_, sent_text_.data(), sent_text_.size());
    if (call_.waiting()) co_await wait();
    require(call_.outcome() == 0);
    co_await skip_text_results(done);
    finished();
    after_success(kind);
  } catch (const error& e) {
    problem.emplace(e);
  }
  if (problem && transaction_is_doubtful()) co_await learn_of_transaction();
  if (several_ && !busy_ && !broken()) co_await allow_several(false);
  if (!problem) co_return;
  if (kind.several && !busy_ && problem->hint().empty()) {
    problem->with_hint("it was statement " + std::to_string(done + 1) +
                       " of the script; what stands before it is done");
  }
  throw error(*problem);
}

task<void> session::probe() {
  link_.check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  sending(nullptr);
  call_.start<mysql_ping_start, mysql_ping_cont>(raw_);
  if (call_.waiting()) co_await wait();
  require(call_.outcome() == 0);
  busy_ = false;
}

}  // namespace polypool::mysql
