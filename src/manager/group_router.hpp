// SPDX-License-Identifier: Apache-2.0
// Where the calls of a connection go that stands for several ones.
#pragma once

#include <polypool/error.hpp>
#include <polypool/groups.hpp>
#include <polypool/sql.hpp>

#include <memory>

namespace polypool::detail {

class connection_state;

/// What a group decides. Thread-safe; on the path of every call, so it takes no lock that is held across I/O.
class group_router {
 public:
  virtual ~group_router() = default;

  /// The member that a call goes to now. Throws what the group has against it: no member that works, two primaries.
  /// @param how the call's own wishes; may be null
  /// @param avoid the member where it has just failed; may be null
  virtual std::shared_ptr<connection_state> choose(const call* how, const connection_state* avoid) = 0;
  /// Whether a call that was sent to this member, and then waited, may still go there: writes may not when they go to
  /// another one now.
  virtual bool still_takes(const call* how, const connection_state& member) const noexcept = 0;
  /// How a call to a member ended.
  virtual void succeeded(const connection_state& member, duration took) noexcept = 0;
  virtual void failed(const connection_state& member, const error& why) noexcept = 0;

  /// What a call has to keep alive until it is over, so that reads after it see what it wrote; null when nobody asks.
  /// @param how the call's own wishes; may be null
  virtual std::shared_ptr<const void> note_write(const call* how) = 0;

  /// Looks at all members now, and decides. The first look starts those that follow.
  virtual task<void> look() = 0;
  /// Ends looking at them.
  virtual void stop() noexcept = 0;
  /// Throws what connection_state::connect does when the group cannot serve its purpose.
  virtual task<void> connect() = 0;
  virtual group_status status() const = 0;
  virtual const config::group& configuration() const noexcept = 0;
  /// By hand; see polypool::group. Each looks first.
  virtual task<void> fail_over(std::string to) = 0;
  virtual task<void> fail_back() = 0;
  virtual const std::vector<std::shared_ptr<connection_state>>& members() const noexcept = 0;
  /// Goes on where the group stopped whose place this one takes: with its primary, and with what was said by hand.
  /// Before anybody else knows it.
  virtual void inherit(const group_router& before) = 0;
};

}  // namespace polypool::detail
