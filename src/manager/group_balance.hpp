// SPDX-License-Identifier: Apache-2.0
// Choosing among the members of a group: pure logic over time points that the caller gives.
#pragma once

#include <polypool/clock.hpp>
#include <polypool/config.hpp>

#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <vector>

namespace polypool::detail {

struct balance_options {
  config::balance_strategy strategy = config::balance_strategy::round_robin;
  std::uint32_t eject_after = 5;                   // failures in a row; 0: never
  duration eject_time = std::chrono::seconds(30);  // times the number of ejections
  duration eject_max = std::chrono::minutes(5);    // the limit of that
  duration slow_start = std::chrono::seconds(10);  // until a member that is back has its full share; 0: at once
};

/// A random number, cheap and of a thread's own.
std::uint64_t quick_random() noexcept;

/// Spreads calls over members. Thread-safe; choosing takes no lock, except for the moment in which an ejection ends.
///
/// Members that may be chosen stand in a rota: once each, or with `weighted` as often as their weights say, well mixed
/// (the smooth weighted round robin of nginx, worked out beforehand). All strategies draw from it. The rota is changed
/// in place while others read it: they may see a member a moment too long or twice, which a balance can bear.
///
/// Outlier ejection is that of Envoy: failures in a row eject a member for a time that grows with each ejection, and
/// never more than half of the members. When all others are gone, the ejected ones are better than none.
class balancer {
 public:
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  /// @param weights one for each member
  balancer(balance_options options, std::vector<std::uint32_t> weights);
  balancer(const balancer&) = delete;

  /// Which members may be chosen at all: they are reachable, and what is asked can be done there. One that was not and
  /// is now starts slowly, and its ejection is over. Everybody may at first.
  void allow(const std::vector<bool>& usable, time_point now);
  /// @param load gives how busy a member is, by its index @param now gives the time; asked only when it matters
  /// @param avoid a member that is taken only when there is no other; `none` for no such
  /// @return `none` when nobody may be chosen
  template <class Load, class Now>
  std::size_t choose(const Load& load, const Now& now, std::size_t avoid = none) noexcept;

  void succeeded(std::size_t member, duration took) noexcept;
  /// @return true when this ejected the member
  bool failed(std::size_t member, time_point now) noexcept;

  struct snapshot {
    bool usable = false;
    bool ejected = false;
    std::uint64_t choices = 0, failures = 0, ejections = 0;
    duration latency{};
  };
  snapshot of(std::size_t member) const;
  std::size_t size() const noexcept { return weights_.size(); }
  /// Counts a choice that was made without it.
  void count(std::size_t member) noexcept { members_[member].choices.fetch_add(1, std::memory_order_relaxed); }

 private:
  static constexpr std::size_t most_places = 4096;  // of the rota
  static constexpr std::size_t all_looked_at = 16;  // least in use: more members than this are sampled
  static constexpr std::size_t samples = 8;
  struct alignas(64) member {
    std::atomic<std::uint64_t> choices{0}, failures{0}, ejections{0};
    std::atomic<duration::rep> latency{0};   // moving average; 0: not known
    std::atomic<duration::rep> back_at{0};   // start of its slow start; 0: none
    std::atomic<std::uint32_t> in_a_row{0};  // failures
  };
  // under the mutex
  struct standing {
    bool usable = true;
    bool ejected = false;
    std::uint32_t times = 0;  // ejections that count for the next one's length
    time_point until{};
  };

  template <class Load, class Now>
  std::size_t pick(const Load& load, const Now& now) noexcept;
  template <class Load>
  std::size_t draw(const Load& load, std::size_t places) noexcept;
  std::size_t at(std::size_t place) const noexcept { return rota_[place].load(std::memory_order_relaxed); }
  std::size_t next_place(std::size_t places) noexcept { return next_.fetch_add(1, std::memory_order_relaxed) % places; }
  // A share of the range instead of a remainder, which takes far longer (Lemire).
  static std::size_t random_place(std::uint64_t random, std::size_t places) noexcept {
    return static_cast<std::size_t>((random >> 32) * places >> 32);
  }
  double cost(std::size_t i, std::uint32_t load) const noexcept;
  bool lets_pass(std::size_t i, time_point now) noexcept;
  void welcome_back(time_point now) noexcept;
  std::size_t stand_in(std::size_t avoid, std::size_t start, std::size_t places) const noexcept;
  void write_rota();
  void start_slowly(std::size_t i, time_point now) noexcept;

  const balance_options options_;
  std::vector<std::uint32_t> weights_;  // fitted to the rota
  std::vector<member> members_;
  std::vector<std::atomic<std::uint16_t>> rota_;
  std::atomic<std::size_t> places_{0};                                                         // of it in use
  alignas(64) std::atomic<std::uint64_t> next_{0};                                             // whose turn it is
  alignas(64) std::atomic<duration::rep> first_back_{no_deadline.time_since_epoch().count()};  // end of an ejection
  std::atomic<std::uint32_t> starting_{0};  // members in their slow start
  mutable std::mutex mutex_;
  std::vector<standing> standings_;
};

template <class Load, class Now>
std::size_t balancer::choose(const Load& load, const Now& now, std::size_t avoid) noexcept {
  if (first_back_.load(std::memory_order_relaxed) != no_deadline.time_since_epoch().count()) [[unlikely]] {
    welcome_back(now());
  }
  std::size_t chosen = pick(load, now);
  if (chosen == none) return none;
  if (chosen == avoid) [[unlikely]] {
    const auto places = places_.load(std::memory_order_acquire);
    if (places > 0) chosen = stand_in(avoid, next_place(places), places);
  }
  members_[chosen].choices.fetch_add(1, std::memory_order_relaxed);
  return chosen;
}

template <class Load, class Now>
std::size_t balancer::pick(const Load& load, const Now& now) noexcept {
  const auto places = places_.load(std::memory_order_acquire);
  if (places == 0) return none;
  if (places == 1) return at(0);
  // One in a slow start hands its turn on now and then; after a few such turns it is its own all the same.
  std::size_t found = draw(load, places);
  if (starting_.load(std::memory_order_relaxed) == 0) [[likely]]
    return found;
  const auto time = now();
  for (int turns = 0; turns < 8 && !lets_pass(found, time); ++turns) found = draw(load, places);
  return found;
}

template <class Load>
std::size_t balancer::draw(const Load& load, std::size_t places) noexcept {
  using enum config::balance_strategy;
  if (options_.strategy == round_robin || options_.strategy == weighted) return at(next_place(places));
  const auto random = quick_random();
  const std::size_t start = random_place(random, places);
  std::size_t best = at(start);
  if (options_.strategy == power_of_two) {
    // Now and then one is taken unseen: the latency of a member that nobody asks would stay as bad as it was.
    if ((random & 63) == 0) return best;
    std::size_t second = start + 1 + random_place(random << 24, places - 1);
    if (second >= places) second -= places;
    const std::size_t other = at(second);
    return cost(other, load(other)) < cost(best, load(best)) ? other : best;
  }
  std::uint32_t least = load(best);
  const bool all = places <= all_looked_at;
  const std::size_t tries = all ? places : samples;
  for (std::size_t i = 1, place = start; i < tries && least > 0; ++i) {
    place = all ? (place + 1 == places ? 0 : place + 1) : random_place(quick_random(), places);
    const std::size_t other = at(place);
    const auto its = load(other);
    if (its >= least) continue;
    best = other;
    least = its;
  }
  return best;
}

}  // namespace polypool::detail
