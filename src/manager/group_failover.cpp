// SPDX-License-Identifier: Apache-2.0
#include "manager/group_failover.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <utility>

namespace polypool {

std::string_view to_string(member_role role) noexcept {
  switch (role) {
    case member_role::primary:
      return "primary";
    case member_role::replica:
      return "replica";
    case member_role::backup:
      return "backup";
    case member_role::member:
      break;
  }
  return "member";
}

namespace detail {

using role_type = server_info::role_type;

failover_machine::failover_machine(std::vector<std::string> names, std::vector<member_role> declared,
                                   failover_options options)
    : options_(options) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    member one{};
    one.name = std::move(names[i]);
    one.declared = declared[i];
    members_.push_back(std::move(one));
  }
  decision_.readable.resize(members_.size(), false);
  decision_.primary = declared_primary();
  decision_.why = "'" + members_[*decision_.primary].name + "' is the configured primary; nobody was asked yet";
  last_ = decision_.primary;
}

void failover_machine::inherit(const failover_machine& before,
                               const std::function<bool(std::size_t, std::size_t)>& same_server) {
  by_hand_ = before.by_hand_;
  failovers_ = before.failovers_;
  const auto& decided = before.decision_;
  if (!decided.primary) become(std::nullopt, decided.why);
  decision_.several = decided.several;
  for (std::size_t mine = 0; mine < members_.size(); ++mine) {
    const auto found = std::ranges::find(before.members_, members_[mine].name, &member::name);
    if (found == before.members_.end()) continue;
    const auto its = static_cast<std::size_t>(found - before.members_.begin());
    if (before.last_ == its) last_ = mine;
    if (decided.primary == its) become(mine, decided.why);
    if (!same_server(mine, its)) continue;
    const auto declared = std::exchange(members_[mine], *found).declared;
    members_[mine].declared = declared;
  }
}

std::size_t failover_machine::declared_primary() const noexcept {
  const auto found = std::ranges::find(members_, member_role::primary, &member::declared);
  return found == members_.end() ? 0 : static_cast<std::size_t>(found - members_.begin());
}

// Says of itself that it takes writes; of one that says nothing, the configuration does.
bool failover_machine::claims(const member& m) const noexcept {
  if (m.up != true || m.distrusted) return false;
  return m.said == role_type::primary || (m.said == role_type::unknown && m.declared == member_role::primary);
}

bool failover_machine::can_write(const member& m) const noexcept {
  if (m.up != true || m.distrusted) return false;
  return claims(m) || (m.said == role_type::unknown && m.declared == member_role::backup);
}

bool failover_machine::known_read_only(const member& m) const noexcept {
  return m.said == role_type::replica || m.said == role_type::read_only;
}

void failover_machine::note_ability(member& m, bool before, time_point now) const noexcept {
  if (can_write(m) && !before) m.able_since = now;
}

void failover_machine::saw(std::size_t index, const server_info& said, time_point now) {
  auto& m = members_[index];
  const bool before = can_write(m);
  m.up = true;
  m.misses = 0;
  m.said = said.role;
  m.lag = said.lag;
  if (known_read_only(m)) m.distrusted = false;
  note_ability(m, before, now);
}

void failover_machine::missed(std::size_t index, time_point /*now*/) {
  auto& m = members_[index];
  ++m.misses;
  if (!m.up || m.misses >= options_.unreachable_after) m.up = false;
}

// Each failover of late doubles it: a primary that comes and goes is left alone more and more.
duration failover_machine::hold(time_point now) const noexcept {
  auto recent = std::ranges::count_if(failovers_, [&](time_point at) { return now - at < memory; });
  duration wait = options_.settle_time;
  for (; recent > 1 && wait < memory; --recent) wait *= 2;
  return std::max<duration>(std::min<duration>(wait, memory), options_.fail_back_after);
}

bool failover_machine::prefers_back(std::size_t preferred, time_point now) {
  if (by_hand_ || options_.fail_back == config::fail_back_policy::manual) return false;
  const auto due = members_[preferred].able_since + hold(now);
  if (now >= due) return true;
  decision_.again_at = due;
  return false;
}

const failover_decision& failover_machine::decide(time_point now) {
  while (!failovers_.empty() && now - failovers_.front() >= memory) failovers_.pop_front();
  decision_.again_at = no_deadline;
  decision_.several = false;
  choose_one(now);
  if (decision_.primary && decision_.primary != last_) {
    last_ = decision_.primary;
    failovers_.push_back(now);
  }
  find_readable();
  return decision_;
}

void failover_machine::choose_one(time_point now) {
  std::vector<std::size_t> claimants;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (claims(members_[i])) claimants.push_back(i);
  }
  if (options_.two_primaries == config::several_primaries::in_order) return choose_in_order(now);
  choose_by_claims(claimants, now);
}

void failover_machine::choose_by_claims(const std::vector<std::size_t>& claimants, time_point now) {
  if (claimants.size() > 1) {
    become(std::nullopt, said_of(claimants) +
                             " say they are the primary; writes are refused until only one does, or until you say by "
                             "hand which one is right");
    decision_.several = true;
    return;
  }
  if (claimants.empty()) return nobody_claims();
  const auto only = claimants.front();
  const auto& one = members_[only];
  if (last_ && *last_ != only) {
    const auto& before = members_[*last_];
    // Not seen yet: it may say the same.
    if (!before.up && !known_read_only(before)) return;
    // A stand-in that works gives its place back by the policy only.
    if (can_write(before) && !prefers_back(only, now)) {
      return become(last_, "'" + before.name + "' stands in for '" + one.name + "'");
    }
  }
  become(only, "'" + one.name + "' is the primary");
}

