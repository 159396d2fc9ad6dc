// SPDX-License-Identifier: Apache-2.0
// Rows fetched as they are asked for.
#pragma once

#include "drivers/mysql/session.hpp"

#include <optional>

namespace polypool::mysql {

/// Over the library's unbuffered rows: what nobody asks for stays in the socket, and so the server waits.
class row_cursor final : public cursor {
 public:
  explicit row_cursor(session& owner) noexcept : owner_(&owner) {}
  /// Of a statement that was sent: waits for the first row, or for the end.
  task<void> start(prepared_statement& use);
  /// Of one that was run already.
  void start(result whole);

  const std::shared_ptr<const column_list>& columns() const noexcept override { return columns_; }
  task<std::shared_ptr<const row_block>> next() override;
  task<void> finish() override;
  std::uint64_t affected_rows() const noexcept override { return affected_; }

 private:
  void check_running(const environment& env) const;
  void fetch();
  task<void> await_row();
  void take_row();
  [[noreturn]] void fail();
  task<void> end();

  session* owner_;
  prepared_statement* use_ = nullptr;
  std::uint64_t exchange_ = 0;
  std::shared_ptr<const column_list> columns_;
  std::shared_ptr<const row_block> whole_;  // all rows at once
  std::optional<error> failure_;            // to be thrown once the rows before it were given out
  std::uint64_t affected_ = 0;
  bool fetching_ = false;  // the library is at it
  bool has_row_ = false;   // fetched, not yet given out
  bool no_more_ = false;   // no row comes any more; what stands behind them may not have been read
  bool ended_ = false;
};

}  // namespace polypool::mysql
