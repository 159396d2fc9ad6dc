// SPDX-License-Identifier: Apache-2.0
// One session over ODBC. Its calls block, so they run on another thread, or on the caller's where that blocks anyway
// and can be brought back.
#pragma once

#include "drivers/odbc/call_threads.hpp"
#include "drivers/odbc/connection.hpp"
#include "drivers/odbc/watch.hpp"

#include <polypool/driver.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::odbc {

/// What sessions of one driver share.
struct shared_parts {
  std::shared_ptr<const environment_handle> environment = std::make_shared<const environment_handle>();
  call_threads threads;
};

/// Opens a connection on another thread, within the task's deadline.
/// @param own_limit the deadline is the endpoint's connect_timeout
task<std::shared_ptr<connection>> open_connection(std::shared_ptr<shared_parts> parts,
                                                  std::shared_ptr<const connection_plan> plan, bool own_limit);

class session final : public sql_session {
 public:
  session(std::shared_ptr<shared_parts> parts, std::shared_ptr<const connection_plan> plan,
          std::shared_ptr<connection> made) noexcept;
  ~session() override;
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  task<void> probe() override;
  task<void> reset() override;
  bool dirty() const noexcept override { return running_ || connection_->dirty(); }
  bool broken() const noexcept override;
  void interrupt() noexcept override;
  native_handle native() noexcept override;
  task<server_info> describe() override;

  task<result> execute(statement what) override;
  task<std::unique_ptr<cursor>> open(statement what) override;
  task<void> execute_script(std::string_view text) override;
  transaction_state transaction() const noexcept override;
  polypool::dialect dialect() const noexcept override;
  std::string begin_statement(const transaction_options& options) const override;
  task<void> begin(transaction_options options) override;
  std::string savepoint_statement(savepoint_step step, std::string_view name) const override;

 private:
  friend class row_cursor;
  void check_usable(const environment& env) const;
  bool runs_here(const environment& env) const noexcept;
  template <class Body>
  auto here(const environment& env, Body& body);
  template <class Body>
  task<std::invoke_result_t<Body&, connection&>> elsewhere(Body body);
  template <class Body>
  task<std::invoke_result_t<Body&, connection&>> perform(Body body);
  void end_running_call() noexcept;
  task<void> attend();
  task<void> recover();
  task<void> reset_now();
  task<void> reopen();
  void replace(std::shared_ptr<connection> fresh);
  void let_go(std::shared_ptr<connection> old) noexcept;
  error gave_up(wait_result how) const;
  error translated(const error& problem) const;

  std::shared_ptr<shared_parts> parts_;
  std::shared_ptr<const connection_plan> plan_;
  std::mutex mutex_;  // for interrupt, which comes from other threads
  std::shared_ptr<connection> connection_;
  std::shared_ptr<event> running_;  // done: of the call that its caller has given up
  std::uint64_t running_call_ = 0;
  std::uint64_t opened_ = 0;  // connections so far
  bool broken_ = false;
  std::atomic<bool> interrupted_ = false;
};

/// The rows of a statement that runs.
class row_cursor final : public cursor {
 public:
  row_cursor(session& owner, std::shared_ptr<const column_list> columns) noexcept;
  const std::shared_ptr<const column_list>& columns() const noexcept override { return columns_; }
  task<std::shared_ptr<const row_block>> next() override;
  task<void> finish() override;
  std::uint64_t affected_rows() const noexcept override { return affected_; }

 private:
  bool is_over() const noexcept;
  session* owner_;
  std::shared_ptr<const column_list> columns_;
  std::uint64_t opened_;
  std::uint64_t execution_;
  std::uint64_t affected_ = 0;
  bool ended_ = false;
  bool lost_ = false;  // a call was given up, and rows with it
};

}  // namespace polypool::odbc
