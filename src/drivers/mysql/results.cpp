// SPDX-License-Identifier: Apache-2.0
// Reading results: of prepared statements, and of the text protocol.
#include "drivers/mysql/session.hpp"

#include <utility>

namespace polypool::mysql {

void session::expect_rows(prepared_statement& use) {
  MYSQL_STMT* const raw = use.handle.get();
  // The statement's own fields keep the names they had when it was prepared; those of the connection have the names of
  // now, and lack what MariaDB says beyond the types.
  const MYSQL_FIELD* const own = mariadb_stmt_fetch_fields(raw);
  use.shape.follow({own, mysql_stmt_field_count(raw)}, raw_->fields ? raw_->fields : own, utc_);
  splitter_.expect(use.shape, raw_);
}

void session::start_fetch(const prepared_statement& use) {
  step_ = step::fetch;
  if (packet_is_here(raw_)) {  // no need for a stack of its own
    call_.done_at_once(mysql_stmt_fetch(use.handle.get()));
  } else {
    call_.start<mysql_stmt_fetch_start, mysql_stmt_fetch_cont>(use.handle.get());
  }
}

// After the fetch. @return false at the end
bool session::row_fetched(const prepared_statement& use) {
  step_ = step::other;
  const int outcome = call_.outcome();
  if (outcome == MYSQL_NO_DATA) return false;
  if (outcome != 0) throw failure(use.handle.get());
  if (splitter_.malformed()) throw link_.lost("it sent a row that is not as the protocol says");
  return true;
}

task<result> session::collect(prepared_statement& use) {
  MYSQL_STMT* const raw = use.handle.get();
  if (mysql_field_count(raw_) == 0) {
    co_await skip_other_results(raw);
    finished();
    co_return result(nullptr, nullptr, mysql_stmt_affected_rows(raw),
                     static_cast<std::int64_t>(mysql_stmt_insert_id(raw)));
  }
  expect_rows(use);
  auto rows = std::make_shared<cell_block>(use.shape.wire().size());
  for (;;) {
    start_fetch(use);
    if (call_.waiting()) co_await wait();
    if (!row_fetched(use)) break;
    append_binary(*rows, use.shape.wire(), splitter_.values());
  }
  if (mysql_stmt_more_results(raw)) co_await skip_other_results(raw);
  finished();
  const auto count = rows->rows();
  co_return result(use.shape.columns(), std::move(rows), count);
}

// A procedure may give several results; the first one counts.
task<void> session::skip_other_results(MYSQL_STMT* prepared) {
  while (mysql_stmt_more_results(prepared)) {
    call_.start<mysql_stmt_next_result_start, mysql_stmt_next_result_cont>(prepared);
    if (call_.waiting()) co_await wait();
    if (call_.outcome() < 0) break;
    require(call_.outcome() == 0, prepared);
    if (mysql_field_count(raw_) == 0) continue;
    call_.start<mysql_stmt_free_result_start, mysql_stmt_free_result_cont>(prepared);
    if (call_.waiting()) co_await wait();
  }
}

task<result> session::query(std::string_view text) {
  sent_text_ = text;
  sending(nullptr);
  call_.start<mysql_real_query_start, mysql_real_query_cont>(raw_, sent_text_.data(), sent_text_.size());
  if (call_.waiting()) co_await wait();
  require(call_.outcome() == 0);
  result out = co_await text_result();
  std::size_t others = 0;
  if (results_pending()) co_await skip_text_results(others);
  finished();
  co_return out;
}

task<result> session::run_plain(std::string_view text, statement_kind kind) {
  if (text.contains('\0')) throw error(errc::invalid_argument, "the statement has a NUL character in its text");
  refuse_in_failed_transaction(kind);
  check_size(text.size());
  note_kind(kind);
  std::optional<error> problem;
  try {
    result out = co_await query(text);
    after_success(kind);
    co_return out;
  } catch (const error& e) {
    problem.emplace(e);
  }
  if (problem->portable_code() == errc::syntax_error && kind.several) {
    problem->with_hint("run several statements with execute_script");
  }
  throw error(*problem);
}

task<result> session::text_result() {
  if (mysql_field_count(raw_) == 0) {
    co_return result(nullptr, nullptr, mysql_affected_rows(raw_), static_cast<std::int64_t>(mysql_insert_id(raw_)));
  }
  step_ = step::store;
  call_.start<mysql_store_result_start, mysql_store_result_cont>(raw_);
  if (call_.waiting()) co_await wait();
  step_ = step::other;
  const rows_ptr native(call_.outcome<MYSQL_RES*>());
  require(native != nullptr);
  result_shape shape;
  const MYSQL_FIELD* const fields = mysql_fetch_fields(native.get());
  shape.follow({fields, mysql_num_fields(native.get())}, fields, utc_);
  auto rows = std::make_shared<cell_block>(shape.wire().size());
  while (MYSQL_ROW row = mysql_fetch_row(native.get())) {
    append_text(*rows, shape.wire(), row, mysql_fetch_lengths(native.get()));
  }
  const auto count = rows->rows();
  co_return result(shape.columns(), std::move(rows), count);
}

// Reads all that is left and throws it away. @param count raised by each statement whose results have been read
task<void> session::skip_text_results(std::size_t& count) {
  for (;;) {
    if (raw_->status != MYSQL_STATUS_READY) {
      MYSQL_RES* const rows = mysql_use_result(raw_);
      require(rows != nullptr);
      call_.start<mysql_free_result_start, mysql_free_result_cont>(rows);
      if (call_.waiting()) co_await wait();
      require(mysql_errno(raw_) == 0);
    }
    ++count;
    if (!mysql_more_results(raw_)) co_return;
    call_.start<mysql_next_result_start, mysql_next_result_cont>(raw_);
    if (call_.waiting()) co_await wait();
    if (call_.outcome() < 0) co_return;
    require(call_.outcome() == 0);
  }
}

task<void> session::allow_several(bool allowed) {
  several_ = true;  // until the server says otherwise
  sending(nullptr);
  call_.start<mysql_set_server_option_start, mysql_set_server_option_cont>(
      raw_, allowed ? MYSQL_OPTION_MULTI_STATEMENTS_ON : MYSQL_OPTION_MULTI_STATEMENTS_OFF);
  if (call_.waiting()) co_await wait();
  require(call_.outcome() == 0);
  busy_ = false;
  several_ = allowed;
}

}  // namespace polypool::mysql
