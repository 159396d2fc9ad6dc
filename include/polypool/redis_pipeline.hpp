// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Many Redis commands in one round trip, and transactions.
#pragma once

#include <polypool/pool.hpp>
#include <polypool/redis_operations.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool {

namespace detail {
struct redis_exclusive;
class manager_core;
class connection_state;
}  // namespace detail
class call;

/// The place of a command's answer among the replies.
template <class T>
struct redis_slot {
  std::size_t index = 0;
};

/// What several commands answered, in their order.
class redis_replies {
 public:
  /// None.
  redis_replies() noexcept = default;
  /// Made by hand, for tests.
  explicit redis_replies(std::vector<redis_reply> all) noexcept : all_(std::move(all)) {}
  /// How many there are: one for each command.
  std::size_t size() const noexcept { return all_.size(); }
  /// An answer as it came; the server's complaint too. @pre index < size()
  const redis_reply& operator[](std::size_t index) const noexcept { return all_[index]; }
  /// The answer of one command. Throws what the server said about this one.
  template <class T>
  T get(redis_slot<T> slot) const {
    return all_.at(slot.index).template as<T>();
  }
  /// For `for (const redis_reply& each : replies)`.
  auto begin() const noexcept { return all_.begin(); }
  /// Behind the last one.
  auto end() const noexcept { return all_.end(); }

 private:
  std::vector<redis_reply> all_;
};

/// Collects commands. One thread or task at a time.
class redis_collector {
 public:
  /// Adds one of redis_calls. @return where its answer will be
  template <class T>
  redis_slot<T> add(const redis_call<T>& what) {
    commands_.add(what.command);
    return {commands_.size() - 1};
  }
  /// Adds any command. @return where its answer will be
  redis_slot<redis_reply> add(const redis_command& what) {
    commands_.add(what);
    return {commands_.size() - 1};
  }
  /// How many were added.
  std::size_t size() const noexcept { return commands_.size(); }
  /// Whether none was.
  bool empty() const noexcept { return commands_.empty(); }

 protected:
  redis_collector() = default;
  redis_batch commands_;
};

/// Commands that go to the server in one write, or in one transaction. Made by redis_database::pipeline() and
/// transaction(); copies what it is given. It may be run again, and has to outlive no task that it gives.
class redis_pipeline final : public redis_collector {
 public:
  /// Runs them. What the server complains about shows where the answer is asked for; a transaction that it refuses as a
  /// whole throws transaction_aborted.
  redis_replies run() const;
  /// run() as a task.
  task<redis_replies> async_run() const;

 private:
  friend class redis_database;
  redis_pipeline(std::shared_ptr<detail::manager_core> core, std::shared_ptr<detail::connection_state> state,
                 std::shared_ptr<const call> how, bool atomic) noexcept;
  redis_batch framed() const;
  std::shared_ptr<detail::manager_core> core_;
  std::shared_ptr<detail::connection_state> state_;
  std::shared_ptr<const call> how_;
  bool atomic_;
};

/// A transaction that happens only if nobody changes what it watches: an optimistic lock, on a session of its own. What
/// is run on it happens at once, and is for reading; what is added to it happens at commit(). Its destructor forgets
/// everything. Movable; one thread or task at a time; it has to outlive the tasks it gives.
class redis_transaction final : public redis_operations, public redis_collector {
 public:
  redis_transaction(redis_transaction&&) noexcept;
  redis_transaction& operator=(redis_transaction&&) noexcept;
  ~redis_transaction() override;

  /// Watches one key more. Throws when commit() or discard() ended it.
  void watch(std::string_view key);
  /// watch() as a task.
  task<void> async_watch(std::string_view key);
  /// Runs what was added. @return nothing when a watched key was changed meanwhile: then nothing happened
  /// Throws transaction_aborted when the server refuses one of the commands; in_doubt when the connection broke.
  std::optional<redis_replies> commit();
  /// commit() as a task.
  task<std::optional<redis_replies>> async_commit();
  /// Gives the session back without doing anything.
  void discard() noexcept;

 private:
  friend class redis_database;
  explicit redis_transaction(std::unique_ptr<detail::redis_exclusive> state) noexcept;
  static task<redis_transaction> made_by(task<std::unique_ptr<detail::redis_exclusive>> work);
  redis_reply run_now(const redis_command& what) override;
  task<redis_reply> run_later(redis_command what) override;
  std::unique_ptr<detail::redis_exclusive> state_;
};

}  // namespace polypool
