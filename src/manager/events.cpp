// SPDX-License-Identifier: Apache-2.0
#include <polypool/events.hpp>

#include <algorithm>
#include <deque>
#include <utility>

namespace polypool {

std::string_view to_string(event_kind kind) noexcept {
  static constexpr std::array<std::string_view, 13> words{
      "health-change",     "connection-error", "connection-recovery", "failover", "circuit-open",
      "circuit-half-open", "circuit-closed",   "pool-exhausted",      "leak",     "active-changed",
      "registered",        "removed",          "configuration"};
  return words[static_cast<std::size_t>(kind)];
}

struct event_bus::state {
  struct member {
    std::uint64_t id = 0;
    listener told;
  };
  mutable std::mutex mutex;  // guards what follows
  std::deque<connection_event> last;
  std::uint64_t next_event = 1;
  std::uint64_t next_member = 1;
  std::vector<std::shared_ptr<member>> members;
  std::recursive_mutex telling;  // held while listeners are called: a listener may publish
};

event_bus::event_bus() : state_(std::make_shared<state>()) {}
event_bus::~event_bus() = default;

void event_bus::publish(connection_event what) noexcept {
  try {
    const std::scoped_lock one_at_a_time(state_->telling);
    std::vector<std::shared_ptr<state::member>> to;
    {
      const std::scoped_lock lock(state_->mutex);
      what.id = state_->next_event++;
      if (what.at == decltype(what.at)()) what.at = std::chrono::system_clock::now();
      state_->last.push_back(what);
      if (state_->last.size() > kept) state_->last.pop_front();
      to = state_->members;
    }
    for (const auto& each : to) {
      try {
        each->told(what);
      } catch (...) {
        // A listener's trouble is its own.
      }
    }
  } catch (...) {
    // No memory for an event: what it tells of goes on without it.
  }
}

event_bus::subscription event_bus::subscribe(listener told) {
  const std::scoped_lock lock(state_->mutex);
  const auto id = state_->next_member++;
  state_->members.push_back(std::make_shared<state::member>(state::member{id, std::move(told)}));
  return {state_, id};
}

std::vector<connection_event> event_bus::recent(std::size_t most, std::uint64_t after) const {
  const std::scoped_lock lock(state_->mutex);
  auto first = std::ranges::find_if(state_->last, [&](const connection_event& each) { return each.id > after; });
  const auto found = static_cast<std::size_t>(state_->last.end() - first);
  if (found > most) first += static_cast<std::ptrdiff_t>(found - most);
  return {first, state_->last.end()};
}

event_bus::subscription::subscription(subscription&& other) noexcept
    : bus_(std::move(other.bus_)), id_(std::exchange(other.id_, 0)) {}
event_bus::subscription& event_bus::subscription::operator=(subscription&& other) noexcept {
  std::swap(bus_, other.bus_);
  std::swap(id_, other.id_);
  return *this;
}
event_bus::subscription::~subscription() {
  const auto bus = bus_.lock();
  if (!bus || id_ == 0) return;
  const std::scoped_lock no_call_runs(bus->telling);
  const std::scoped_lock lock(bus->mutex);
  std::erase_if(bus->members, [&](const auto& each) { return each->id == id_; });
}

}  // namespace polypool
