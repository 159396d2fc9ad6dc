// SPDX-License-Identifier: Apache-2.0
// Which member of a group takes writes, and which may be read from: pure logic over what was seen of them.
#pragma once

#include <polypool/clock.hpp>
#include <polypool/groups.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace polypool::detail {

struct failover_options {
  config::fail_back_policy fail_back = config::fail_back_policy::automatic;
  duration fail_back_after{};
  config::several_primaries two_primaries = config::several_primaries::refuse;
  duration max_lag{};  // 0: no limit
  std::uint32_t unreachable_after = 2;
  duration settle_time = std::chrono::seconds(10);
};

/// What the group does now.
struct failover_decision {
  std::optional<std::size_t> primary;
  bool several = false;        // more than one says it is the primary, and none is used
  std::string why;             // a sentence
  std::vector<bool> readable;  // as a replica
  /// When to decide again although nothing was seen; far away when there is no such time.
  time_point again_at = no_deadline;
};

/// Follows the members' roles. Not thread-safe.
///
/// Roles are what servers say; what is declared counts for servers that say nothing. Writes go to the one that says it
/// is the primary. Two of them are a split brain, and nobody gets writes until one is a replica, is gone, or somebody
/// says by hand which one is right; unless `in_order` says that all of them take writes: then the one in use stays in
/// use while it works, the first in the order follows it, and the declared primary gets its place back by the policy.
/// A member whose last word was that it is read-only never gets writes. One that cannot be reached any more keeps them
/// until another one is there: a call says best what is wrong with it.
class failover_machine {
 public:
  /// How many failovers count for damping.
  static constexpr duration memory = std::chrono::minutes(10);

  /// @param names for sentences
  failover_machine(std::vector<std::string> names, std::vector<member_role> declared, failover_options options);

  /// Goes on where another one stopped: with its primary, with what was said by hand, and with what is known of members
  /// of the same name. @param same_server of this one's member and the other's, whether they are one server
  void inherit(const failover_machine& before, const std::function<bool(std::size_t, std::size_t)>& same_server);
  /// A member has answered, or has not.
  void saw(std::size_t member, const server_info& said, time_point now);
  void missed(std::size_t member, time_point now);
  /// What to do now. Counts as a failover when the primary is another one than before.
  const failover_decision& decide(time_point now);

  /// By hand. @return what is against it; empty when it is done, and decide() will say so
  std::string fail_over_to(std::size_t member, time_point now);
  std::string fail_back(time_point now);
  /// The next member that can take writes, for a failover to wherever.
  std::optional<std::size_t> next_after_current() const;

  const failover_decision& decision() const noexcept { return decision_; }
  /// The last primary there was.
  std::optional<std::size_t> last_primary() const noexcept { return last_; }
  std::optional<bool> reachable(std::size_t member) const noexcept { return members_[member].up; }
  server_info::role_type role(std::size_t member) const noexcept { return members_[member].said; }
  std::optional<duration> lag(std::size_t member) const noexcept { return members_[member].lag; }
  /// All members were looked at and answer, and one of them is the primary if there has to be one.
  bool calm(bool with_primary) const noexcept;
  /// How long the declared primary has to work before it gets its place back.
  duration hold(time_point now) const noexcept;

 private:
  struct member {
    std::string name;
    member_role declared;
    std::optional<bool> up;  // nothing: never looked at
    server_info::role_type said = server_info::role_type::unknown;
    std::optional<duration> lag;
    std::uint32_t misses = 0;  // in a row
    time_point able_since{};   // to take writes
    bool distrusted = false;   // by hand: another one is the primary, whatever this one says
  };
  bool claims(const member& m) const noexcept;
  bool can_write(const member& m) const noexcept;
  bool known_read_only(const member& m) const noexcept;
  void note_ability(member& m, bool before, time_point now) const noexcept;
  std::size_t declared_primary() const noexcept;
  bool prefers_back(std::size_t preferred, time_point now);
  void choose_one(time_point now);
  void choose_by_claims(const std::vector<std::size_t>& claimants, time_point now);
  void choose_in_order(time_point now);
  void nobody_claims();
  void become(std::optional<std::size_t> next, std::string why);
  void find_readable();
  std::string said_of(const std::vector<std::size_t>& which) const;
  std::string everybody() const;

  std::vector<member> members_;
  const failover_options options_;
  std::optional<std::size_t> last_;  // the last primary there was
  bool by_hand_ = false;             // somebody chose: no automatic fail-back
  std::deque<time_point> failovers_;
  failover_decision decision_;
};

}  // namespace polypool::detail
