// SPDX-License-Identifier: Apache-2.0
// Looking at the members of a group, and what follows from what was seen.
#include "driver/replication_position.hpp"
#include "manager/group_state.hpp"

#include <algorithm>

namespace polypool::detail {
namespace {

// Between looks while something is wrong, and after a call has failed.
constexpr duration alert_interval = std::chrono::seconds(1);
constexpr duration shortest_pause = std::chrono::milliseconds(100);

std::shared_ptr<background> unowned(background& work) { return {std::shared_ptr<void>(), &work}; }

// Whether the error tells that nobody is there; else it tells that somebody is, or nothing.
bool unreachable(errc code) noexcept {
  switch (code) {
    case errc::connect_failed:
    case errc::authentication_failed:
    case errc::connection_lost:
    case errc::connection_closed:
    case errc::too_many_connections:
    case errc::deadline_exceeded:
    case errc::unsupported_database:
      return true;
    default:
      return false;
  }
}

}  // namespace

// looking ------------------------------------------------------------------------------------------------------------

bool group_state::start() noexcept {
  try {
    std::stop_token token;
    {
      const std::scoped_lock lock(mutex_);
      const auto host = host_.lock();
      if (!host) return false;
      const auto phase = host->phase();
      const bool open = phase == connection_phase::registered || phase == connection_phase::connecting ||
                        phase == connection_phase::connected;
      if (watching_ || !open) return open;
      stop_ = std::stop_source();
      token = stop_.get_token();
      watching_.store(true, std::memory_order_relaxed);
    }
    members_.front()->work().spawn(watch(shared_from_this(), std::move(token)));
  } catch (...) {
    watching_.store(false, std::memory_order_relaxed);  // the next call tries again
  }
  return true;
}

void group_state::stop() noexcept {
  std::stop_source running{std::nostopstate};
  {
    const std::scoped_lock lock(mutex_);
    std::swap(running, stop_);
    watching_.store(false, std::memory_order_relaxed);
  }
  for (const auto& each : members_) each->note_lag(std::nullopt);  // nobody keeps it true any more
  running.request_stop();
}

void group_state::look_soon() noexcept {
  if (!poke_.is_set()) poke_.set();
}

duration group_state::pause() const {
  const std::scoped_lock lock(mutex_);
  duration wait = config_.role_check_interval;
  if (!machine_.calm(failover())) wait = std::min<duration>(wait, alert_interval);
  const auto again = machine_.decision().again_at;
  if (again != no_deadline) wait = std::min(wait, again - time_.now());
  return std::max(wait, shortest_pause);
}

task<void> group_state::watch(std::shared_ptr<group_state> self, std::stop_token stop) {
  while (!stop.stop_requested()) {
    self->poke_.reset();
    try {
      task<void> looking = look_at_all(self);
      co_await with_stop(stop, std::move(looking));
    } catch (const error& e) {
      if (stop.stop_requested()) co_return;
      self->members_.front()->log().warning("group", "looking at the members failed",
                                            {{"group", self->config_.name}, {"error", e.what()}});
    }
    if (stop.stop_requested()) co_return;
    task<wait_result> resting = sleep_for(shortest_pause);
    const wait_result rested = co_await with_stop(stop, std::move(resting));
    if (rested != wait_result::ready) co_return;
    const duration left = self->pause() - shortest_pause;
    if (left <= duration::zero()) continue;
    task<wait_result> waiting = with_timeout(left, self->poke_.wait());
    const wait_result ended = co_await with_stop(stop, std::move(waiting));
    if (ended == wait_result::stopped) co_return;
  }
}

task<server_info> group_state::ask_once(std::shared_ptr<connection_state> member) {
  task<server_info> asking = member->describe();
  co_return co_await std::move(asking);
}

// A session of the pool may have died since it was used; the second one says the truth.
task<void> group_state::ask(std::shared_ptr<group_state> self, std::shared_ptr<answers> into, std::size_t index) {
  const auto& member = self->members_[index];
  auto& mine = (*into)[index];
  const duration limit =
      std::clamp<duration>(self->config_.role_check_interval, std::chrono::seconds(2), std::chrono::seconds(5));
  for (int attempt = 0; attempt < 2; ++attempt) {
    mine.asked = self->time_.now();
    std::optional<error> failure;
    try {
      mine.said = co_await with_timeout(limit, ask_once(member));
      mine.problem.clear();
      co_return;
    } catch (const error& e) {
      failure.emplace(e);
    }
    const auto code = failure->portable_code();
    mine.problem = failure->cause();
    if (code == errc::connection_lost && attempt == 0) continue;
    const bool waited = code == errc::pool_timeout || code == errc::pool_queue_full;
    if (unreachable(code) || (waited && member->cannot_connect())) co_return;
    if (waited || code == errc::cancelled || code == errc::shutting_down) {
      mine.news = false;  // all its sessions are at work, or we are leaving
    } else {
      mine.said.emplace();  // somebody is there, who does not say what it is
    }
    co_return;
  }
}

task<void> group_state::look_at_all(std::shared_ptr<group_state> self) {
  const auto heard = std::make_shared<answers>(self->members_.size());
  std::vector<task<void>> work;
  for (std::size_t i = 0; i < self->members_.size(); ++i) work.push_back(ask(self, heard, i));
  task<wait_result> all = run_all(unowned(self->members_.front()->work()), std::move(work));
  const wait_result ended = co_await std::move(all);
  throw_unless_ready(ended);  // cut short, their silence would mean nothing
  self->learn(*heard);
}

task<void> group_state::look() {
  start();
  task<void> looking = look_at_all(shared_from_this());
  co_await std::move(looking);
}

task<void> group_state::connect() {
  task<void> looking = look();
  co_await std::move(looking);
  const std::scoped_lock lock(mutex_);
  if (serves()) co_return;
  std::string what = failover() ? machine_.decision().why : "no member can be reached";
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!seen_[i].problem.empty()) what += "; " + members_[i]->name() + ": " + seen_[i].problem;
  }
  throw error(failover() && machine_.decision().several ? errc::no_primary : errc::connect_failed, what);
}

