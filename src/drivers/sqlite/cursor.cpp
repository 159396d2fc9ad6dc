// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/session.hpp"

#include <polypool/waits.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace polypool::sqlite {
namespace {

constexpr std::size_t most_rows = 256;
constexpr std::size_t enough_bytes = 65536;

}  // namespace

sqlite_cursor::sqlite_cursor(sqlite_session& owner, statement_use what, int code)
    : owner_(&owner), what_(std::move(what)), columns_(what_->columns()), code_(code) {
  owner_->cursors_.push_back(this);
  if (code_ == SQLITE_DONE) end(state::ended);
}

sqlite_cursor::~sqlite_cursor() { end(state::lost); }

// Resetting a statement is cheap and leaves nothing behind, so that a session stays clean whenever its cursor ends.
void sqlite_cursor::end(state how) noexcept {
  if (state_ != state::running) return;
  state_ = how;
  const auto& does = what_->does();
  if (how == state::ended && !does.schema) {
    affected_ = does.writes ? static_cast<std::uint64_t>(sqlite3_changes64(owner_->db_.get())) : rows_;
  }
  what_ = statement_use();
  std::erase(owner_->cursors_, this);
}

task<std::shared_ptr<const row_block>> sqlite_cursor::next() {
  const environment& env = co_await this_environment();
  const auto call = [this, &env] { return next_now(env); };
  offload work(call);
  co_return co_await work;
}

task<void> sqlite_cursor::finish() {
  end(state::ended);
  co_return;
}

std::shared_ptr<const row_block> sqlite_cursor::next_now(const environment& env) {
  if (state_ == state::ended) return nullptr;
  if (state_ == state::lost) {
    error problem(errc::connection_closed, "the cursor can give no more rows");
    problem.with_hint("an earlier error or a reset of its session ended it; run the statement again");
    throw problem;
  }
  try {
    const watch::scope watching(owner_->watch_, env);
    const auto rows = std::make_shared<cell_block>(columns_->size());
    do {
      append_row(*rows, what_->get(), what_->kinds(), columns_->size());
      code_ = owner_->step(*what_.operator->());
    } while (code_ == SQLITE_ROW && rows->rows() < most_rows && rows->bytes() < enough_bytes);
    rows_ += rows->rows();
    if (code_ == SQLITE_DONE) end(state::ended);
    return rows;
  } catch (...) {
    end(state::lost);
    throw;
  }
}

}  // namespace polypool::sqlite
