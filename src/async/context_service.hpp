// SPDX-License-Identifier: Apache-2.0
// What Polypool keeps beside an Asio execution context: timers, worker threads, registered sockets, living roots.
#pragma once

#include "async/timer_thread.hpp"
#include "async/worker_threads.hpp"

#include <polypool/environment.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>

namespace polypool::detail {

class registration;

/// The sockets registered with one event loop. Shared with them, since either side may go first.
struct registered_sockets {
  std::mutex mutex;  // taken before a registration's own
  std::unordered_set<registration*> all;
  /// The event loop goes: lets go of all descriptors.
  void forget_all() noexcept;
};

/// A socket known to one event loop. Kept by the session (socket_slot) and by the waits on it.
class registration {
 public:
  registration(std::shared_ptr<registered_sockets> list, const boost::asio::any_io_executor& executor, int descriptor);
  ~registration();
  registration(const registration&) = delete;

  bool serves(const registered_sockets& list, int descriptor);
  /// Ends all waits of this epoch.
  void cancel(std::uint64_t epoch) noexcept;

  std::mutex mutex;
  std::uint64_t epoch = 0;
  std::optional<boost::asio::posix::stream_descriptor> descriptor;  // empty once its event loop is gone

 private:
  std::shared_ptr<registered_sockets> list_;
  int number_;
};

class asio_root;

/// Roots that were woken, until the context's thread runs them: all that are there at once, since many wake at a time
/// and to post each of them costs more than a switch of tasks. Lock-free.
class woken_roots {
 public:
  /// @return true when it is the first one, and its caller has to post a run of take_all()
  bool push(asio_root& root) noexcept;
  /// All of them, in the order in which they were woken; linked by next_woken().
  asio_root* take_all() noexcept;
  /// Where several threads run the context, each root is better posted by itself, or one thread would have them all.
  bool has_many_threads() const noexcept { return many_threads_.load(std::memory_order_relaxed); }

 private:
  std::atomic<asio_root*> newest_{nullptr};
  std::atomic<std::thread::id> thread_{};  // the first that took any
  std::atomic<bool> many_threads_{false};
};

class context_service final : public boost::asio::execution_context::service {
 public:
  using key_type = context_service;
  static boost::asio::execution_context::id id;
  explicit context_service(boost::asio::execution_context& context) : service(context) {}

  timer_thread timers;
  const std::shared_ptr<registered_sockets> sockets = std::make_shared<registered_sockets>();
  worker_threads workers;
  woken_roots woken;
  /// Runs the woken ones.
  void drive_woken() noexcept;
  void add(asio_root& root);
  void remove(asio_root& root) noexcept;

  /// Somebody, in any thread, hands a root to the context. What is handed over may run, and end, and let the context's
  /// owner destroy it, before that call is back: shutdown() waits for it.
  class posting {
   public:
    explicit posting(context_service& into) noexcept : into_(into) {
      into_.posting_.fetch_add(1, std::memory_order_relaxed);
    }
    ~posting() { into_.posting_.fetch_sub(1, std::memory_order_release); }
    posting(const posting&) = delete;
    posting& operator=(const posting&) = delete;

   private:
    context_service& into_;
  };

 private:
  void shutdown() noexcept override;
  std::atomic<int> posting_{0};
  std::mutex mutex_;
  std::unordered_set<asio_root*> roots_;
};

}  // namespace polypool::detail
