// SPDX-License-Identifier: Apache-2.0
#include "manager/group_balance.hpp"

#include <algorithm>
#include <numeric>
#include <random>

namespace polypool::detail {
namespace {

constexpr duration::rep never = no_deadline.time_since_epoch().count();
// What a member is thought to need before anybody knows.
constexpr double unknown_latency = 1e6;
// A new value's share of the moving average.
constexpr duration::rep share_of_new = 8;

std::vector<std::uint32_t> fitted(std::vector<std::uint32_t> weights, bool weighted, std::size_t most) {
  if (!weighted) std::ranges::fill(weights, 1U);
  std::uint32_t common = 0;
  std::uint64_t sum = 0;
  for (auto& each : weights) {
    each = std::max(each, 1U);
    common = std::gcd(common, each);
    sum += each;
  }
  if (common > 1) sum /= common;
  for (auto& each : weights) {
    each /= common;
    if (sum > most) each = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, each * most / (sum + weights.size())));
  }
  return weights;
}

}  // namespace

std::uint64_t quick_random() noexcept {
  thread_local std::uint64_t state = [] {
    std::random_device source;
    return (std::uint64_t{source()} << 32 | source()) | 1;
  }();
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1DULL;  // xorshift64* of Vigna
}

balancer::balancer(balance_options options, std::vector<std::uint32_t> weights)
    : options_(options),
      weights_(fitted(std::move(weights), options.strategy == config::balance_strategy::weighted, most_places)),
      members_(weights_.size()),
      rota_(std::accumulate(weights_.begin(), weights_.end(), std::size_t{0})),
      standings_(weights_.size()) {
  const std::scoped_lock lock(mutex_);
  write_rota();
}

// Smooth weighted round robin: whoever is due most goes next and steps back by the sum of all. Expects the lock.
void balancer::write_rota() {
  std::vector<std::size_t> in;
  const auto collect = [&](bool ejected_too) {
    for (std::size_t i = 0; i < size(); ++i) {
      if (standings_[i].usable && (ejected_too || !standings_[i].ejected)) in.push_back(i);
    }
  };
  collect(false);
  if (in.empty()) collect(true);  // the ejected ones are better than none
  if (in.empty()) {
    places_.store(0, std::memory_order_release);
    return;
  }
  std::int64_t sum = 0;
  for (const auto i : in) sum += weights_[i];
  std::vector<std::int64_t> due(in.size(), 0);
  for (std::int64_t place = 0; place < sum; ++place) {
    for (std::size_t k = 0; k < in.size(); ++k) due[k] += weights_[in[k]];
    const auto next = static_cast<std::size_t>(std::ranges::max_element(due) - due.begin());
    due[next] -= sum;
    rota_[static_cast<std::size_t>(place)].store(static_cast<std::uint16_t>(in[next]), std::memory_order_relaxed);
  }
  places_.store(static_cast<std::size_t>(sum), std::memory_order_release);
}

void balancer::allow(const std::vector<bool>& usable, time_point now) {
  const std::scoped_lock lock(mutex_);
  bool changed = false;
  for (std::size_t i = 0; i < size(); ++i) {
    auto& one = standings_[i];
    if (one.usable == usable[i]) continue;
    changed = true;
    one.usable = usable[i];
    if (!one.usable) continue;
    one.ejected = false;
    members_[i].in_a_row.store(0, std::memory_order_relaxed);
    start_slowly(i, now);
  }
  if (!changed) return;
  auto first = time_point(duration(never));
  for (const auto& one : standings_) {
    if (one.ejected) first = std::min(first, one.until);
  }
  first_back_.store(first.time_since_epoch().count(), std::memory_order_relaxed);
  write_rota();
}

void balancer::start_slowly(std::size_t i, time_point now) noexcept {
  if (options_.slow_start <= duration::zero()) return;
  auto& one = members_[i];
  one.latency.store(0, std::memory_order_relaxed);
  const auto at = std::max<duration::rep>(1, now.time_since_epoch().count());
  if (one.back_at.exchange(at, std::memory_order_relaxed) == 0) starting_.fetch_add(1, std::memory_order_relaxed);
}

