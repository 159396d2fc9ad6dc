// SPDX-License-Identifier: Apache-2.0
// Groups by name: registering them, handles to them, and operations of callers that move to another server.
#include "config/check.hpp"
#include "manager/group_state.hpp"
#include "manager/manager_core.hpp"

#include <polypool/manager.hpp>

#include <algorithm>

namespace polypool {
namespace detail {

// A connection without a pool, whose calls its router sends to members.
connection_pointer manager_core::make_group(config::group configuration, const member_finder& find_member) const {
  std::vector<connection_pointer> members;
  for (const auto& name : configuration.names()) {
    auto found = find_member(name);
    if (!found) throw error(errc::connection_not_found, "Database connection '" + name + "' not found");
    members.push_back(std::move(found));
  }
  config::connection look;
  look.name = configuration.name;
  look.type = members.front()->type();
  look.where.database = members.front()->database();
  look.tags = configuration.tags;
  look.critical = configuration.critical;
  look.default_orm = members.front()->access_style();
  auto limits = members.front()->limits();
  limits.lazy_connect = std::ranges::all_of(members, [](const auto& each) { return each->limits().lazy_connect; });
  auto state = std::make_shared<connection_state>(std::move(look), std::make_shared<const config::tuning>(limits),
                                                  nullptr, around_, log_, sequence_.fetch_add(1));
  auto router = std::make_shared<group_state>(std::move(configuration), std::move(members));
  router->belongs_to(state);
  state->stand_for(std::move(router));
  return state;
}

// Expects the lock, or that nobody knows us yet.
connection_pointer manager_core::insert_group(config::group configuration) {
  auto state = make_group(std::move(configuration), [this](const std::string& name) {
    for (const auto& known : by_name_) {
      const auto it = known.find(std::string_view(name));
      if (it != known.end() && !it->second->group()) return it->second;
    }
    return connection_pointer();
  });
  names_in(name_space_of(*state)).emplace(state->name(), state);
  for (const auto& member : state->group()->members()) ++member->memberships();
  return state;
}

connection_pointer manager_core::add_group(config::group configuration) {
  require_open("register");
  connection_pointer fresh;
  {
    const std::unique_lock lock(mutex_);
    std::vector<config::problem> problems;
    const auto type_of = [&](const std::string& name) {
      config::member_type out;
      for (const auto& known : by_name_) {
        const auto it = known.find(std::string_view(name));
        if (it == known.end() || out.type) continue;
        if (!it->second->group()) out.type = it->second->type();
        if (it->second->group()) out.problem = "'" + name + "' is a group; the members of a group are connections";
      }
      if (!out.type && out.problem.empty()) out.problem = "'" + name + "' is not the name of a connection";
      return out;
    };
    config::check_group(configuration, type_of, [&](std::string_view field, std::string what) {
      problems.push_back({.file = {},
                          .line = 0,
                          .field = "groups." + configuration.name + "." + std::string(field),
                          .what = std::move(what)});
    });
    if (!problems.empty()) throw config::configuration_error(std::move(problems));
    for (const auto& known : by_name_) {
      if (!known.contains(std::string_view(configuration.name))) continue;
      throw error(errc::already_registered, "a connection of this name exists")
          .with_hint("remove it first, or choose another name")
          .at(configuration.name, "register");
    }
    fresh = insert_group(std::move(configuration));
    fresh->mark_by_hand();
  }
  const auto where = name_space_of(*fresh);
  fresh->tell(event_kind::registered, "", "", fresh->target());
  if (!active(where) || fresh->name() == "default") make_active(fresh, where);
  return fresh;
}

namespace {

group_router& router_of(const connection_state& state) {
  if (state.gone()) {
    throw error(errc::connection_closed, "the group was removed")
        .with_hint("register it again, or use another")
        .at(state.name(), "group");
  }
  return *state.group();
}

template <class T>
T run_on(clock& time, task<T> work) {
  environment env;
  env.time = &time;
  return run(std::move(work), env);
}

task<group_status> after(std::shared_ptr<connection_state> keep, task<void> work) {
  task<void> first = std::move(work);
  co_await std::move(first);
  co_return keep->group()->status();
}

}  // namespace
}  // namespace detail

const std::string& group::name() const noexcept { return state_->name(); }
group_status group::status() const { return detail::router_of(*state_).status(); }
group_status group::refresh() { return detail::run_on(core_->time(), async_refresh()); }
task<group_status> group::async_refresh() { return detail::after(state_, detail::router_of(*state_).look()); }
group_status group::fail_over(std::string_view to) {
  return detail::run_on(core_->time(), async_fail_over(std::string(to)));
}
task<group_status> group::async_fail_over(std::string to) {
  return detail::after(state_, detail::router_of(*state_).fail_over(std::move(to)));
}
group_status group::fail_back() { return detail::run_on(core_->time(), async_fail_back()); }
task<group_status> group::async_fail_back() { return detail::after(state_, detail::router_of(*state_).fail_back()); }

group manager::register_group(config::group configuration) {
  return {core_, core_->add_group(std::move(configuration))};
}

group manager::group(std::string_view name) const {
  core_->require_open("group");
  for (const auto where : {detail::name_space::databases, detail::name_space::redis}) {
    if (auto found = core_->find(name, where); found && found->group()) return {core_, std::move(found)};
  }
  std::string known;
  for (const auto& each : groups()) known += (known.empty() ? "" : ", ") + each.name();
  throw error(errc::connection_not_found, "Group '" + std::string(name) + "' not found")
      .with_hint(known.empty() ? "no group is registered" : "there are: " + known);
}

std::vector<group> manager::groups() const {
  std::vector<polypool::group> list;
  for (auto& each : core_->all()) {
    if (each->group()) list.push_back(polypool::group(core_, std::move(each)));
  }
  return list;
}

bool may_run_elsewhere(const error& why, bool idempotent) noexcept {
  switch (why.portable_code()) {
    case errc::connect_failed:
    case errc::authentication_failed:
    case errc::too_many_connections:
    case errc::circuit_open:
    case errc::no_primary:
    case errc::read_only:
    case errc::pool_timeout:
    case errc::pool_queue_full:
    case errc::connection_closed:
      return true;  // nothing was begun
    case errc::connection_lost:
    case errc::in_doubt:
    case errc::deadline_exceeded:
      return idempotent || why.disposition() == disposition::retryable ||
             why.disposition() == disposition::retryable_elsewhere;
    default:
      return why.disposition() == disposition::retryable_elsewhere;
  }
}

bool manager::fails_over(const connection& from, const connection& to, const error& why, failover_call how) noexcept {
  if (!may_run_elsewhere(why, how.idempotent) || from.core_->closing()) return false;
  try {
    from.state_->log().warning("failover", "an operation moves to the backup",
                               {{"from", from.name()}, {"to", to.name()}, {"error", why.cause()}});
    from.state_->tell(event_kind::failover, from.name(), to.name(), "an operation moved to the backup: " + why.cause());
  } catch (...) {
    return true;  // no memory to say so
  }
  return true;
}

}  // namespace polypool
