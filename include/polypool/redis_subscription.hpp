// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Messages of channels and patterns.
#pragma once

#include <polypool/task.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace polypool {

class redis_database;

/// Something published.
struct redis_message {
  std::string channel;
  std::string pattern;  ///< that it matched; empty when the channel itself was subscribed
  std::string payload;
};

/// Receives what is published on channels and patterns, on a session of its own. When the session is lost it takes
/// another one and subscribes again; what is published meanwhile is lost, as Redis keeps none, and interruptions()
/// tells.
///
/// One thread or task receives; others may subscribe and unsubscribe meanwhile. It has to outlive the tasks it gives.
class redis_subscription {
 public:
  redis_subscription(redis_subscription&&) noexcept;
  redis_subscription& operator=(redis_subscription&&) noexcept;
  ~redis_subscription();

  /// Subscribes now, and returns once the server has confirmed. receive() does so by itself.
  void start();
  /// start() as a task.
  task<void> async_start();
  /// The next message. Waits without limit of its own: the caller's deadline and stop token count; nothing is lost by
  /// them. After a lost session it tries again until it works, the caller's time is over, or the error is permanent.
  redis_message receive();
  /// receive() as a task.
  task<redis_message> async_receive();
  /// Waits at most this long; nothing when no message came.
  std::optional<redis_message> receive_for(duration limit);

  /// SUBSCRIBE: adds channels. In force on the server once receive() has read on; so are the others.
  void subscribe(std::vector<std::string> channels);
  /// PSUBSCRIBE: adds glob patterns.
  void psubscribe(std::vector<std::string> patterns);
  /// UNSUBSCRIBE: takes channels away; those that are not there do not matter.
  void unsubscribe(std::vector<std::string> channels);
  /// PUNSUBSCRIBE: takes patterns away.
  void punsubscribe(std::vector<std::string> patterns);
  /// subscribe() as a task.
  task<void> async_subscribe(std::vector<std::string> channels);
  /// psubscribe() as a task.
  task<void> async_psubscribe(std::vector<std::string> patterns);
  /// unsubscribe() as a task.
  task<void> async_unsubscribe(std::vector<std::string> channels);
  /// punsubscribe() as a task.
  task<void> async_punsubscribe(std::vector<std::string> patterns);

  /// How often its session was lost: whoever keeps something up to date by messages has to look again then.
  std::uint64_t interruptions() const noexcept;
  /// Gives the session back. A later receive() begins again.
  void stop() noexcept;

 private:
  friend class redis_database;
  struct state;
  explicit redis_subscription(std::unique_ptr<state> made) noexcept;
  std::unique_ptr<state> state_;
};

}  // namespace polypool
