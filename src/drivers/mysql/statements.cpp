// SPDX-License-Identifier: Apache-2.0
// Which statements the server keeps for a session, and what statements leave behind.
#include "driver/placeholders.hpp"
#include "drivers/mysql/session.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace polypool::mysql {

sql_dialect session::text_dialect() const noexcept {
  sql_dialect out = mysql_dialect;
  const auto status = raw_->server_status;
  if ((status & SERVER_STATUS_NO_BACKSLASH_ESCAPES) != 0) out.backslash_escapes = out.backslash_in_double = false;
  if ((status & SERVER_STATUS_ANSI_QUOTES) != 0) out.backslash_in_double = false;
  return out;
}

prepared_statement* session::cached(std::string_view text) noexcept {
  return cache_.size() > 0 ? cache_.find(text) : nullptr;
}

// Prepares a statement. Gives null when the server does not prepare statements of this kind.
task<prepared_statement*> session::obtain(std::string_view text, statement_kind kind) {
  if (cache_.capacity() > 0 && cache_.full()) {
    // A sixteenth at once, so that a stream of new texts costs few round trips.
    co_await evict(std::max<std::size_t>(cache_.capacity() / 16, 1));
  }
  prepared_statement fresh = co_await prepare(text, kind);
  if (!fresh.handle) co_return nullptr;
  if (cache_.capacity() > 0) co_return &cache_.insert(text, std::move(fresh));
  once_ = std::move(fresh);
  co_return &once_;
}

task<prepared_statement> session::prepare(std::string_view text, statement_kind kind) {
  if (text.contains('\0')) throw error(errc::invalid_argument, "the statement has a NUL character in its text");
  refuse_in_failed_transaction(kind);
  auto rewritten = rewrite_placeholders(text, text_dialect());
  check_size(rewritten.text.size());
  sent_text_ = std::move(rewritten.text);
  unsigned int number = co_await prepare_raw();
  if (number == 1461 && cache_.size() > 0) {  // too many, in all sessions of the server together
    co_await evict(cache_.size());
    number = co_await prepare_raw();
  }
  prepared_statement out;
  if (number == 1295) co_return out;  // not as a prepared statement
  if (number != 0) {
    error problem = failure(preparing_.get());
    if (number == 1064 && kind.several) problem.with_hint("run several statements with execute_script");
    co_await close(preparing_.release());
    throw problem;
  }
  busy_ = false;
  out.handle = std::move(preparing_);
  out.order = std::move(rewritten.values);
  out.expected = rewritten.expected;
  out.kind = kind;
  mysql_stmt_attr_set(out.handle.get(), STMT_ATTR_CB_USER_DATA, &splitter_);
  mysql_stmt_attr_set(out.handle.get(), STMT_ATTR_CB_RESULT, reinterpret_cast<const void*>(&row_splitter::take_column));
  if (mysql_stmt_param_count(out.handle.get()) != out.order.size()) {
    co_await close(out.handle.release());
    throw error(errc::invalid_argument, "the server counts other placeholders than the driver does")
        .with_hint("keep placeholders out of /*! comments");
  }
  co_return out;
}

// @return the server's error number, 0 when it is prepared
task<unsigned int> session::prepare_raw() {
  if (preparing_) co_await close(preparing_.release());
  preparing_.reset(mysql_stmt_init(raw_));
  if (!preparing_) throw std::bad_alloc();
  sending(nullptr);
  step_ = step::prepare;
  call_.start<mysql_stmt_prepare_start, mysql_stmt_prepare_cont>(preparing_.get(), sent_text_.data(),
                                                                 sent_text_.size());
  if (call_.waiting()) co_await wait();
  step_ = step::other;
  if (call_.outcome() == 0) co_return 0U;
  const auto number = mysql_stmt_errno(preparing_.get());
  if (number == 0 || is_client_error(number)) throw failure(preparing_.get());
  busy_ = false;
  co_return number;
}

// The library frees it; the server does not answer.
task<void> session::close(MYSQL_STMT* old) {
  if (link_.broken()) {
    orphans_.emplace_back(old);
    co_return;
  }
  const bool was_busy = std::exchange(busy_, true);  // half a request cannot be taken back
  call_.start<mysql_stmt_close_start, mysql_stmt_close_cont>(old);
  if (call_.waiting()) co_await wait();
  busy_ = was_busy;
}

