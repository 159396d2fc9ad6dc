// SPDX-License-Identifier: Apache-2.0
// Bringing calls back that nobody waits for any more.
#pragma once

#include "drivers/odbc/call_threads.hpp"
#include "drivers/odbc/connection.hpp"

#include <polypool/environment.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>

namespace polypool::odbc {

/// How long a session may take to end a statement that nobody waits for any more.
inline constexpr auto recovery_limit = std::chrono::seconds(5);
/// How long a thread that waits in a call itself waits for the database to be cancelled, before its socket is cut.
inline constexpr auto cancel_grace = std::chrono::seconds(1);

/// Asks the database to cancel, again and again until the call has ended: a request that comes before the statement
/// does is lost. @param cut_after then the socket is cut
void bring_back(call_threads& threads, std::shared_ptr<connection> where, std::uint64_t call,
                std::optional<std::chrono::milliseconds> cut_after);

/// Watches over a call on this thread: brings it back at the deadline, or on a stop.
class call_watch final : public timer {
 public:
  call_watch(call_threads& threads, const std::shared_ptr<connection>& where, std::uint64_t call,
             const environment& env);
  call_watch(const call_watch&) = delete;
  ~call_watch();
  /// Why it was brought back; `ready` when it was not.
  wait_result struck() const noexcept { return struck_.load(std::memory_order_acquire); }

 private:
  struct stop_action {
    call_watch* owner;
    void operator()() const noexcept { owner->strike(wait_result::stopped); }
  };
  void expired() noexcept override { strike(wait_result::timed_out); }
  void strike(wait_result why) noexcept;

  call_threads& threads_;
  const std::shared_ptr<connection>& where_;
  std::uint64_t call_;
  const environment& env_;
  std::atomic<wait_result> struck_{wait_result::ready};
  std::optional<std::stop_callback<stop_action>> stop_;
};

}  // namespace polypool::odbc
