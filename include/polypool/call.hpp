// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// How a single call is made: its name, its limits, and where it may go.
#pragma once

#include <polypool/bulkhead.hpp>
#include <polypool/clock.hpp>
#include <polypool/consistency.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace polypool {

/// Which server of a group a call goes to. A connection that is no group is its only server.
enum class role : std::uint8_t { primary, replica };

/// How a call is made; see sql_database::with.
class call {
 public:
  /// The name it has in errors, logs and metrics, instead of "query".
  call& named(std::string name) & {
    name_ = std::move(name);
    return *this;
  }
  call&& named(std::string name) && { return std::move(named(std::move(name))); }
  /// How long one statement may take, with its wait for a session; instead of the connection's query_timeout. 0: no
  /// limit.
  call& timeout(duration limit) & {
    timeout_ = limit;
    return *this;
  }
  call&& timeout(duration limit) && { return std::move(timeout(limit)); }

  /// Made twice, it does what it does once: it may be made again also when nobody knows whether it happened.
  call& idempotent(bool yes = true) & {
    idempotent_ = yes;
    return *this;
  }
  call&& idempotent(bool yes = true) && { return std::move(idempotent(yes)); }
  /// For a group: to its primary (the default), or to a replica that is not too far behind, else the primary.
  call& on(role where) & {
    role_ = where;
    return *this;
  }
  call&& on(role where) && { return std::move(on(where)); }
  /// Its place in the queue when the connection has a limit of calls at once.
  call& at(priority rank) & {
    priority_ = rank;
    return *this;
  }
  call&& at(priority rank) && { return std::move(at(rank)); }
  /// For a group: reads on replicas see what was written by calls with the same token.
  call& reading_after(consistency token) & {
    token_ = std::move(token);
    return *this;
  }
  call&& reading_after(consistency token) && { return std::move(reading_after(std::move(token))); }

  const std::string& name() const noexcept { return name_; }
  std::optional<duration> timeout() const noexcept { return timeout_; }
  bool is_idempotent() const noexcept { return idempotent_; }
  role wanted_role() const noexcept { return role_; }
  priority rank() const noexcept { return priority_; }
  const std::optional<consistency>& token() const noexcept { return token_; }

 private:
  std::string name_;
  std::optional<duration> timeout_;
  bool idempotent_ = false;
  role role_ = role::primary;
  priority priority_ = priority::normal;
  std::optional<consistency> token_;
};

}  // namespace polypool
