// SPDX-License-Identifier: Apache-2.0
// What a connection keeps between its calls and a server that fails. Made with the first call.
#pragma once

#include <polypool/breaker.hpp>
#include <polypool/bulkhead.hpp>
#include <polypool/config.hpp>
#include <polypool/retry.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace polypool::detail {

/// Which errors count against the server; of all connections of a manager.
using failure_filter = std::function<bool(const error&)>;

/// The breaker's part of a connection's settings.
breaker_options breaker_options_of(const config::tuning& limits) noexcept;
/// The retries' part.
retry_options retry_options_of(const config::tuning& limits) noexcept;

class safeguards {
 public:
  /// @param name the connection's, for messages @param most_calls max_concurrent, which may be another by now
  /// @param told of the breaker's changes
  safeguards(const std::string& name, const config::tuning& limits, std::uint32_t most_calls, std::uint64_t seed,
             circuit_breaker::listener told);

  circuit_breaker breaker;
  retry_budget budget;
  const retry_options retries;
  const bool enabled;  // the breaker is
  bulkhead places;

  /// What callers get while the breaker is open; made once for each time it opens.
  error refusal(clock& time);

 private:
  const std::string name_;
  std::mutex mutex_;  // guards what follows
  std::optional<error> refusal_;
  time_point refused_until_{};
  breaker_state refused_in_ = breaker_state::closed;
};

}  // namespace polypool::detail
