// SPDX-License-Identifier: Apache-2.0
// Rows fetched as they are asked for.
#pragma once

#include "drivers/postgres/session.hpp"

namespace polypool::postgres {

/// Over libpq's single-row mode: what nobody asks for stays in the socket, and so the server waits.
class row_cursor final : public cursor {
 public:
  explicit row_cursor(session& owner) noexcept : owner_(&owner) {}
  /// Waits for the first row, or for the end.
  task<void> start(statement_kind kind, std::size_t parameters);

  const std::shared_ptr<const column_list>& columns() const noexcept override { return columns_; }
  task<std::shared_ptr<const row_block>> next() override;
  task<void> finish() override;
  std::uint64_t affected_rows() const noexcept override { return affected_; }

 private:
  void check_running(const environment& env);
  bool would_wait();
  task<void> fetch();
  task<void> end();

  session* owner_;
  std::uint64_t exchange_ = 0;
  statement_kind kind_;
  std::size_t parameters_ = 0;
  std::shared_ptr<const column_list> columns_;
  result_ptr row_;    // fetched, not yet given out
  result_ptr ahead_;  // what comes behind it
  result_ptr rest_;
  std::uint64_t affected_ = 0;
  bool ended_ = false;
};

}  // namespace polypool::postgres
