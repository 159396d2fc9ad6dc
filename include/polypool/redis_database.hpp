// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Talking Redis: the handle.
#pragma once

#include <polypool/pool.hpp>
#include <polypool/redis_operations.hpp>
#include <polypool/redis_pipeline.hpp>
#include <polypool/redis_scan.hpp>
#include <polypool/redis_subscription.hpp>
#include <polypool/sql.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool {

/// A Lua script with its digest, made once and run often. Cheap to copy.
class redis_script {
 public:
  /// @param text the script; its digest is computed here, no server is asked
  explicit redis_script(std::string text);
  /// What EVAL is sent.
  const std::string& text() const noexcept { return both_->text; }
  /// What EVALSHA calls it by: 40 hexadecimal digits.
  const std::string& digest() const noexcept { return both_->digest; }

 private:
  struct content {
    std::string text;
    std::string digest;
  };
  std::shared_ptr<const content> both_;
};

/// A handle to a Redis: cheap to copy, safe to share between threads. An unnamed one goes to whatever Redis is active
/// at each call; a named one to that connection, also after it was removed and registered again.
///
/// Calls of many threads and tasks share few sessions: their commands go out together, and each gets its own answer.
/// What needs a session of its own (blocking commands, transactions that watch, subscriptions) borrows one from the
/// same pool. A command of which nothing was sent, because its session turned out to be dead, is tried again on another
/// one.
class redis_database final : public redis_operations {
 public:
  /// The connection's name now. Throws no_default_connection.
  std::string name() const;
  /// The same Redis, with calls made this way.
  redis_database with(call how) const;

  /// Collects commands for one write. Not atomic: others' commands may come between them.
  redis_pipeline pipeline() const;
  /// Collects commands for MULTI … EXEC, on a shared session: all or none, nothing between them.
  redis_pipeline transaction() const;
  /// Begins a transaction that happens only if nobody changes these keys before its commit(). Borrows a session.
  template <class... Keys>
  redis_transaction watch(const Keys&... keys) {
    return watch_now(redis_command("WATCH", keys...));
  }
  /// watch() as a task.
  template <class... Keys>
  task<redis_transaction> async_watch(const Keys&... keys) {
    return watch_later(redis_command("WATCH", keys...));
  }

  /// Runs a script; the server is sent its text only when it does not know it yet.
  /// @param arguments anything redis_command takes
  template <class... Arguments>
  redis_reply eval(const redis_script& script, const std::vector<std::string>& keys, const Arguments&... arguments) {
    return eval_now(script, script_arguments(keys, arguments...));
  }
  /// eval() as a task.
  template <class... Arguments>
  task<redis_reply> async_eval(redis_script script, const std::vector<std::string>& keys,
                               const Arguments&... arguments) {
    return eval_later(std::move(script), script_arguments(keys, arguments...));
  }

  /// Goes through all keys: `for (const std::string& key : db.scan({.match = "user:*"}))`. In constant memory; a key
  /// that is there all the time comes at least once.
  redis_scan scan(redis_scan_options options = {}) const;
  /// Goes through the members of a set, or the fields of a hash with their values in turn, or the members of a sorted
  /// set with their scores in turn. @param command SSCAN, HSCAN or ZSCAN
  redis_scan scan_inside(std::string_view command, std::string_view key, redis_scan_options options = {}) const;

  /// Messages, on a session of its own, from the moment it is asked for them; goes on after the session was lost.
  redis_subscription subscribe(std::vector<std::string> channels, std::vector<std::string> patterns = {}) const;

  /// BLPOP: takes the first value of the first of these lists that has one, and waits while all are empty. On a session
  /// of its own; not limited by query_timeout. Whoever gives up earlier loses nothing.
  /// @param wait what the server may take; 0: as long as the caller's deadline lets it
  /// @return the list's key and the value; nothing when none came in time
  std::optional<std::pair<std::string, std::string>> blpop(const std::vector<std::string>& keys,
                                                           std::chrono::milliseconds wait);
  /// BRPOP: takes the last value of the first of these lists that has one. @return as blpop()
  std::optional<std::pair<std::string, std::string>> brpop(const std::vector<std::string>& keys,
                                                           std::chrono::milliseconds wait);
  /// BLMOVE: moves a value from one list to another, and waits while there is none, like blpop().
  /// @param from_end, to_end "LEFT" or "RIGHT" @return the value; nothing when none came in time
  std::optional<std::string> blmove(std::string_view source, std::string_view target, std::string_view from_end,
                                    std::string_view to_end, std::chrono::milliseconds wait);
  /// blpop() as a task.
  task<std::optional<std::pair<std::string, std::string>>> async_blpop(const std::vector<std::string>& keys,
                                                                       std::chrono::milliseconds wait);
  /// brpop() as a task.
  task<std::optional<std::pair<std::string, std::string>>> async_brpop(const std::vector<std::string>& keys,
                                                                       std::chrono::milliseconds wait);
  /// blmove() as a task.
  task<std::optional<std::string>> async_blmove(std::string_view source, std::string_view target,
                                                std::string_view from_end, std::string_view to_end,
                                                std::chrono::milliseconds wait);

  /// Borrows a session from the same pool, for whoever needs one alone: `db.lease().key_value()`.
  polypool::lease lease(std::source_location where = std::source_location::current());
  /// lease() as a task.
  task<polypool::lease> async_lease(std::source_location where = std::source_location::current());

 private:
  friend class manager;
  friend class connection;
  redis_database(std::shared_ptr<detail::manager_core> core, std::shared_ptr<detail::connection_state> state) noexcept;
  redis_reply run_now(const redis_command& what) override;
  task<redis_reply> run_later(redis_command what) override;
  redis_transaction watch_now(redis_command what);
  task<redis_transaction> watch_later(redis_command what);
  redis_reply eval_now(const redis_script& script, const redis_command& tail);
  task<redis_reply> eval_later(redis_script script, redis_command tail);
  /// EVALSHA without its digest: what both forms share.
  template <class... Arguments>
  static redis_command script_arguments(const std::vector<std::string>& keys, const Arguments&... arguments) {
    return redis_command("", keys.size(), keys, arguments...);
  }

  std::shared_ptr<detail::manager_core> core_;
  std::shared_ptr<detail::connection_state> state_;  // null: the active one
  std::shared_ptr<const call> call_;                 // null: as configured
};

}  // namespace polypool