void failover_machine::choose_in_order(time_point now) {
  std::optional<std::size_t> first;
  for (const auto wanted : {member_role::primary, member_role::replica, member_role::backup}) {
    for (std::size_t i = 0; i < members_.size() && !first; ++i) {
      if (members_[i].declared == wanted && can_write(members_[i])) first = i;
    }
  }
  if (!first) return nobody_claims();
  if (last_ && *last_ != *first) {
    const auto& before = members_[*last_];
    if (!before.up && !known_read_only(before)) return;
    const bool is_declared = members_[*first].declared == member_role::primary;
    if (can_write(before) && !(is_declared && prefers_back(*first, now))) {
      return become(last_, "'" + before.name + "' takes writes and works");
    }
  }
  become(first, "'" + members_[*first].name + "' is the first that takes writes");
}

void failover_machine::nobody_claims() {
  if (last_ && can_write(members_[*last_])) {  // a stand-in
    return become(last_, "'" + members_[*last_].name + "' stands in for the primary");
  }
  const bool waits = last_ && !members_[*last_].up;
  for (std::size_t i = 0; i < members_.size() && !waits; ++i) {
    if (can_write(members_[i])) return become(i, "'" + members_[i].name + "' stands in for the primary");
  }
  if (last_ && !known_read_only(members_[*last_]) && !members_[*last_].distrusted) {
    const auto& m = members_[*last_];
    return become(last_, m.up ? "'" + m.name + "' was the primary and cannot be reached; no other is one"
                              : "'" + m.name + "' is the configured primary; it was not asked yet");
  }
  become(std::nullopt, "no member is the primary: " + everybody());
}

void failover_machine::become(std::optional<std::size_t> next, std::string why) {
  decision_.primary = next;
  decision_.why = std::move(why);
}

void failover_machine::find_readable() {
  bool any = false;
  const auto fits = [&](std::size_t i, bool backups) {
    const auto& m = members_[i];
    if (m.up != true || m.misses > 0 || decision_.primary == i) return false;
    if ((m.declared == member_role::backup) != backups) return false;
    const bool replica = known_read_only(m) || (m.said == role_type::unknown && m.declared != member_role::primary);
    if (!replica) return false;
    return options_.max_lag <= duration::zero() || (m.lag && *m.lag <= options_.max_lag);
  };
  for (std::size_t i = 0; i < members_.size(); ++i) {
    decision_.readable[i] = fits(i, false);
    any = any || decision_.readable[i];
  }
  // Backups are read from when there is nothing else, not even a primary.
  for (std::size_t i = 0; !any && !decision_.primary && i < members_.size(); ++i) {
    decision_.readable[i] = fits(i, true);
  }
}

std::string failover_machine::fail_over_to(std::size_t index, time_point now) {
  auto& chosen = members_[index];
  if (chosen.up != true) return "'" + chosen.name + "' cannot be reached";
  if (known_read_only(chosen)) {
    return "'" + chosen.name + "' is a " + std::string(to_string(chosen.said)) + "; promote its server first";
  }
  const bool refuse = options_.two_primaries == config::several_primaries::refuse;
  chosen.distrusted = false;
  if (!can_write(chosen)) return "'" + chosen.name + "' is not configured to take writes";
  for (auto& other : members_) {
    if (&other != &chosen && refuse && claims(other)) other.distrusted = true;
  }
  note_ability(chosen, false, now);
  by_hand_ = true;
  if (last_ != index) failovers_.push_back(now);
  last_ = index;
  return {};
}

std::string failover_machine::fail_back(time_point now) {
  const auto preferred = declared_primary();
  auto problem = fail_over_to(preferred, now);
  if (problem.empty()) by_hand_ = false;
  return problem;
}

std::optional<std::size_t> failover_machine::next_after_current() const {
  const auto start = decision_.primary ? *decision_.primary : declared_primary();
  for (std::size_t step = 1; step <= members_.size(); ++step) {
    const auto i = (start + step) % members_.size();
    if (decision_.primary == i) continue;
    if (can_write(members_[i])) return i;
  }
  return std::nullopt;
}

bool failover_machine::calm(bool with_primary) const noexcept {
  return (decision_.primary || !with_primary) &&
         std::ranges::all_of(members_, [](const member& m) { return m.up == true && m.misses == 0; });
}

std::string failover_machine::said_of(const std::vector<std::size_t>& which) const {
  std::string names;
  for (std::size_t i = 0; i < which.size(); ++i) {
    if (i > 0) names += i + 1 == which.size() ? " and " : ", ";
    names += "'" + members_[which[i]].name + "'";
  }
  return names;
}

std::string failover_machine::everybody() const {
  std::string text;
  for (const auto& m : members_) {
    if (!text.empty()) text += ", ";
    text += "'" + m.name + "' ";
    if (!m.up) {
      text += "was not asked yet";
    } else if (m.distrusted) {
      text += "was set aside by hand";
    } else {
      text += *m.up ? "is a " + std::string(to_string(m.said)) : "cannot be reached";
    }
  }
  return text;
}

}  // namespace detail
}  // namespace polypool
