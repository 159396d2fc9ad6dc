// SPDX-License-Identifier: Apache-2.0
// The registry of connections, and which of them is active.
#pragma once

#include "manager/connection_state.hpp"

#include <polypool/manager.hpp>

#include <array>
#include <shared_mutex>
#include <unordered_map>

namespace polypool::detail {

using connection_pointer = std::shared_ptr<connection_state>;

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
  connection_pointer find(std::string_view name) const;     // null when there is none
  connection_pointer require(std::string_view name) const;  // throws connection_not_found; knows `default`
  std::vector<connection_pointer> all() const;              // in the order of registration
  connection_pointer take_out(std::string_view name);       // throws connection_not_found
  bool is_critical(const connection_state& state) const noexcept;

  // active
  connection_pointer active() const { return active_database_.get(); }
  connection_pointer require_active() const;
  void switch_active(std::string_view name);

  // life
  task<connect_report> connect();
  task<void> close(duration drain, duration force);
  bool closing() const noexcept { return closing_.load(std::memory_order_acquire); }
  void require_open(std::string_view operation) const;
  task<health_report> check_health();
  health_report last_health() const;
  connection_health annotate(connection_health found, const connection_state& state) const;

  background& work() const noexcept { return *work_; }
  clock& time() const noexcept { return time_; }
  const std::shared_ptr<background>& shared_work() const noexcept { return work_; }
  void release_work() noexcept { work_.reset(); }
  const config::settings& settings() const noexcept { return settings_; }

 private:
  struct name_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  std::shared_ptr<driver> driver_for(config::database_type type) const;
  connection_pointer insert(config::connection configuration);
  void promote_first_remaining();
  std::string known_names() const;  // for hints

  config::settings settings_;  // without its connections
  driver_list drivers_;
  std::shared_ptr<background> work_;
  clock& time_;
  log::logger log_;
  const std::shared_ptr<const config::tuning> defaults_;

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string_view, connection_pointer, name_hash, std::equal_to<>>
      by_name_;  // keys: the states' names
  std::uint64_t sequence_ = 0;
  active_slot active_database_;
  std::atomic<bool> closing_{false};
};

}  // namespace polypool::detail