// by hand ------------------------------------------------------------------------------------------------------------

task<void> group_state::fail_over(std::string to) {
  if (!failover()) {
    throw error(errc::unsupported, "a balance group has no primary").at(config_.name, "failover");
  }
  std::size_t index = balancer::none;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i]->name() == to) index = i;
  }
  if (!to.empty() && index == balancer::none) {
    throw error(errc::connection_not_found, "'" + to + "' is not a member of the group").at(config_.name, "failover");
  }
  task<void> looking = look();
  co_await std::move(looking);
  choose_by_hand([&](time_point now) {
    if (to.empty()) {
      if (machine_.decision().several) return machine_.decision().why;  // nobody may guess which one is right
      const auto next = machine_.next_after_current();
      if (!next) return std::string("no other member can take writes; promote one first");
      index = *next;
    }
    return machine_.fail_over_to(index, now);
  });
}

task<void> group_state::fail_back() {
  if (!failover()) {
    throw error(errc::unsupported, "a balance group has no primary").at(config_.name, "failback");
  }
  task<void> looking = look();
  co_await std::move(looking);
  choose_by_hand([&](time_point now) { return machine_.fail_back(now); });
}

// deciding -----------------------------------------------------------------------------------------------------------

void group_state::learn(answers& heard) {
  news happened;
  {
    const std::scoped_lock lock(mutex_);
    compare_positions(heard);
    take_in(heard);
    happened = decide(time_.now());
  }
  act_on(std::move(happened));
}

void group_state::choose_by_hand(const std::function<std::string(time_point)>& choice) {
  news happened;
  std::string problem;
  {
    const std::scoped_lock lock(mutex_);
    const auto now = time_.now();
    problem = choice(now);
    if (problem.empty()) happened = decide(now);
  }
  if (!problem.empty()) throw error(errc::no_primary, problem).at(config_.name, "failover");
  act_on(std::move(happened));
}

// A replica that is asked alone may know where it is, but not how far that is behind the others; see position_lag().
void group_state::compare_positions(answers& heard) const {
  for (std::size_t i = 0; i < heard.size(); ++i) {
    if (!heard[i].said || heard[i].said->role != server_info::role_type::replica || heard[i].said->lag) continue;
    auto& mine = *heard[i].said;
    for (std::size_t other = 0; other < heard.size(); ++other) {
      if (other == i) continue;
      // Of one that is silent now, what it said last.
      const auto& its = heard[other].said ? heard[other].said->position : seen_[other].said.position;
      const auto behind = position_lag(mine.position, its);
      if (behind) mine.lag = std::max(mine.lag.value_or(duration::zero()), *behind);
    }
  }
}

