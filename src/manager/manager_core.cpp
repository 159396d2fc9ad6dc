// SPDX-License-Identifier: Apache-2.0
#include "manager/manager_core.hpp"

#include "manager/call_target.hpp"

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

namespace {

std::shared_ptr<const surroundings> make_surroundings(background& work, failure_filter filter, std::uint32_t most,
                                                      std::uint32_t waiting) {
  auto limit = std::make_unique<bulkhead>("max_concurrent_total", most, waiting);
  auto events = std::make_shared<event_bus>();
  return std::make_shared<const surroundings>(work, std::move(events), std::move(filter), std::move(limit));
}

}  // namespace

// the registry -------------------------------------------------------------------------------------------------------

manager_core::manager_core(config::settings configuration, manager_options options)
    : settings_(std::move(configuration)),
      drivers_(std::move(options.drivers)),
      work_(options.work ? std::move(options.work) : make_thread_background(clock::system(), options.log)),
      time_(work_->time()),
      log_(std::move(options.log)),
      around_(make_surroundings(*work_, std::move(options.counts_as_failure), settings_.max_concurrent_total,
                                settings_.defaults.max_waiting)),
      defaults_(std::make_shared<const config::tuning>(settings_.defaults)),
      mongodb_defaults_(std::make_shared<const config::tuning>(
          config::defaults_for(config::database_type::mongodb, settings_.defaults))),
      redis_defaults_(std::make_shared<const config::tuning>(
          config::defaults_for(config::database_type::redis, settings_.defaults))) {
  auto problems = config::validate(settings_);
  if (!problems.empty()) throw config::configuration_error(std::move(problems));
  events().deliver_on(*work_);
  auto connections = std::move(settings_.connections);
  settings_.connections.clear();
  names_in(name_space::databases).reserve(connections.size());
  for (auto& each : connections) insert(std::move(each));
  for (const auto& each : settings_.groups) insert_group(each);
  choose_active(name_space::databases, settings_.default_connection);
  choose_active(name_space::redis, settings_.default_redis);
}

// The configured one, or one named `default`, or the only one.
void manager_core::choose_active(name_space where, const std::string& configured) {
  if (!configured.empty()) {
    switch_active(configured, where);
  } else if (auto named_default = find("default", where)) {
    slot(where).set(std::move(named_default));
  } else {
    connection_pointer only;
    std::size_t count = 0;
    for (const auto& [name, state] : names_in(where)) {
      if (state->memberships() > 0) continue;  // its group stands for it
      only = state;
      ++count;
    }
    if (count == 1) slot(where).set(std::move(only));
  }
}

std::shared_ptr<driver> manager_core::driver_for(config::database_type type) const {
  for (const auto& each : drivers_) {
    if (each->type() == config::to_string(type)) return each;
  }
  return nullptr;
}

const std::shared_ptr<const config::tuning>& manager_core::inherited_by(config::database_type type) const noexcept {
  if (type == config::database_type::mongodb) return mongodb_defaults_;
  return type == config::database_type::redis ? redis_defaults_ : defaults_;
}

// Connections that have all limits in common share them. Under the lock, or before anybody else knows the manager.
connection_pointer manager_core::make_state(config::connection configuration, const config::settings& within) const {
  const auto own = config::limits_of(within, configuration);
  const auto& inherited = inherited_by(configuration.type);
  auto limits = own == *inherited ? inherited : std::make_shared<const config::tuning>(own);
  const auto type = configuration.type;
  auto its_log = configuration.enable_logging ? log_ : log_.silenced();
  auto state = std::make_shared<connection_state>(std::move(configuration), std::move(limits), driver_for(type),
                                                  around_, std::move(its_log), sequence_.fetch_add(1));
  if (!monitoring()) state->stop_monitor();
  return state;
}

connection_pointer manager_core::insert(config::connection configuration) {
  auto state = make_state(std::move(configuration), settings_);
  names_in(name_space_of(*state)).emplace(state->name(), state);
  return state;
}

connection_pointer manager_core::add(config::connection configuration) {
  require_open("register");
  config::settings alone;  // checked by itself, with the limits it inherits
  {
    const std::shared_lock lock(mutex_);
    alone.defaults = *defaults_;
  }
  alone.connections.push_back(configuration);
  auto problems = config::validate(alone);
  if (!problems.empty()) throw config::configuration_error(std::move(problems));
  connection_pointer fresh;
  const auto where = name_space_of(config::kind_of(configuration.type));
  {
    const std::unique_lock lock(mutex_);
    if (names_in(where).contains(std::string_view(configuration.name))) {
      throw error(errc::already_registered, "a connection of this name exists")
          .with_hint("remove it first, or choose another name")
          .at(configuration.name, "register");
    }
    fresh = insert(std::move(configuration));
    fresh->mark_by_hand();
  }
  fresh->tell(event_kind::registered, "", "", fresh->target());
  if (!active(where) || fresh->name() == "default") make_active(fresh, where);
  return fresh;
}

