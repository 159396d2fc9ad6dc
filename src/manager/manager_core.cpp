// SPDX-License-Identifier: Apache-2.0
#include "manager/manager_core.hpp"

#include <algorithm>

namespace polypool::detail {

// the active slot ----------------------------------------------------------------------------------------------------

namespace {

std::uint64_t next_slot_id() noexcept {
  static std::atomic<std::uint64_t> counter{0};
  return ++counter;
}

}  // namespace

active_slot::active_slot() : id_(next_slot_id()) {}

connection_pointer active_slot::get() const {
  struct memory {
    std::uint64_t slot = 0;
    std::uint64_t version = 0;
    std::weak_ptr<connection_state> seen;  // weak: a thread that sleeps must not keep a removed connection alive
  };
  thread_local memory last;
  const auto version = version_.load(std::memory_order_acquire);
  if (last.slot == id_ && last.version == version) {
    if (auto seen = last.seen.lock()) return seen;
  }
  const std::scoped_lock lock(mutex_);
  last.slot = id_;
  last.version = version_.load(std::memory_order_relaxed);
  last.seen = current_;
  return current_;
}

void active_slot::set(connection_pointer next) {
  const std::scoped_lock lock(mutex_);
  current_ = std::move(next);
  version_.fetch_add(1, std::memory_order_release);
}

// the registry -------------------------------------------------------------------------------------------------------

manager_core::manager_core(config::settings configuration, manager_options options)
    : settings_(std::move(configuration)),
      drivers_(std::move(options.drivers)),
      work_(options.work ? std::move(options.work) : make_thread_background(clock::system(), options.log)),
      time_(work_->time()),
      log_(std::move(options.log)),
      defaults_(std::make_shared<const config::tuning>(settings_.defaults)) {
  auto problems = config::validate(settings_);
  if (!problems.empty()) throw config::configuration_error(std::move(problems));
  auto connections = std::move(settings_.connections);
  settings_.connections.clear();
  by_name_.reserve(connections.size());
  connection_pointer only;
  for (auto& each : connections) only = insert(std::move(each));
  if (!settings_.default_connection.empty()) {
    switch_active(settings_.default_connection);
  } else if (auto named_default = find("default")) {
    active_database_.set(std::move(named_default));
  } else if (by_name_.size() == 1 && only->kind() != database_kind::key_value) {
    active_database_.set(std::move(only));
  }
}

std::shared_ptr<driver> manager_core::driver_for(config::database_type type) const {
  for (const auto& each : drivers_) {
    if (each->type() == config::to_string(type)) return each;
  }
  return nullptr;
}

connection_pointer manager_core::insert(config::connection configuration) {
  auto limits = configuration.overrides.empty()
                    ? defaults_
                    : std::make_shared<const config::tuning>(configuration.overrides.applied_to(*defaults_));
  const auto type = configuration.type;
  auto its_log = configuration.enable_logging ? log_ : log_.silenced();
  auto state = std::make_shared<connection_state>(std::move(configuration), std::move(limits), driver_for(type), *work_,
                                                  std::move(its_log), sequence_++);
  by_name_.emplace(state->name(), state);
  return state;
}

connection_pointer manager_core::add(config::connection configuration) {
  require_open("register");
  config::settings alone;  // checked by itself, with the limits it inherits
  alone.defaults = *defaults_;
  alone.connections.push_back(configuration);
  auto problems = config::validate(alone);
  if (!problems.empty()) throw config::configuration_error(std::move(problems));
  connection_pointer fresh;
  {
    const std::unique_lock lock(mutex_);
    if (by_name_.contains(std::string_view(configuration.name))) {
      throw error(errc::already_registered, "a connection of this name exists")
          .with_hint("remove it first, or choose another name")
          .at(configuration.name, "register");
    }
    fresh = insert(std::move(configuration));
  }
  const bool database = fresh->kind() != database_kind::key_value;
  if (database && (!active() || fresh->name() == "default")) active_database_.set(fresh);
  return fresh;
}

connection_pointer manager_core::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

connection_pointer manager_core::require(std::string_view name) const {
  if (auto found = find(name)) return found;
  if (name == "default") {
    if (auto now = active()) return now;
  }
  throw error(errc::connection_not_found, "Database connection '" + std::string(name) + "' not found")
      .with_hint(known_names());
}

std::string manager_core::known_names() const {
  std::string names;
  std::size_t count = 0;
  for (const auto& each : all()) {
    if (++count > 10) {
      names += " …";
      break;
    }
    names += (names.empty() ? "" : ", ") + each->name();
  }
  return names.empty() ? "no connection is registered" : "there are: " + names;
}

std::vector<connection_pointer> manager_core::all() const {
  std::vector<connection_pointer> list;
  {
    const std::shared_lock lock(mutex_);
    list.reserve(by_name_.size());
    for (const auto& [name, state] : by_name_) list.push_back(state);
  }
  std::ranges::sort(list, {}, [](const connection_pointer& each) { return each->sequence(); });
  return list;
}

connection_pointer manager_core::take_out(std::string_view name) {
  connection_pointer gone = require(name);
  {
    const std::unique_lock lock(mutex_);
    const auto found = by_name_.find(std::string_view(gone->name()));
    // Somebody else may have been quicker, and another one may have the name by now.
    if (found != by_name_.end() && found->second == gone) by_name_.erase(found);
  }
  if (active() == gone) promote_first_remaining();
  return gone;
}

void manager_core::promote_first_remaining() {
  connection_pointer next;
  for (const auto& each : all()) {
    if (each->kind() != database_kind::key_value && !each->gone()) {
      next = each;
      break;
    }
  }
  active_database_.set(std::move(next));
}

// Left open, a connection is critical when it is the only one.
bool manager_core::is_critical(const connection_state& state) const noexcept {
  if (const auto wish = state.critical_wish()) return *wish;
  const std::shared_lock lock(mutex_);
  return by_name_.size() == 1;
}

connection_pointer manager_core::require_active() const {
  if (auto now = active()) return now;
  throw error(errc::no_default_connection, "no connection is active")
      .with_hint("name one in default_connection, or call switch_active(name); " + known_names());
}

void manager_core::switch_active(std::string_view name) {
  auto next = require(name);
  if (next->kind() == database_kind::key_value) {
    throw error(errc::not_sql_database, "it is a " + std::string(config::to_string(next->type())) +
                                            " connection, which cannot be the active database")
        .at(next->name(), "switch");
  }
  active_database_.set(std::move(next));
}

void manager_core::require_open(std::string_view operation) const {
  if (!closing()) return;
  throw error(errc::shutting_down, "Cannot get connection pool during shutdown").at("", operation);
}

}  // namespace polypool::detail
