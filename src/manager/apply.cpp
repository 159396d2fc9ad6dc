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
bool is_about_a_connection(const config::change& one) noexcept {
  return one.what == "connection" || one.what == "redis";
}

// What needs no other connection in its place.
bool is_a_limit_only(const config::change& one) {
  return is_about_a_connection(one) && one.fields == std::vector<std::string>{"max_concurrent"};
}

// One that does not work is not worth keeping for its successor's sake.
bool works(const connection_pointer& one) noexcept {
  return one && one->phase() == connection_phase::connected && one->health() != health_status::unhealthy;
}

const config::connection& wanted_by(const config::settings& next, const config::change& what) {
  return *std::ranges::find_if(next.connections, [&](const config::connection& each) {
    return each.name == what.name && name_space_of(config::kind_of(each.type)) == space_of(what);
  });
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
    if (!is_about_a_connection(each) || is_a_limit_only(each)) continue;
    exchange one;
    one.old = find(each.name, space_of(each));
    if (each.kind == config::change::kind_type::added && one.old) {
      throw error(errc::already_registered, "a connection of this name was registered at run time")
          .with_hint("remove it first, or choose another name in the configuration")
          .at(each.name, "apply");
    }
    if (each.kind != config::change::kind_type::removed) {
      const std::shared_lock lock(mutex_);
      one.fresh = make_state(wanted_by(next, each), next);
      const bool was_open = one.old && one.old->phase() == connection_phase::connected;
      one.may_connect = !one.fresh->limits().lazy_connect || was_open;
      one.must_connect = one.may_connect && (works(one.old) || one.fresh->critical_wish().value_or(false));
    }
    list.push_back(std::move(one));
  }
  return list;
}

// A group whose members change hands is made anew as well; those registered at run time keep their configuration.
void manager_core::plan_groups(const config::settings& next, std::vector<exchange>& list) const {
  const auto among = [&](const connection_pointer exchange::* side, const auto& wanted) {
    return std::ranges::find_if(list, [&](const exchange& each) { return each.*side && wanted(*(each.*side)); });
  };
  const member_finder find_member = [&](const std::string& name) {
    const auto same = [&](const connection_state& each) { return each.name() == name && !each.group(); };
    if (const auto found = among(&exchange::fresh, same); found != list.end()) return found->fresh;
    if (among(&exchange::old, same) != list.end()) return connection_pointer();
    return find_any(name);
  };
  std::vector<exchange> groups;
  for (const auto& host : all()) {
    if (!host->group()) continue;
    const auto& present = host->group()->configuration();
    const config::group* wanted = &present;
    if (!host->by_hand()) {
      const auto found = std::ranges::find(next.groups, host->name(), &config::group::name);
      wanted = found == next.groups.end() ? nullptr : &*found;
    }
    const bool touched = std::ranges::any_of(host->group()->members(), [&](const auto& member) {
      return among(&exchange::old, [&](const connection_state& each) { return &each == member.get(); }) != list.end();
    });
    if (wanted && *wanted == present && !touched) continue;
    exchange one;
    one.old = host;
    if (wanted) one.fresh = make_group(*wanted, find_member);
    if (one.fresh) one.fresh->group()->inherit(*host->group());
    one.may_connect = one.fresh && host->phase() == connection_phase::connected;
    one.must_connect = one.may_connect && works(host);
    groups.push_back(std::move(one));
  }
  for (const auto& each : next.groups) {
    if (const auto known = find_any(each.name); known && known->group()) continue;
    exchange one;
    one.fresh = make_group(each, find_member);
    one.may_connect = !one.fresh->limits().lazy_connect;
    groups.push_back(std::move(one));
  }
  std::ranges::move(groups, std::back_inserter(list));
}

task<void> manager_core::connect_fresh(const std::vector<exchange>& list, const apply_options& how) {
  const auto failures = std::make_shared<std::vector<error>>();
  const auto mutex = std::make_shared<std::mutex>();
  wait_result ended = wait_result::ready;
  for (const bool groups : {false, true}) {  // these look at their members
    std::vector<task<void>> work;
    for (const auto& each : list) {
      if (!each.fresh || !each.may_connect || (each.fresh->group() != nullptr) != groups) continue;
      work.push_back(open_one(each.fresh, each.must_connect || how.all_or_nothing, failures, mutex));
    }
    if (work.empty() || ended != wait_result::ready || !failures->empty()) continue;
    task<wait_result> all_done = run_all(work_, std::move(work));
    ended = co_await std::move(all_done);
  }
  if (ended == wait_result::ready && failures->empty()) co_return;
  task<void> dropping = drop_fresh(list);
  co_await std::move(dropping);
  throw_unless_ready(ended);
  throw summary_of(*failures);
}

task<void> manager_core::drop_fresh(const std::vector<exchange>& list) {
  for (const auto& each : list) {
    if (!each.fresh) continue;
    task<void> closing = each.fresh->close(duration::zero(), duration::zero(), connection_phase::removed);
    co_await std::move(closing);
  }
}

