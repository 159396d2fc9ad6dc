// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/cursor.hpp"

#include "drivers/postgres/cancel.hpp"
#include "drivers/postgres/errors.hpp"

#include <exception>
#include <utility>

namespace polypool::postgres {
namespace {

constexpr std::size_t block_size = 64 * 1024;

}  // namespace

task<std::unique_ptr<cursor>> session::open(statement what) {
  link_.check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  const bool outside = PQtransactionStatus(raw_) == PQTRANS_IDLE;
  for (bool again = false;; again = true) {
    parameters_.bind(what.parameters());
    prepared_statement* known = cached(what.text());
    if (!known && prepares_now()) known = co_await prepare(what.text());
    const statement_kind kind = known ? known->kind : kind_of(what.text());
    note_kind(kind);
    send_statement(known, what.text());
    PQsetSingleRowMode(raw_);
    std::unique_ptr<cursor> out;
    auto rows = std::make_unique<row_cursor>(*this);
    std::exception_ptr problem;
    try {
      co_await rows->start(kind, what.parameters().size());
      out = std::move(rows);
    } catch (const error&) {
      // A stale plan shows before the first row: the statement has not run.
      problem = std::current_exception();
      if (!known || !stale_ || busy_ || link_.broken()) throw;
    }
    if (out) co_return out;
    co_await forget(what.text());
    if (!outside || again) std::rethrow_exception(problem);
  }
}

task<void> row_cursor::start(statement_kind kind, std::size_t parameters) {
  kind_ = kind;
  parameters_ = parameters;
  exchange_ = owner_->exchange_;
  co_await owner_->flush();
  co_await fetch();
}

void row_cursor::check_running(const environment& env) {
  owner_->link_.check_usable(env);
  if (exchange_ != owner_->exchange_ || !owner_->busy_) {
    throw error(errc::invalid_argument, "the cursor is over: its session has run something else since");
  }
}

// Fetches one row, or the end.
task<void> row_cursor::fetch() {
  if (!ahead_) {
    co_await owner_->await_input();
    ahead_.reset(PQgetResult(owner_->raw_));
  }
  const auto status = PQresultStatus(ahead_.get());
  if (!columns_ && (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK)) {
    result_shape shape;
    columns_ = shape.columns_of(ahead_.get());
  }
  if (status == PGRES_SINGLE_TUPLE) {
    row_ = std::move(ahead_);
  } else {
    co_await end();
  }
}

// Reads what comes behind the last row. `ahead_` stays until that is done, so that a deadline loses nothing.
task<void> row_cursor::end() {
  const auto status = PQresultStatus(ahead_.get());
  const bool copies = status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
  if (copies) co_await owner_->refuse_copy(status);
  if (owner_->busy_) rest_ = co_await owner_->complete();
  ended_ = true;
  if (copies) {
    owner_->copy_refused_ = true;
    throw owner_->failure(nullptr, parameters_);
  }
  const result_ptr last = std::move(ahead_);
  if (failed(last.get())) throw owner_->failure(last.get(), parameters_);
  if (rest_ && failed(rest_.get())) throw owner_->failure(rest_.get(), parameters_);
  if (!columns_) columns_ = std::make_shared<const column_list>();
  affected_ = postgres::affected_rows(last.get());
  owner_->after_success(kind_);
}

// True when the next row has not arrived yet.
bool row_cursor::would_wait() {
  if (!PQisBusy(owner_->raw_)) return false;
  PQconsumeInput(owner_->raw_);
  return PQisBusy(owner_->raw_) != 0;
}

task<std::shared_ptr<const row_block>> row_cursor::next() {
  std::shared_ptr<const row_block> out;
  if (ended_ && !row_) co_return out;
  check_running(co_await this_environment());
  if (!row_) co_await fetch();
  if (!row_) co_return out;
  if (first_row_size(row_.get()) >= block_size) {
    out = std::make_shared<native_rows>(std::move(row_), columns_);
    co_return out;
  }
  // Never waits with rows in hand: so a deadline loses none, and slow rows come as they are made.
  auto block = std::make_shared<packed_rows>(columns_);
  while (row_) {
    block->append(row_.get());
    row_.reset();
    if (block->size_in_bytes() >= block_size || would_wait()) break;
    ahead_.reset(PQgetResult(owner_->raw_));
    const bool fits = PQresultStatus(ahead_.get()) == PGRES_SINGLE_TUPLE && first_row_size(ahead_.get()) < block_size;
    if (fits) row_ = std::move(ahead_);
  }
  out = std::move(block);
  co_return out;
}

task<void> row_cursor::finish() {
  row_.reset();
  ahead_.reset();
  if (ended_) co_return;
  check_running(co_await this_environment());
  ended_ = true;
  if (owner_->drain_available()) co_return;
  if (owner_->in_transaction_) {
    // A cancel would end the caller's transaction too; reading on does not.
    co_await owner_->drain();
  } else {
    co_await owner_->recover();
  }
}

}  // namespace polypool::postgres
