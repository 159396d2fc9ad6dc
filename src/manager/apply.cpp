// SPDX-License-Identifier: Apache-2.0
// Another configuration for a manager at work: all of it or nothing, and no call is dropped.
#include "manager/call_target.hpp"
#include "manager/manager_core.hpp"

#include <algorithm>

namespace polypool::detail {

/// One name that changes hands.
struct manager_core::exchange {
  connection_pointer old;    // null: the name is new
  connection_pointer fresh;  // null: the name goes
  bool must_connect = false;
  bool may_connect = false;
};

namespace {

// One configuration at a time.
class turn {
 public:
  explicit turn(std::atomic<bool>& busy) : busy_(busy) {
    if (!busy.exchange(true)) return;
    throw error(errc::already_connected, "another configuration is being applied")
        .with_hint("wait for it to end")
        .at({}, "apply");
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn() { busy_.store(false); }

 private:
  std::atomic<bool>& busy_;
};

name_space space_of(const config::change& one) noexcept {
  return one.what == "redis" ? name_space::redis : name_space::databases;
}

task<void> open_one(connection_pointer state, bool required, std::shared_ptr<std::vector<error>> failures,
                    std::shared_ptr<std::mutex> mutex) {
  try {
    task<void> connecting = state->connect();
    co_await std::move(connecting);
  } catch (const error& why) {
    state->log().warning("manager", "a connection of the new configuration could not be opened",
                         {{"connection", state->name()}, {"error", why.what()}});
    const std::scoped_lock lock(*mutex);
    if (required) failures->push_back(why);
  }
}

error summary_of(const std::vector<error>& failures) {
  if (failures.size() == 1) {
    error only = failures.front();
    return only.with_hint("nothing was changed");
  }
  std::string text = std::to_string(failures.size()) + " connections could not be opened:";
  for (const auto& each : failures) text += "\n  " + std::string(each.what());
  return error(failures.front().portable_code(), text).with_hint("nothing was changed");
}

}  // namespace

config::settings manager_core::configuration() const {
  config::settings now;
  {
    const std::shared_lock lock(mutex_);
    now = settings_;
  }
  for (const auto& state : all()) {
    if (!state->by_hand() && !state->group()) now.connections.push_back(state->configuration());
  }
  return now;
}

std::vector<config::change> manager_core::preview(const config::settings& next) const {
  auto problems = config::validate(next);
  if (!problems.empty()) throw config::configuration_error(std::move(problems));
  return config::compare(configuration(), next);
}

std::vector<manager_core::exchange> manager_core::plan(const config::settings& next,
                                                       const std::vector<config::change>& changes) const {
  std::vector<exchange> list;
  for (const auto& each : changes) {
    if (each.name.empty()) continue;
    exchange one;
    one.old = find(each.name, space_of(each));
    if (one.old && one.old->memberships() > 0) {
      throw error(errc::unsupported, "it is a member of a group, and those stay as they are while a manager runs")
          .with_hint("restart with the new configuration, or remove the group before")
          .at(each.name, "apply");
    }
    if (each.kind == config::change::kind_type::added && one.old) {
      throw error(errc::already_registered, "a connection of this name was registered at run time")
          .with_hint("remove it first, or choose another name in the configuration")
          .at(each.name, "apply");
    }
    if (each.kind != config::change::kind_type::removed) {
      const auto found = std::ranges::find_if(next.connections, [&](const config::connection& c) {
        return c.name == each.name && name_space_of(config::kind_of(c.type)) == space_of(each);
      });
      const std::shared_lock lock(mutex_);
      one.fresh = make_state(*found, next);
      const bool was_open = one.old && one.old->phase() == connection_phase::connected;
      one.may_connect = !one.fresh->limits().lazy_connect || was_open;
      one.must_connect = one.may_connect && (was_open || one.fresh->critical_wish().value_or(false));
    }
    list.push_back(std::move(one));
  }
  return list;
}

task<void> manager_core::connect_fresh(const std::vector<exchange>& list, const apply_options& how) {
  const auto failures = std::make_shared<std::vector<error>>();
  const auto mutex = std::make_shared<std::mutex>();
  std::vector<task<void>> work;
  for (const auto& each : list) {
    if (!each.fresh || !each.may_connect) continue;
    work.push_back(open_one(each.fresh, each.must_connect || how.all_or_nothing, failures, mutex));
  }
  if (work.empty()) co_return;
  task<wait_result> all_done = run_all(work_, std::move(work));
  const wait_result ended = co_await std::move(all_done);
  const bool refused = ended != wait_result::ready || !failures->empty();
  if (!refused) co_return;
  for (const auto& each : list) {
    if (!each.fresh) continue;
    task<void> closing = each.fresh->close(duration::zero(), duration::zero(), connection_phase::removed);
    co_await std::move(closing);
  }
  throw_unless_ready(ended);
  throw summary_of(*failures);
}

// The names change hands at one moment.
void manager_core::commit(const std::vector<exchange>& list, const config::settings& next) {
  const std::unique_lock lock(mutex_);
  for (const auto& each : list) {
    auto& known = names_in(name_space_of(each.fresh ? *each.fresh : *each.old));
    if (each.old) {
      known.erase(std::string_view(each.old->name()));
      each.old->give_way_to(each.fresh);
      retiring_.push_back(each.old);
    }
    if (each.fresh) known.emplace(each.fresh->name(), each.fresh);
  }
  settings_.defaults = next.defaults;
  settings_.drain_timeout = next.drain_timeout;
  settings_.force_timeout = next.force_timeout;
  settings_.default_connection = next.default_connection;
  settings_.default_redis = next.default_redis;
  using config::database_type;
  const auto shared = [&](database_type type) {
    return std::make_shared<const config::tuning>(config::defaults_for(type, next.defaults));
  };
  if (!(*defaults_ == next.defaults)) {
    defaults_ = std::make_shared<const config::tuning>(next.defaults);
    mongodb_defaults_ = shared(database_type::mongodb);
    redis_defaults_ = shared(database_type::redis);
  }
}

// The active one stays active under its name, unless the configuration names another one now.
void manager_core::follow_default(name_space where, const std::string& before, const std::string& after) {
  const auto now = active(where);
  if (!after.empty() && after != before) return switch_active(after, where);
  if (!now) return choose_active(where, after);
  if (!now->gone() && !now->successor() && find(now->name(), where) == now) return;
  auto next = find(now->name(), where);
  if (next) return slot(where).set(std::move(next));
  if (!after.empty()) return switch_active(after, where);
  promote_first_remaining(where);
}

task<void> manager_core::retire(connection_pointer old, duration drain, duration force) {
  const auto keep = shared_from_this();
  task<void> closing = old->close(drain, force, connection_phase::removed);
  co_await std::move(closing);
  const std::unique_lock lock(mutex_);
  std::erase(retiring_, old);
}

task<std::vector<config::change>> manager_core::apply(config::settings next, apply_options how) {
  const auto keep = shared_from_this();
  require_open("apply");
  const turn mine(applying_);
  const auto before = configuration();
  auto changes = preview(next);
  if (next.groups != before.groups) {
    throw error(errc::unsupported, "groups stay as they are while a manager runs")
        .with_hint("restart with the new configuration, or use register_group and remove")
        .at({}, "apply");
  }
  const auto list = plan(next, changes);
  task<void> connecting = connect_fresh(list, how);
  co_await std::move(connecting);
  commit(list, next);
  follow_default(name_space::databases, before.default_connection, next.default_connection);
  follow_default(name_space::redis, before.default_redis, next.default_redis);
  for (const auto& each : list) {
    if (!each.old) continue;
    if (each.old->phase() == connection_phase::registered || each.old->phase() == connection_phase::closed) {
      task<void> closing = retire(each.old, duration::zero(), duration::zero());  // nothing to drain
      co_await std::move(closing);
    } else {
      work_->spawn(retire(each.old, next.drain_timeout, next.force_timeout));
    }
  }
  for (const auto& each : changes) log_.info("manager", "configuration", {{"change", each.to_string()}});
  connection_event applied;
  applied.kind = event_kind::configuration;
  applied.to = "applied";
  applied.detail = std::to_string(changes.size()) + (changes.size() == 1 ? " change" : " changes");
  events().publish(std::move(applied));
  co_return changes;
}

}  // namespace polypool::detail