connection_pointer manager_core::find(std::string_view name, name_space where) const {
  const std::shared_lock lock(mutex_);
  const auto& known = names_in(where);
  const auto found = known.find(name);
  return found == known.end() ? nullptr : found->second;
}

connection_pointer manager_core::find_any(std::string_view name) const {
  auto found = find(name, name_space::databases);
  return found ? found : find(name, name_space::redis);
}

connection_pointer manager_core::require(std::string_view name, name_space where) const {
  if (auto found = find(name, where)) return found;
  if (name == "default") {
    if (auto now = active(where)) return now;
  }
  const std::string kind = where == name_space::redis ? "Redis" : "Database";
  throw error(errc::connection_not_found, kind + " connection '" + std::string(name) + "' not found")
      .with_hint(known_names(where));
}

connection_pointer manager_core::require_any(std::string_view name) const {
  if (auto found = find_any(name)) return found;
  if (name == "default") {
    for (const auto where : {name_space::databases, name_space::redis}) {
      if (auto now = active(where)) return now;
    }
  }
  throw error(errc::connection_not_found, "Database connection '" + std::string(name) + "' not found")
      .with_hint(known_names(std::nullopt));
}

std::string manager_core::known_names(std::optional<name_space> where) const {
  std::string names;
  std::size_t count = 0;
  for (const auto& each : all()) {
    if (where && name_space_of(*each) != *where) continue;
    if (++count > 10) {
      names += " …";
      break;
    }
    names += (names.empty() ? "" : ", ") + each->name();
  }
  if (!names.empty()) return "there are: " + names;
  return where == name_space::redis ? "no Redis connection is registered" : "no connection is registered";
}

std::vector<connection_pointer> manager_core::all() const {
  std::vector<connection_pointer> list;
  {
    const std::shared_lock lock(mutex_);
    list.reserve(size());
    for (const auto& known : by_name_) {
      for (const auto& [name, state] : known) list.push_back(state);
    }
  }
  std::ranges::sort(list, {}, [](const connection_pointer& each) { return each->sequence(); });
  return list;
}

void manager_core::take_out(const connection_pointer& gone) {
  const auto where = name_space_of(*gone);
  bool was_mine = false;
  {
    const std::unique_lock lock(mutex_);
    auto& known = names_in(where);
    if (gone->memberships() > 0) {
      throw error(errc::invalid_argument, "it is a member of a group")
          .with_hint("remove the group first")
          .at(gone->name(), "remove");
    }
    const auto found = known.find(std::string_view(gone->name()));
    // Somebody else may have been quicker, and another one may have the name by now.
    if (found != known.end() && found->second == gone) {
      known.erase(found);
      was_mine = true;
      if (gone->group()) {
        for (const auto& member : gone->group()->members()) --member->memberships();
      }
    }
  }
  if (was_mine) gone->tell(event_kind::removed, "", "", "");
  if (active(where) == gone) promote_first_remaining(where);
}

void manager_core::promote_first_remaining(name_space where) {
  connection_pointer next;
  for (const auto& each : all()) {
    if (name_space_of(*each) == where && !each->gone()) {
      next = each;
      break;
    }
  }
  make_active(std::move(next), where);
}

void manager_core::make_active(connection_pointer next, name_space where) {
  const auto before = active(where);
  if (before == next) return;
  slot(where).set(next);
  if (!before || (next && next->name() == before->name())) return;  // the first one, or another of the same name
  const auto& told = next ? next : before;
  told->tell(event_kind::active_changed, before->name(), next ? next->name() : "", "");
}

// Left open, a connection is critical when it is the only one.
bool manager_core::is_critical(const connection_state& state) const noexcept {
  if (const auto wish = state.critical_wish()) return *wish;
  const std::shared_lock lock(mutex_);
  if (state.memberships() > 0) return false;
  std::size_t count = 0;
  for (const auto& known : by_name_) {
    for (const auto& [name, each] : known) {
      if (each->memberships() == 0 && ++count > 1) return false;
    }
  }
  return true;
}

connection_pointer manager_core::require_active(name_space where) const {
  if (auto now = active(where)) return now;
  const bool redis = where == name_space::redis;
  throw error(errc::no_default_connection, redis ? "no Redis connection is active" : "no connection is active")
      .with_hint((redis ? "name one in default_redis, or call switch_active_redis(name); "
                        : "name one in default_connection, or call switch_active(name); ") +
                 known_names(where));
}

void manager_core::switch_active(std::string_view name, name_space where) {
  const auto other = where == name_space::redis ? name_space::databases : name_space::redis;
  if (!find(name, where)) {
    if (const auto stray = find(name, other)) {
      throw_wrong_kind(*stray, where == name_space::redis ? database_kind::key_value : database_kind::sql, "switch");
    }
  }
  make_active(require(name, where), where);
}

void manager_core::require_open(std::string_view operation) const {
  if (!closing()) return;
  throw error(errc::shutting_down, "Cannot get connection pool during shutdown").at("", operation);
}

}  // namespace polypool::detail
