// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// What a driver for Redis, and what speaks its protocol, implements.
#pragma once

#include <polypool/driver.hpp>
#include <polypool/redis_command.hpp>
#include <polypool/redis_reply.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace polypool {

/// A session that takes commands. Unlike other sessions it serves any number of callers at once, threads and tasks
/// alike: their commands go out together in few writes, and each gets its own reply. A caller who gives up (deadline,
/// stop, a task that is dropped) leaves its reply to be read and thrown away, so that nobody else's is shifted.
///
/// Commands that change the session (SELECT, MULTI, WATCH …) or hold it up (BLPOP …) are for somebody who has it alone.
class key_value_session : public session {
 public:
  /// Runs one command. Throws what the server complains about (see redis_error), connection_lost, deadline_exceeded,
  /// cancelled; and invalid_argument for what cannot be matched with a reply (SUBSCRIBE, MONITOR, CLIENT REPLY …).
  /// @param what outlives the task
  virtual task<redis_reply> execute(const redis_command& what) = 0;
  /// Runs several commands in one write, with nobody else's between them. What the server complains about stands among
  /// the replies, each in the place of its command.
  /// @param what outlives the task
  virtual task<std::vector<redis_reply>> pipeline(const redis_batch& what) = 0;

  /// Sends SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE or one of their opposites. What the server answers comes by next_push().
  /// @param what outlives the task
  virtual task<void> send(const redis_command& what) = 0;
  /// The next thing that the server says by itself: a message, the confirmation of a subscription, an invalidation.
  /// One caller at a time. One who gives up loses nothing.
  virtual task<redis_reply> next_push() = 0;

  /// How many replies are still to come.
  virtual std::size_t outstanding() const noexcept = 0;
  /// Commands whose callers have given up, and whose replies have not come yet.
  virtual std::size_t abandoned() const noexcept = 0;
  /// 2 or 3.
  virtual int protocol() const noexcept = 0;
};

}  // namespace polypool
