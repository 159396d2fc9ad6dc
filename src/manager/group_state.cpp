// SPDX-License-Identifier: Apache-2.0
// Sending calls to members, and what a group says of itself.
#include "manager/group_state.hpp"

#include <algorithm>

namespace polypool::detail {
namespace {

balance_options balance_options_of(const config::group& from) {
  balance_options out;
  out.strategy = from.strategy;
  out.eject_after = from.eject_after;
  out.eject_time = from.eject_time;
  out.eject_max = from.eject_max;
  out.slow_start = from.slow_start;
  return out;
}

failover_options failover_options_of(const config::group& from) {
  failover_options out;
  out.fail_back = from.fail_back;
  out.fail_back_after = from.fail_back_after;
  out.two_primaries = from.two_primaries;
  out.max_lag = from.max_lag;
  out.unreachable_after = from.unreachable_after;
  out.settle_time = from.settle_time;
  return out;
}

std::vector<std::uint32_t> weights_of(const config::group& from) {
  std::vector<std::uint32_t> out;
  if (!from.primary.empty()) out.push_back(1);
  for (const auto* list : {&from.replicas, &from.backups, &from.members}) {
    for (const auto& each : *list) out.push_back(each.weight);
  }
  return out;
}

std::vector<member_role> roles_of(const config::group& from) {
  std::vector<member_role> out;
  if (!from.primary.empty()) out.push_back(member_role::primary);
  out.insert(out.end(), from.replicas.size(), member_role::replica);
  out.insert(out.end(), from.backups.size(), member_role::backup);
  out.insert(out.end(), from.members.size(), member_role::member);
  return out;
}

// What may mean that roles have changed.
bool smells_of_change(errc code) noexcept {
  switch (code) {
    case errc::connect_failed:
    case errc::connection_lost:
    case errc::authentication_failed:
    case errc::too_many_connections:
    case errc::connection_closed:
    case errc::circuit_open:
    case errc::deadline_exceeded:
    case errc::pool_timeout:
    case errc::read_only:
      return true;
    default:
      return false;
  }
}

}  // namespace

group_state::group_state(config::group configuration, std::vector<std::shared_ptr<connection_state>> members)
    : config_(std::move(configuration)),
      members_(std::move(members)),
      time_(members_.front()->time()),
      balance_(balance_options_of(config_), weights_of(config_)),
      all_writes_(config_.read_your_writes ? std::make_shared<consistency::state>() : nullptr),
      has_until_(members_.size()),
      primary_(failover() ? 0 : nobody),
      machine_(config_.names(), roles_of(config_), failover_options_of(config_)),
      positions_(members_.size()),
      seen_(members_.size()),
      before_(primary_) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    order_.emplace_back(members_[i].get(), i);
    has_until_[i].store(time_point::min().time_since_epoch().count());
  }
  std::ranges::sort(order_);
  if (failover()) balance_.allow(std::vector<bool>(members_.size(), false), time_.now());  // nobody has said so yet
}

void group_state::inherit(const group_router& before) {
  const auto* const old = dynamic_cast<const group_state*>(&before);
  if (!old || !failover() || !old->failover()) return;
  const std::scoped_lock lock(mutex_, old->mutex_);
  failovers_.store(old->failovers_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  changed_at_ = old->changed_at_;
  machine_.inherit(old->machine_, [&](std::size_t mine, std::size_t its) {
    return members_[mine]->target() == old->members_[its]->target();
  });
  const auto primary = machine_.decision().primary;
  before_ = primary ? static_cast<int>(*primary) : nobody;
  last_ = static_cast<int>(machine_.last_primary().value_or(0));
  primary_.store(before_, std::memory_order_release);
}

std::size_t group_state::index_of(const connection_state& member) const noexcept {
  const auto found =
      std::ranges::lower_bound(order_, &member, {}, &std::pair<const connection_state*, std::size_t>::first);
  return found != order_.end() && found->first == &member ? found->second : balancer::none;
}

// choosing -----------------------------------------------------------------------------------------------------------

std::shared_ptr<connection_state> group_state::choose(const call* how, const connection_state* avoid) {
  if (!watching_.load(std::memory_order_relaxed) && !start()) [[unlikely]] {
    throw error(errc::connection_closed, "the group is closed")
        .with_hint("connect() opens it again")
        .at(config_.name, "choose");
  }
  const std::size_t not_this = avoid ? index_of(*avoid) : balancer::none;
  if (!failover()) {
    const auto chosen = choose_any(not_this);
    if (chosen == balancer::none) [[unlikely]]
      refuse();
    return members_[chosen];
  }
  if (how && how->wanted_role() == role::replica) {
    const auto reader = choose_reader(how, not_this);
    if (reader != balancer::none) return members_[reader];
  }
  const int now = primary_.load(std::memory_order_acquire);
  if (now == nobody) [[unlikely]]
    refuse();
  balance_.count(static_cast<std::size_t>(now));
  return members_[static_cast<std::size_t>(now)];
}

bool group_state::still_takes(const call* how, const connection_state& member) const noexcept {
  if (!failover() || (how && how->wanted_role() == role::replica)) return true;
  const int now = primary_.load(std::memory_order_acquire);
  return now != nobody && members_[static_cast<std::size_t>(now)].get() == &member;
}

std::size_t group_state::choose_any(std::size_t avoid) noexcept {
  return balance_.choose([this](std::size_t i) { return members_[i]->load(); }, [this] { return time_.coarse_now(); },
                         avoid);
}

// A replica that has what the caller wrote; `none` when the primary is to be asked.
std::size_t group_state::choose_reader(const call* how, std::size_t avoid) {
  const auto token = token_of(how);
  if (!token) {
    const auto reader = choose_any(avoid);
    return reader == avoid ? balancer::none : reader;
  }
  const auto wanted = token->last_write(time_.now());
  const auto has_it = [&](std::size_t i) {
    if (i == avoid) return false;
    // What was over at the very moment in which the primary was asked may be in its answer or not.
    return wanted == time_point::min() || time_point(duration(has_until_[i].load(std::memory_order_acquire))) > wanted;
  };
  const auto reader = choose_any(avoid);
  if (reader == balancer::none || has_it(reader)) return reader;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const auto known = balance_.of(i);
    if (known.usable && !known.ejected && has_it(i)) return i;
  }
  return balancer::none;
}