void group_state::take_in(const answers& heard) {
  const auto now = time_.now();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const auto& one = heard[i];
    auto& known = seen_[i];
    if (!one.news || one.asked < known.asked) continue;  // somebody else has asked since
    known.asked = one.asked;
    known.problem = one.problem;
    if (one.said) {
      known.said = *one.said;
      members_[i]->note_lag(known.said.lag);
      machine_.saw(i, *one.said, now);
    } else {
      machine_.missed(i, now);
    }
  }
  if (!failover() || before_ == nobody) return;
  const auto current = static_cast<std::size_t>(before_);
  if (heard[current].said && heard[current].said->role == server_info::role_type::primary) {
    positions_.primary_at(heard[current].said->position, heard[current].asked);
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i != current && heard[i].said) positions_.replica_at(i, heard[i].said->position);
  }
}

bool group_state::serves() const {
  if (failover()) {
    const auto& decided = machine_.decision();
    return decided.primary && machine_.reachable(*decided.primary) != false;
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (machine_.reachable(i) != false) return true;
  }
  return false;
}

group_state::news group_state::decide(time_point now) {
  news out;
  if (!failover()) {
    std::vector<bool> usable(members_.size());
    const bool some = serves();
    // When nobody answers, somebody may still: each call finds out by itself.
    for (std::size_t i = 0; i < members_.size(); ++i) usable[i] = !some || machine_.reachable(i) != false;
    balance_.allow(usable, now);
    return out;
  }
  const auto& decided = machine_.decide(now);
  const int next = decided.primary ? static_cast<int>(*decided.primary) : nobody;
  if (next != before_) {
    out.detail = decided.why;
    if (before_ != nobody) {
      out.retired = members_[static_cast<std::size_t>(before_)];
      out.from = out.retired->name();
    } else if (last_ != next) {
      out.from = members_[static_cast<std::size_t>(last_)]->name();
    }
    if (next != nobody) out.to = members_[static_cast<std::size_t>(next)]->name();
    out.happened = true;
    positions_.forget();
    if (next != nobody && next != last_) {
      failovers_.fetch_add(1, std::memory_order_relaxed);
      last_ = next;
    }
    before_ = next;
    changed_at_ = std::chrono::system_clock::now();
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    has_until_[i].store(positions_.has_until(i).time_since_epoch().count(), std::memory_order_release);
  }
  balance_.allow(decided.readable, now);
  primary_.store(next, std::memory_order_release);
  return out;
}

// Without a lock: it tells others.
void group_state::act_on(news happened) {
  const auto host = host_.lock();
  if (happened.happened) {
    if (happened.retired) happened.retired->retire_sessions();
    if (host) {
      const bool lost = happened.to.empty();
      host->log().write(
          lost ? log::level::error : log::level::warning, "group",
          lost ? "no member takes writes" : "writes go to another member",
          {{"group", config_.name}, {"from", happened.from}, {"to", happened.to}, {"why", happened.detail}});
      host->tell(event_kind::failover, happened.from, happened.to, happened.detail);
    }
  }
  if (host) report_health(*host);
}

void group_state::report_health(connection_state& host) {
  health_status found = health_status::healthy;
  std::string reason;
  std::optional<server_info> server;
  {
    const std::scoped_lock lock(mutex_);
    std::string missing;
    bool asked = false;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      asked = asked || machine_.reachable(i).has_value();
      if (machine_.reachable(i) == false) missing += (missing.empty() ? "" : ", ") + members_[i]->name();
    }
    if (!asked) return;
    if (!serves()) {
      found = health_status::unhealthy;
      reason = failover() ? machine_.decision().why : std::string("no member can be reached");
    } else if (!missing.empty()) {
      found = health_status::degraded;
      reason = "it works without " + missing;
    }
    const auto& decided = machine_.decision();
    if (failover() && decided.primary) server = seen_[*decided.primary].said;
  }
  host.report(found, std::move(reason), std::move(server));
}

}  // namespace polypool::detail
