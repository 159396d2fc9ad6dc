// SPDX-License-Identifier: Apache-2.0
// The registry of connections, and which of them is active.
#pragma once

#include "manager/connection_state.hpp"

#include <polypool/config_changes.hpp>
#include <polypool/manager.hpp>

#include <array>
#include <shared_mutex>
#include <unordered_map>

namespace polypool::detail {

using connection_pointer = std::shared_ptr<connection_state>;

/// Databases and Redis have names of their own: both may have a "default".
enum class name_space : std::uint8_t { databases, redis };
inline name_space name_space_of(database_kind kind) noexcept {
  return kind == database_kind::key_value ? name_space::redis : name_space::databases;
}
inline name_space name_space_of(const connection_state& state) noexcept { return name_space_of(state.kind()); }

/// Which connection unnamed calls go to. Read at every such call, so reading takes no lock: each thread remembers what
/// it saw last, and looks again only when the version has moved.
class active_slot {
 public:
  active_slot();
  connection_pointer get() const;
  void set(connection_pointer next);

 private:
  const std::uint64_t id_;
  std::atomic<std::uint64_t> version_{1};
  mutable std::mutex mutex_;
  connection_pointer current_;
};

class manager_core : public std::enable_shared_from_this<manager_core> {
 public:
  manager_core(config::settings configuration, manager_options options);

  // registry
  connection_pointer add(config::connection configuration);
  connection_pointer add_group(config::group configuration);
  /// Null when there is none.
  connection_pointer find(std::string_view name, name_space where) const;
  /// Throws connection_not_found; `default` also stands for the active one.
  connection_pointer require(std::string_view name, name_space where) const;
  /// Looks among databases first, then among Redis.
  connection_pointer find_any(std::string_view name) const;
  connection_pointer require_any(std::string_view name) const;
  std::vector<connection_pointer> all() const;  // in the order of registration
  /// Throws invalid_argument for a member of a group.
  void take_out(const connection_pointer& gone);
  bool is_critical(const connection_state& state) const noexcept;

  // active
  connection_pointer active(name_space where) const { return slot(where).get(); }
  bool is_active(const connection_state& state) const { return active(name_space_of(state)).get() == &state; }
  /// Throws no_default_connection.
  connection_pointer require_active(name_space where) const;
  /// Throws connection_not_found, and not_redis or not_sql_database for a name that only the other name space has.
  void switch_active(std::string_view name, name_space where);

  // configuration: apply.cpp
  /// What it has now, without what was registered at run time; the connections' limits are written out.
  config::settings configuration() const;
  std::vector<config::change> preview(const config::settings& next) const;
  task<std::vector<config::change>> apply(config::settings next, apply_options how);
  /// Publishes what came of a configuration: "applied" or "refused".
  void publish(std::string_view outcome, std::string detail) const;

  // life
  task<connect_report> connect();
  task<void> close(duration drain, duration force);
  bool closing() const noexcept { return closing_.load(std::memory_order_acquire); }
  void require_open(std::string_view operation) const;
  task<health_report> check_health();
  health_report last_health() const;
  bool is_healthy() const;
  void start_monitor();
  void stop_monitor();
  bool monitoring() const noexcept { return monitoring_.load(std::memory_order_relaxed); }
  connection_health annotate(connection_health found, const connection_state& state) const;

  background& work() const noexcept { return *work_; }
  clock& time() const noexcept { return time_; }
  bulkhead_snapshot total_places() const noexcept { return around_->total_places->snapshot(); }
  const std::shared_ptr<background>& shared_work() const noexcept { return work_; }
  void release_work() noexcept {
    events().end_delivery();
    work_.reset();
  }
  duration drain_timeout() const;
  duration force_timeout() const;
  event_bus& events() const noexcept { return *around_->events; }

 private:
  struct name_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  std::shared_ptr<driver> driver_for(config::database_type type) const;
  using names = std::unordered_map<std::string_view, connection_pointer, name_hash, std::equal_to<>>;
  names& names_in(name_space where) noexcept { return by_name_[static_cast<std::size_t>(where)]; }
  const names& names_in(name_space where) const noexcept { return by_name_[static_cast<std::size_t>(where)]; }
  active_slot& slot(name_space where) noexcept { return active_[static_cast<std::size_t>(where)]; }
  const active_slot& slot(name_space where) const noexcept { return active_[static_cast<std::size_t>(where)]; }
  const std::shared_ptr<const config::tuning>& inherited_by(config::database_type type) const noexcept;
  connection_pointer make_state(config::connection configuration, const config::settings& within) const;
  connection_pointer insert(config::connection configuration);
  using member_finder = std::function<connection_pointer(const std::string& name)>;
  connection_pointer make_group(config::group configuration, const member_finder& find_member) const;
  connection_pointer insert_group(config::group configuration);
  struct exchange;
  std::vector<exchange> plan(const config::settings& next, const std::vector<config::change>& changes) const;
  void plan_groups(const config::settings& next, std::vector<exchange>& list) const;
  task<void> connect_fresh(const std::vector<exchange>& list, const apply_options& how);
  task<void> drop_fresh(const std::vector<exchange>& list);
  bool commit(const std::vector<exchange>& list, const config::settings& next);
  void adjust_limits(const std::vector<config::change>& changes, const config::settings& next);
  void follow_default(name_space where, const std::string& before, const std::string& after);
  task<void> retire(connection_pointer old, duration drain, duration force);
  task<void> hand_over(const std::vector<exchange>& list, duration drain, duration force);
  task<std::vector<config::change>> put_in_force(config::settings next, apply_options how);
  void choose_active(name_space where, const std::string& configured);
  void promote_first_remaining(name_space where);
  void make_active(connection_pointer next, name_space where);
  std::size_t size() const noexcept { return by_name_[0].size() + by_name_[1].size(); }
  std::string known_names(std::optional<name_space> where) const;  // for hints

  config::settings settings_;  // without its connections; changes under the lock
  driver_list drivers_;
  std::shared_ptr<background> work_;
  clock& time_;
  log::logger log_;
  const std::shared_ptr<const surroundings> around_;
  mutable std::shared_mutex mutex_;
  std::shared_ptr<const config::tuning> defaults_;
  std::shared_ptr<const config::tuning> mongodb_defaults_, redis_defaults_;  // have some of their own
  std::vector<connection_pointer> retiring_;                                 // drain while others have their names
  std::atomic<bool> applying_{false};
  std::array<names, 2> by_name_;  // by name space; keys: the states' names
  mutable std::atomic<std::uint64_t> sequence_{0};
  std::array<active_slot, 2> active_;
  std::atomic<bool> closing_{false};
  std::atomic<bool> monitoring_{true};
};

}  // namespace polypool::detail