std::shared_ptr<consistency::state> group_state::token_of(const call* how) const noexcept {
  if (how && how->token()) return how->token()->kept();
  return all_writes_;
}

std::shared_ptr<const void> group_state::note_write(const call* how) {
  if (!failover() || (how && how->wanted_role() == role::replica)) return nullptr;
  auto token = token_of(how);
  if (!token) return nullptr;
  token->began();
  consistency::state* const place = token.get();
  return {place, [kept = std::move(token)](const consistency::state*) { kept->ended(true); }};
}

void group_state::refuse() {
  look_soon();
  std::string why;
  bool several = false;
  {
    const std::scoped_lock lock(mutex_);
    why = machine_.decision().why;
    several = machine_.decision().several;
  }
  error problem(errc::no_primary, why);
  problem.with_hint(several ? "stop or demote the wrong one, or say which is right: polypool failover " + config_.name +
                                  " --to NAME"
                            : std::string("promote a server; it is noticed without a restart"));
  throw problem.at(config_.name, "choose");
}

void group_state::succeeded(const connection_state& member, duration took) noexcept {
  const auto i = index_of(member);
  if (i != balancer::none) balance_.succeeded(i, took);
}

void group_state::failed(const connection_state& member, const error& why) noexcept {
  const auto i = index_of(member);
  if (i == balancer::none) return;
  const auto code = why.portable_code();
  if (smells_of_change(code)) look_soon();
  // A replica that refuses a write is well; who sent it there is not.
  if (code == errc::read_only && failover()) return;
  if (!balance_.failed(i, time_.now())) return;
  try {
    members_[i]->log().warning("group", "a member failed too often and gets no calls for a while",
                               {{"group", config_.name}, {"member", members_[i]->name()}, {"error", why.cause()}});
  } catch (...) {
    return;  // no memory to say so
  }
}

// telling ------------------------------------------------------------------------------------------------------------

group_status group_state::status() const {
  group_status now;
  now.name = config_.name;
  now.type = config_.type;
  now.strategy = config_.strategy;
  now.failovers = failovers_.load(std::memory_order_relaxed);
  const auto roles = roles_of(config_);
  const auto weights = weights_of(config_);
  const std::scoped_lock lock(mutex_);
  const auto& decided = machine_.decision();
  if (failover()) {
    if (decided.primary) now.primary = members_[*decided.primary]->name();
    now.several_primaries = decided.several;
    now.detail = decided.why;
  }
  now.changed_at = changed_at_;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const auto balanced = balance_.of(i);
    auto& one = now.members.emplace_back();
    one.name = members_[i]->name();
    one.declared = roles[i];
    one.reachable = machine_.reachable(i);
    one.observed = seen_[i].said.role;
    one.lag = seen_[i].said.lag;
    one.position = seen_[i].said.position;
    one.problem = seen_[i].problem;
    one.current = failover() && decided.primary == i;
    one.readable = balanced.usable && !balanced.ejected;
    one.ejected = balanced.ejected;
    one.weight = weights[i];
    one.choices = balanced.choices;
    one.failures = balanced.failures;
    one.ejections = balanced.ejections;
    one.latency = balanced.latency;
  }
  return now;
}

}  // namespace polypool::detail
