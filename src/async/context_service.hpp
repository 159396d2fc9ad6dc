// SPDX-License-Identifier: Apache-2.0
// What Polypool keeps beside an Asio execution context: timers, worker threads, registered sockets, living roots.
#pragma once

#include "async/timer_thread.hpp"
#include "async/worker_threads.hpp"

#include <polypool/environment.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <mutex>
#include <optional>
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

class context_service final : public boost::asio::execution_context::service {
 public:
  using key_type = context_service;
  static boost::asio::execution_context::id id;
  explicit context_service(boost::asio::execution_context& context) : service(context) {}

  timer_thread timers;
  const std::shared_ptr<registered_sockets> sockets = std::make_shared<registered_sockets>();
  worker_threads workers;
  void add(asio_root& root);
  void remove(asio_root& root) noexcept;

 private:
  void shutdown() noexcept override;
  std::mutex mutex_;
  std::unordered_set<asio_root*> roots_;
};

}  // namespace polypool::detail
