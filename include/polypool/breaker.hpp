// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup resilience
/// The circuit breaker: keeps calls away from a server that fails, and finds out when it works again.
///
/// Pure logic over time points that the caller gives, so that tests need no clock. The window in buckets and the volume
/// threshold are those of opossum and Hystrix, slow calls and bounded trials those of resilience4j, a reset time that
/// grows with each trip that of Envoy's outlier ejection.
#pragma once

#include <polypool/clock.hpp>
#include <polypool/error.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool {

/// Whether calls pass: all of them, a few trials, or none. The values are those of the metric circuit_breaker_state.
enum class breaker_state : std::uint8_t { closed = 0, half_open = 1, open = 2 };
/// "closed", "half-open", "open".
std::string_view to_string(breaker_state state) noexcept;

/// When a breaker trips, and how it recovers.
struct breaker_options {
  bool enabled = true;
  double failure_rate = 0.5;                          ///< of the calls in the window; this many trip it
  double slow_rate = 0.5;                             ///< of the calls in the window
  duration slow_after = std::chrono::seconds(5);      ///< a call that takes longer is slow
  duration window = std::chrono::seconds(10);         ///< in ten buckets
  std::uint32_t volume_threshold = 10;                ///< calls in the window below which no rate counts
  duration reset_time = std::chrono::seconds(30);     ///< open for this long after the first trip
  duration reset_max = std::chrono::minutes(5);       ///< each trip soon after the last doubles it, up to this
  double reset_jitter = 0.1;                          ///< a share of the reset time, added or taken at random
  std::uint32_t trial_calls = 3;                      ///< at once while half-open, and successes that close it
  duration trial_timeout = std::chrono::seconds(30);  ///< a trial without an outcome gives its place up after this
  bool operator==(const breaker_options&) const = default;
};

/// Whether an error says that the server is in trouble: it cannot be reached, breaks off, has no room, or does not
/// answer in time. Not: what a healthy server says about a statement, or what the caller gave up itself.
bool counts_against_server(const error& failure) noexcept;

/// A change of state.
struct breaker_change {
  breaker_state from = breaker_state::closed;
  breaker_state to = breaker_state::closed;
  time_point at{};
  time_point until{};  ///< of `open`: when the first trial may pass
  std::string reason;  ///< "6 of 10 calls failed within 10s"
};

/// What a breaker has seen.
struct breaker_snapshot {
  breaker_state state = breaker_state::closed;
  bool forced = false;
  std::uint32_t calls = 0;     ///< in the window
  std::uint32_t failures = 0;  ///< in the window
  std::uint32_t slow = 0;      ///< in the window
  time_point since{};          ///< when it came into this state
  time_point until{};          ///< of `open`
  std::uint64_t opened = 0;    ///< how often, ever
  std::uint64_t refused = 0;   ///< calls, ever
  std::string reason;          ///< of the last trip
};

/// Closed, open or half-open. Thread-safe; a call through a closed one takes no lock.
class circuit_breaker {
 public:
  /// The leave to make one call, to be given back with its outcome. Zero for calls while closed.
  struct permit {
    std::uint64_t trial = 0;
  };
  /// Told of each change, in the thread that caused it and without a lock held; must not throw.
  using listener = std::function<void(const breaker_change&)>;

  /// @param seed of the jitter
  explicit circuit_breaker(breaker_options options, std::uint64_t seed = 0, listener told = {});
  circuit_breaker(const circuit_breaker&) = delete;

  /// Leave to make a call; nothing when the breaker is open.
  std::optional<permit> admit(time_point now);
  /// The server answered, if only with a complaint about the statement.
  void succeeded(permit given, duration took, time_point now) noexcept;
  /// The server refused, broke off or did not answer in time.
  void failed(permit given, duration took, time_point now) noexcept;
  /// The call ended without telling anything about the server.
  void abandoned(permit given) noexcept;

  /// Somebody else saw the server answer, such as a health check: trials may pass from now on.
  void server_answered(time_point now) noexcept;

  /// Holds it open or closed, whatever happens, until release().
  void force_open(time_point now);
  void force_closed(time_point now);
  /// Ends the forcing; it starts closed and with an empty window.
  void release(time_point now);

  breaker_state state() const noexcept;
  breaker_snapshot snapshot(time_point now) const;

 private:
  static constexpr std::size_t bucket_count = 10;
  struct bucket {
    std::atomic<std::int64_t> period{-1};  // which stretch of time it counts
    std::atomic<std::uint32_t> calls{0}, failures{0}, slow{0};
  };
  struct sums {
    std::uint32_t calls = 0, failures = 0, slow = 0;
  };
  struct trial {
    std::uint64_t id = 0;
    time_point started{};
  };
  enum class forcing : std::uint8_t { none, open, closed };

  std::int64_t period_of(time_point now) const noexcept { return now.time_since_epoch() / bucket_width_; }
  bucket& bucket_of(time_point now) noexcept;
  sums add_up(time_point now) const noexcept;
  void clear_window() noexcept;
  void count(time_point now, bool failed, bool slow) noexcept;
  void check_rates(time_point now) noexcept;
  bool end_trial(permit given) noexcept;
  void trip(time_point now, std::string reason, std::unique_lock<std::mutex>& lock) noexcept;
  void become(breaker_state next, time_point now, std::string reason, std::unique_lock<std::mutex>& lock) noexcept;
  duration next_reset(time_point now) noexcept;

  const breaker_options options_;
  const duration bucket_width_;
  const listener told_;
  std::atomic<breaker_state> state_{breaker_state::closed};
  std::atomic<std::uint64_t> refused_{0};
  std::array<bucket, bucket_count> buckets_;

  mutable std::mutex mutex_;  // guards what follows
  forcing forced_ = forcing::none;
  time_point since_{};
  time_point until_{};
  time_point closed_at_{};
  std::uint32_t trips_ = 0;  // one soon after the other
  std::uint64_t opened_ = 0;
  std::vector<trial> trials_;
  std::uint32_t trial_successes_ = 0;
  std::uint64_t next_trial_ = 0;
  std::uint64_t random_;
  std::string reason_;
};

}  // namespace polypool