// A share that grows with the time since it is back, from a tenth.
bool balancer::lets_pass(std::size_t i, time_point now) noexcept {
  auto& one = members_[i];
  auto since = one.back_at.load(std::memory_order_relaxed);
  if (since == 0) return true;
  const auto gone = now.time_since_epoch().count() - since;
  const auto whole = options_.slow_start.count();
  if (gone >= whole) {
    if (one.back_at.compare_exchange_strong(since, 0, std::memory_order_relaxed)) {
      starting_.fetch_sub(1, std::memory_order_relaxed);
    }
    return true;
  }
  const double share = std::max(0.1, static_cast<double>(gone) / static_cast<double>(whole));
  return static_cast<double>(quick_random() >> 11) * 0x1p-53 < share;
}

void balancer::welcome_back(time_point now) noexcept {
  if (now.time_since_epoch().count() < first_back_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  auto first = time_point(duration(never));
  for (std::size_t i = 0; i < size(); ++i) {
    auto& one = standings_[i];
    if (!one.ejected) continue;
    if (one.until > now) {
      first = std::min(first, one.until);
      continue;
    }
    one.ejected = false;
    members_[i].in_a_row.store(0, std::memory_order_relaxed);
    start_slowly(i, now);
  }
  first_back_.store(first.time_since_epoch().count(), std::memory_order_relaxed);
  try {
    write_rota();
  } catch (...) {
    return;  // no memory: the rota stays as it was until the next change
  }
}

// Somebody else, when there is anybody.
std::size_t balancer::stand_in(std::size_t avoid, std::size_t start, std::size_t places) const noexcept {
  for (std::size_t i = 0; i < places; ++i) {
    const auto other = at((start + i) % places);
    if (other != avoid) return other;
  }
  return avoid;
}

double balancer::cost(std::size_t i, std::uint32_t load) const noexcept {
  const auto known = members_[i].latency.load(std::memory_order_relaxed);
  return (known > 0 ? static_cast<double>(known) : unknown_latency) * (load + 1.0);
}

void balancer::succeeded(std::size_t i, duration took) noexcept {
  auto& one = members_[i];
  if (one.in_a_row.load(std::memory_order_relaxed) != 0) one.in_a_row.store(0, std::memory_order_relaxed);
  const auto before = one.latency.load(std::memory_order_relaxed);
  const auto fresh = std::max<duration::rep>(1, took.count());
  // A lost update among several threads is only a value that was not heard.
  one.latency.store(before == 0 ? fresh : before + (fresh - before) / share_of_new, std::memory_order_relaxed);
}

bool balancer::failed(std::size_t i, time_point now) noexcept {
  auto& one = members_[i];
  one.failures.fetch_add(1, std::memory_order_relaxed);
  const auto row = one.in_a_row.fetch_add(1, std::memory_order_relaxed) + 1;
  if (options_.eject_after == 0 || row < options_.eject_after) return false;
  const std::scoped_lock lock(mutex_);
  auto& mine = standings_[i];
  if (mine.ejected || !mine.usable) return false;
  const auto out = static_cast<std::size_t>(std::ranges::count_if(standings_, &standing::ejected));
  if (2 * (out + 1) > size()) return false;
  // An ejection that was long ago counts no more: one is forgiven for each span that it stayed well.
  const auto span = std::max<duration>(options_.eject_time, std::chrono::milliseconds(1));
  if (mine.times > 0 && now > mine.until) {
    mine.times -= static_cast<std::uint32_t>(std::min<std::int64_t>(mine.times, (now - mine.until) / (2 * span)));
  }
  ++mine.times;
  mine.ejected = true;
  mine.until = now + std::min<duration>(options_.eject_max, options_.eject_time * mine.times);
  one.ejections.fetch_add(1, std::memory_order_relaxed);
  const auto first = first_back_.load(std::memory_order_relaxed);
  first_back_.store(std::min(first, mine.until.time_since_epoch().count()), std::memory_order_relaxed);
  try {
    write_rota();
  } catch (...) {
    return true;  // no memory: it is chosen for a while longer
  }
  return true;
}

balancer::snapshot balancer::of(std::size_t i) const {
  const auto& one = members_[i];
  snapshot now;
  now.choices = one.choices.load(std::memory_order_relaxed);
  now.failures = one.failures.load(std::memory_order_relaxed);
  now.ejections = one.ejections.load(std::memory_order_relaxed);
  now.latency = duration(one.latency.load(std::memory_order_relaxed));
  const std::scoped_lock lock(mutex_);
  now.usable = standings_[i].usable;
  now.ejected = standings_[i].ejected;
  return now;
}

}  // namespace polypool::detail