// The names change hands at one moment, before the manager closes what has a name, or never.
bool manager_core::commit(const std::vector<exchange>& list, const config::settings& next) {
  const std::unique_lock lock(mutex_);
  if (closing()) return false;
  const auto membership = [](const connection_pointer& host, std::uint32_t change) {
    if (!host || !host->group()) return;
    for (const auto& member : host->group()->members()) member->memberships() += change;
  };
  for (const auto& each : list) {
    membership(each.old, static_cast<std::uint32_t>(-1));
    membership(each.fresh, 1);
    auto& known = names_in(name_space_of(each.fresh ? *each.fresh : *each.old));
    if (each.old) {
      known.erase(std::string_view(each.old->name()));
      each.old->give_way_to(each.fresh);
      if (each.fresh) each.old->fall_silent();
      retiring_.push_back(each.old);
    }
    if (each.fresh) known.emplace(each.fresh->name(), each.fresh);
    if (each.fresh && each.old && each.old->by_hand()) each.fresh->mark_by_hand();
  }
  settings_.groups = next.groups;
  settings_.defaults = next.defaults;
  settings_.drain_timeout = next.drain_timeout;
  settings_.force_timeout = next.force_timeout;
  settings_.default_connection = next.default_connection;
  settings_.default_redis = next.default_redis;
  settings_.max_concurrent_total = next.max_concurrent_total;
  settings_.logging = next.logging;
  settings_.webhooks = next.webhooks;
  settings_.server.max_body_bytes = next.server.max_body_bytes;
  settings_.server.request_timeout = next.server.request_timeout;
  using config::database_type;
  const auto shared = [&](database_type type) {
    return std::make_shared<const config::tuning>(config::defaults_for(type, next.defaults));
  };
  if (!(*defaults_ == next.defaults)) {
    defaults_ = std::make_shared<const config::tuning>(next.defaults);
    mongodb_defaults_ = shared(database_type::mongodb);
    redis_defaults_ = shared(database_type::redis);
  }
  return true;
}

// Limits of calls change while calls are in them.
void manager_core::adjust_limits(const std::vector<config::change>& changes, const config::settings& next) {
  for (const auto& each : changes) {
    if (!is_a_limit_only(each)) continue;
    const auto state = find(each.name, space_of(each));
    if (state) state->limit_calls(config::limits_of(next, wanted_by(next, each)).max_concurrent);
  }
  around_->total_places->resize(next.max_concurrent_total, next.defaults.max_waiting);
}

// The active one stays active under its name, unless the configuration names another one now.
void manager_core::follow_default(name_space where, const std::string& before, const std::string& after) {
  const auto now = active(where);
  if (!after.empty() && after != before) return switch_active(after, where);
  if (!now) return choose_active(where, after);
  if (!now->gone() && !now->successor() && find(now->name(), where) == now) return;
  auto next = find(now->name(), where);
  if (next) return make_active(std::move(next), where);
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

void manager_core::publish(std::string_view outcome, std::string detail) const {
  connection_event what;
  what.kind = event_kind::configuration;
  what.to = outcome;
  what.detail = std::move(detail);
  around_->events->publish(what);
}

// What has a name now is heard of, and what has none any more drains.
task<void> manager_core::hand_over(const std::vector<exchange>& list, duration drain, duration force) {
  for (const auto& each : list) {
    if (!each.fresh) each.old->tell(event_kind::removed, "", "", "");
    if (!each.old) continue;
    if (each.old->phase() == connection_phase::registered || each.old->phase() == connection_phase::closed) {
      task<void> closing = retire(each.old, duration::zero(), duration::zero());  // nothing to drain
      co_await std::move(closing);
    } else {
      work_->spawn(retire(each.old, drain, force));
    }
  }
}

task<std::vector<config::change>> manager_core::apply(config::settings next, apply_options how) {
  const auto keep = shared_from_this();
  try {
    task<std::vector<config::change>> applying = put_in_force(std::move(next), std::move(how));
    std::vector<config::change> changes = co_await std::move(applying);
    publish("applied", std::to_string(changes.size()) + (changes.size() == 1 ? " change" : " changes"));
    co_return changes;
  } catch (error& why) {  // keeps its type
    publish("refused", std::string(why.what()));
    throw;
  }
}

task<std::vector<config::change>> manager_core::put_in_force(config::settings next, apply_options how) {
  require_open("apply");
  const turn mine(applying_);
  const auto before = configuration();
  auto changes = preview(next);
  auto list = plan(next, changes);
  plan_groups(next, list);
  for (const auto& each : list) {
    if (each.fresh) each.fresh->fall_silent();  // until it has its name
  }
  task<void> connecting = connect_fresh(list, how);
  co_await std::move(connecting);
  if (!commit(list, next)) {
    task<void> dropping = drop_fresh(list);
    co_await std::move(dropping);
    require_open("apply");
  }
  if (how.committed) how.committed();
  for (const auto& each : list) {
    if (each.fresh) each.fresh->speak_up(each.old.get());
  }
  adjust_limits(changes, next);
  follow_default(name_space::databases, before.default_connection, next.default_connection);
  follow_default(name_space::redis, before.default_redis, next.default_redis);
  task<void> handing = hand_over(list, next.drain_timeout, next.force_timeout);
  co_await std::move(handing);
  for (const auto& each : changes) log_.info("manager", "configuration", {{"change", each.to_string()}});
  co_return changes;
}

}  // namespace polypool::detail