task<void> session::evict(std::size_t count) {
  for (; count > 0; --count) {
    auto victim = cache_.evict();
    if (victim) co_await close(victim->handle.release());
  }
}

task<void> session::forget(std::string_view text) {
  if (once_.handle) co_await drop_once();
  auto stale = cache_.erase(text);
  if (stale) co_await close(stale->handle.release());
}

task<void> session::drop_once() {
  MYSQL_STMT* const old = once_.handle.release();
  co_await close(old);
}

// A statement that the server does not know any more, or whose table has other columns now, is prepared and sent again.
// @return the statement whose results come
task<prepared_statement*> session::send_anew(prepared_statement& stale, statement what) {
  const statement_kind kind = stale.kind;
  co_await forget(what.text());
  prepared_statement* const use = co_await obtain(what.text(), kind);
  const bool sent = use != nullptr && co_await execute_prepared(*use, what);
  if (!sent) throw error(errc::database_error, "the server refuses the statement just after preparing it");
  co_return use;
}

// Sends a statement and waits until it is under way.
// @return false when the statement is stale and has not run, or may run again
task<bool> session::execute_prepared(prepared_statement& use, statement what) {
  MYSQL_STMT* const raw = use.handle.get();
  check_parameter_count(use.expected, what.parameters().size());
  refuse_in_failed_transaction(use.kind);
  parameters_.bind(what.parameters(), use.order, utc_);
  check_size(parameters_.size_in_bytes());
  note_kind(use.kind);
  if (!use.order.empty()) mysql_stmt_bind_param(raw, parameters_.data());
  sending(raw);
  const environment& env = co_await this_environment();
  {
    const patient_reads::permission waiting(reads_, link_.let_reads_wait(env));
    call_.start<mysql_stmt_execute_start, mysql_stmt_execute_cont>(raw);
  }
  if (reads_.waited_in_vain()) link_.read_in_vain();
  parameters_.clear();       // the library has its own copy
  while (call_.waiting()) {  // wait(), without its coroutine: every statement comes along here
    const auto how = co_await link_.ready(call_.interest());
    if (how != wait_result::ready) throw link_.gave_up(how);
    call_.proceed();
  }
  if (call_.outcome() == 0) [[likely]]
    co_return true;
  const auto number = mysql_stmt_errno(raw);
  if (is_stale_statement(number)) {
    busy_ = false;
    co_return false;
  }
  if (number != CR_NEW_STMT_METADATA) throw failure(raw);
  // It has run, and the library cannot tell its rows apart.
  call_.start<mysql_stmt_free_result_start, mysql_stmt_free_result_cont>(raw);
  if (call_.waiting()) co_await wait();
  finished();
  if (use.kind.reads) co_return false;
  co_await forget(what.text());
  throw error(errc::database_error,
              "the statement was done, but its table has other columns by now, so its rows are lost")
      .with_hint("name the columns instead of writing *");
}

// A server gives up on a client that sends more than this, and both see a broken connection.
void session::check_size(std::size_t bytes) const {
  constexpr std::size_t header = 64;
  if (max_packet_ == 0 || bytes + header <= max_packet_) return;
  throw error(errc::invalid_value, "the statement with its values takes " + std::to_string(bytes) +
                                       " bytes, and the server takes " + std::to_string(max_packet_) + " at once")
      .with_hint("send less at once, or raise the server's max_allowed_packet");
}

// Whatever its owner sends was meant to happen together with what is gone.
void session::refuse_in_failed_transaction(const statement_kind& kind) const {
  if (!doomed_ || kind.rolls_back) return;
  throw error(errc::transaction_aborted, "an earlier error has rolled this transaction back")
      .with_hint("end it with ROLLBACK, then run it again from its beginning");
}

// Before it is sent: should the answer never be read, its traces count all the same.
void session::note_kind(const statement_kind& kind) noexcept {
  if (kind.leaves_state) touched_ = true;
  if (kind.selects_database) other_database_ = true;
}

void session::after_success(const statement_kind& kind) noexcept {
  if (kind.rolls_back) doomed_ = false;
}

}  // namespace polypool::mysql
