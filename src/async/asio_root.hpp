// SPDX-License-Identifier: Apache-2.0
// A task tree on an Asio executor, and how it waits there.
#pragma once

#include "async/context_service.hpp"

#include <polypool/asio.hpp>
#include <polypool/environment.hpp>
#include <polypool/task.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <coroutine>
#include <memory>
#include <optional>

namespace polypool::detail {

/// Owns itself while its task runs. The executor may have many threads: `state_` is the handshake that keeps a wake-up,
/// which may come on any of them, from resuming the tree while another thread is still leaving it.
class asio_root final : public scheduler {
 public:
  asio_root(const boost::asio::any_io_executor& executor, task<void> body, std::unique_ptr<root_completion> done,
            std::stop_token stop, clock& time);
  ~asio_root() override;

  void start();
  void resume(std::coroutine_handle<> waiter) noexcept override;
  void wait_socket(socket_wait& wait) override;
  void cancel_socket(socket_wait& wait) noexcept override;
  void arm(timer& item, time_point when) override { service_.timers.arm(item, when); }
  void disarm(timer& item) noexcept override { service_.timers.disarm(item); }
  void offload(offloaded_call& call) override;
  const void* loop() const noexcept override { return &service_; }

  /// Goes on with the tree, on the executor.
  void drive() noexcept;
  asio_root* next_woken() const noexcept { return next_woken_; }
  void set_next_woken(asio_root* next) noexcept { next_woken_ = next; }

 private:
  enum : int { suspended, running, woken };
  void post_drive() noexcept;
  void socket_done(socket_wait& wait) noexcept;

  boost::asio::any_io_executor plain_;                            // for descriptors, which outlive the root
  boost::asio::any_io_executor executor_;                         // counts as outstanding work while the root lives
  std::optional<boost::asio::io_context::executor_type> direct_;  // the same, where it is this: posting costs less
  context_service& service_;
  environment env_;
  std::unique_ptr<root_completion> done_;
  task<void> body_;
  std::coroutine_handle<> next_;
  std::atomic<int> state_{woken};
  asio_root* next_woken_ = nullptr;  // in the service's list
};

}  // namespace polypool::detail
