// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/cursor.hpp"

#include "driver/placeholders.hpp"

#include <utility>

namespace polypool::mysql {
namespace {

constexpr std::size_t block_size = 64 * 1024;

}  // namespace

task<std::unique_ptr<cursor>> session::open(statement what) {
  link_.check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  auto rows = std::make_unique<row_cursor>(*this);
  std::optional<error> problem;
  try {
    prepared_statement* use = cached(what.text());
    if (!use) {
      const statement_kind kind = kind_of(what.text(), text_dialect());
      const bool plain = kind.empty || (kind.plain && what.parameters().empty());
      if (!plain) use = co_await obtain(what.text(), kind);
      if (!use) {
        check_parameter_count(0, what.parameters().size());
        result whole;
        if (!kind.empty) whole = co_await run_plain(what.text(), kind);
        rows->start(std::move(whole));
      }
    }
    if (use) {
      const bool sent = co_await execute_prepared(*use, what);
      if (!sent) use = co_await send_anew(*use, what);
      co_await rows->start(*use);
    }
    std::unique_ptr<cursor> out = std::move(rows);
    co_return out;
  } catch (const error& e) {
    problem.emplace(e);
  }
  if (transaction_is_doubtful()) co_await learn_of_transaction();
  throw error(*problem);
}

void row_cursor::start(result whole) {
  columns_ = std::make_shared<const column_list>(whole.columns());
  affected_ = whole.affected_rows();
  whole_ = whole.block();
  ended_ = true;
}

task<void> row_cursor::start(prepared_statement& use) {
  use_ = &use;
  exchange_ = owner_->exchange_;
  if (mysql_field_count(owner_->raw_) == 0) {
    affected_ = mysql_stmt_affected_rows(use.handle.get());
    columns_ = std::make_shared<const column_list>();
    no_more_ = true;
  } else {
    owner_->expect_rows(use);
    columns_ = use.shape.columns();
    fetch();
    co_await await_row();
    take_row();
    if (failure_) fail();
  }
  if (no_more_) co_await end();
}

void row_cursor::check_running(const environment& env) const {
  owner_->link_.check_usable(env);
  if (exchange_ != owner_->exchange_ || !owner_->busy_) {
    throw error(errc::invalid_argument, "the cursor is over: its session has run something else since");
  }
}

void row_cursor::fetch() {
  if (fetching_) return;
  fetching_ = true;
  owner_->start_fetch(*use_);
}

task<void> row_cursor::await_row() {
  if (owner_->call_.waiting()) co_await owner_->wait();
}

// After the fetch.
void row_cursor::take_row() {
  fetching_ = false;
  try {
    has_row_ = owner_->row_fetched(*use_);
    no_more_ = !has_row_;
  } catch (const error& problem) {
    failure_.emplace(problem);
  }
}

void row_cursor::fail() {
  ended_ = true;
  throw error(*std::exchange(failure_, std::nullopt));
}

task<std::shared_ptr<const row_block>> row_cursor::next() {
  if (whole_) co_return std::exchange(whole_, nullptr);
  std::shared_ptr<const row_block> out;
  if (failure_) fail();
  if (ended_) co_return out;
  check_running(co_await this_environment());
  // Never waits with rows in hand: so a deadline loses none, and slow rows come as they are made.
  const auto& wire = use_->shape.wire();
  auto block = std::make_shared<cell_block>(wire.size());
  while (!no_more_ && block->bytes() < block_size) {
    if (!has_row_) {
      fetch();
      if (owner_->call_.waiting()) {
        if (block->rows() > 0) break;
        co_await await_row();
      }
      take_row();
    }
    if (failure_) break;
    if (!has_row_) continue;
    append_binary(*block, wire, owner_->splitter_.values());
    has_row_ = false;
    ++affected_;
  }
  if (failure_ && block->rows() == 0) fail();
  if (no_more_ && (block->rows() == 0 || !mysql_stmt_more_results(use_->handle.get()))) co_await end();
  if (block->rows() > 0) out = std::move(block);
  co_return out;
}

// Reads what stands behind the last row.
task<void> row_cursor::end() {
  if (mysql_stmt_more_results(use_->handle.get())) co_await owner_->skip_other_results(use_->handle.get());
  ended_ = true;
  owner_->finished();
  owner_->after_success(use_->kind);
  if (owner_->once_.handle) co_await owner_->drop_once();
}

task<void> row_cursor::finish() {
  whole_.reset();
  if (ended_ || failure_) {
    failure_.reset();
    ended_ = true;
    co_return;
  }
  check_running(co_await this_environment());
  ended_ = true;
  if (owner_->drain_rows()) co_return;
  co_await owner_->recover();
}

}  // namespace polypool::mysql
