// SPDX-License-Identifier: Apache-2.0
#include "manager/call_target.hpp"

#include <polypool/manager.hpp>

namespace polypool {
namespace {

// A task that keeps alive what it works on, although the handle it came from may be gone when it starts.
template <class T>
task<T> keeping([[maybe_unused]] std::shared_ptr<const void> owner, task<T> work) {
  task<T> child = std::move(work);  // goes before its owner does
  co_return co_await std::move(child);
}

// Owns what it works on, for the same reason.
task<connection_health> checked(std::shared_ptr<const detail::manager_core> core,
                                std::shared_ptr<detail::connection_state> state) {
  task<connection_health> checking = state->check_health();
  connection_health found = co_await std::move(checking);
  co_return core->annotate(std::move(found), *state);
}

// Blocks the calling thread, on the manager's clock.
template <class T>
T run_on(const detail::manager_core& core, task<T> work) {
  environment env;
  env.time = &core.time();
  return run(std::move(work), env);
}

}  // namespace

manager::manager(config::settings configuration, manager_options options)
    : core_(std::make_shared<detail::manager_core>(std::move(configuration), std::move(options))) {}

manager::~manager() {
  try {
    close();
  } catch (const std::exception&) {  // a destructor has nobody to tell; everything was closed as far as it went
  }
  core_->release_work();  // its threads end here, in the manager's own thread, whoever still holds handles
}

connect_report manager::connect() { return run_on(*core_, core_->connect()); }
task<connect_report> manager::async_connect() { return keeping(core_, core_->connect()); }

void manager::close() { close(core_->drain_timeout(), core_->force_timeout()); }
void manager::close(duration drain, duration force) { run_on(*core_, core_->close(drain, force)); }
task<void> manager::async_close(duration drain, duration force) { return keeping(core_, core_->close(drain, force)); }
bool manager::closing() const noexcept { return core_->closing(); }
duration manager::force_timeout() const { return core_->force_timeout(); }

connection manager::get(std::string_view name) const {
  core_->require_open("get");
  return {core_, core_->require_any(name)};
}
connection manager::get_default() const {
  core_->require_open("get");
  return {core_, core_->require_active(detail::name_space::databases)};
}
connection manager::get_redis(std::string_view name) const {
  core_->require_open("get");
  return {core_, core_->require(name, detail::name_space::redis)};
}
std::vector<connection> manager::get_all() const {
  std::vector<connection> list;
  for (auto& state : core_->all()) list.push_back(connection(core_, std::move(state)));
  return list;
}
std::vector<connection> manager::with_tag(std::string_view key, std::string_view wanted) const {
  std::vector<connection> list;
  for (auto& state : core_->all()) {
    const auto found = state->tags().find(std::string(key));
    if (found != state->tags().end() && found->second == wanted) list.push_back(connection(core_, std::move(state)));
  }
  return list;
}
bool manager::contains(std::string_view name) const { return core_->find_any(name) != nullptr; }
bool manager::contains_redis(std::string_view name) const {
  return core_->find(name, detail::name_space::redis) != nullptr;
}

namespace {

std::string active_name(const detail::manager_core& core, detail::name_space where) {
  const auto now = core.active(where);
  return now ? now->name() : std::string();
}

}  // namespace

std::string manager::active() const { return active_name(*core_, detail::name_space::databases); }
std::string manager::active_redis() const { return active_name(*core_, detail::name_space::redis); }
void manager::switch_active(std::string_view name) { core_->switch_active(name, detail::name_space::databases); }
void manager::switch_active_redis(std::string_view name) { core_->switch_active(name, detail::name_space::redis); }

connection manager::register_connection(config::connection configuration) {
  return {core_, core_->add(std::move(configuration))};
}
connection manager::register_url(std::string_view name, std::string_view url) {
  return register_connection(config::connection_from_url(name, url));
}
void manager::remove(std::string_view name, duration drain) { run_on(*core_, async_remove(std::string(name), drain)); }
task<void> manager::async_remove(std::string name, duration drain) { return remove(core_->require_any(name), drain); }
void manager::remove_redis(std::string_view name, duration drain) {
  run_on(*core_, async_remove_redis(std::string(name), drain));
}
task<void> manager::async_remove_redis(std::string name, duration drain) {
  return remove(core_->require(name, detail::name_space::redis), drain);
}
task<void> manager::remove(std::shared_ptr<detail::connection_state> state, duration drain) {
  const auto core = core_;  // read before the first suspension, when the manager is there for sure
  core->take_out(state);
  const auto grace = core->force_timeout() - core->drain_timeout();
  task<void> closing = state->close(drain, drain + grace, connection_phase::removed);
  co_await std::move(closing);
}

sql_database manager::sql(std::string_view name) const {
  core_->require_open("sql");
  return {core_, detail::require_of_kind(*core_, name, database_kind::sql, "sql")};
}
sql_database manager::sql() const { return {core_, nullptr}; }

redis_database manager::redis(std::string_view name) const {
  core_->require_open("redis");
  return {core_, detail::require_of_kind(*core_, name, database_kind::key_value, "redis")};
}
redis_database manager::redis() const { return {core_, nullptr}; }

health_report manager::health_check() { return run_on(*core_, core_->check_health()); }
task<health_report> manager::async_health_check() { return keeping(core_, core_->check_health()); }
health_report manager::health() const { return core_->last_health(); }
bool manager::is_healthy() const { return core_->is_healthy(); }
void manager::start_monitor() { core_->start_monitor(); }
void manager::stop_monitor() { core_->stop_monitor(); }
bool manager::monitoring() const noexcept { return core_->monitoring(); }

manager_statistics manager::statistics() const {
  manager_statistics all;
  for (const auto& state : core_->all()) {
    auto& entry = all.connections.emplace_back(state->statistics());
    entry.active = core_->is_active(*state);
    all.healthy += entry.health == health_status::healthy;
    all.unhealthy += entry.health == health_status::unhealthy;
    all.degraded += entry.health == health_status::degraded;
  }
  all.total = all.connections.size();
  return all;
}

bulkhead_snapshot manager::total_places() const noexcept { return core_->total_places(); }

std::vector<connection_summary> manager::list() const {
  std::vector<connection_summary> lines;
  for (const auto& state : core_->all()) {
    auto& line = lines.emplace_back();
    line.name = state->name();
    line.type = state->type();
    line.phase = state->phase();
    line.health = state->health();
    line.active = core_->is_active(*state);
    line.critical = core_->is_critical(*state);
    line.target = state->target();
    line.tags = state->tags();
    line.group = state->group() != nullptr;
  }
  return lines;
}

config::settings manager::configuration() const { return core_->configuration(); }
std::vector<config::change> manager::preview(const config::settings& next) const { return core_->preview(next); }
std::vector<config::change> manager::apply(config::settings next, apply_options how) {
  return run_on(*core_, async_apply(std::move(next), how));
}
task<std::vector<config::change>> manager::async_apply(config::settings next) {
  return async_apply(std::move(next), apply_options());
}
task<std::vector<config::change>> manager::async_apply(config::settings next, apply_options how) {
  return core_->apply(std::move(next), how);
}

event_bus& manager::events() const noexcept { return core_->events(); }
const std::shared_ptr<background>& manager::work() const noexcept { return core_->shared_work(); }

// handles ------------------------------------------------------------------------------------------------------------

connection::connection(std::shared_ptr<detail::manager_core> core,
                       std::shared_ptr<detail::connection_state> state) noexcept
    : core_(std::move(core)), state_(std::move(state)) {}

std::shared_ptr<detail::connection_state> connection::now() const {
  auto current = state_;
  while (current->gone()) {
    auto next = current->successor();
    if (!next) break;
    current = std::move(next);
  }
  return current;
}

const std::string& connection::name() const noexcept { return state_->name(); }
config::database_type connection::type() const noexcept { return now()->type(); }
database_kind connection::kind() const noexcept { return now()->kind(); }
connection_phase connection::phase() const noexcept { return now()->phase(); }
health_status connection::health() const noexcept { return now()->health(); }
std::vector<health_record> connection::health_history() const { return now()->health_history(); }
bool connection::critical() const noexcept { return core_->is_critical(*now()); }
bool connection::active() const { return core_->is_active(*now()); }
const std::map<std::string, std::string>& connection::tags() const noexcept { return now()->tags(); }

void connection::connect() { run_on(*core_, async_connect()); }
task<void> connection::async_connect() {
  core_->require_open("connect");
  return keeping(now(), now()->connect());
}
void connection::reconnect() { run_on(*core_, async_reconnect()); }
task<void> connection::async_reconnect() {
  core_->require_open("reconnect");
  return keeping(now(), now()->reconnect());
}
void connection::close(duration drain) { run_on(*core_, async_close(drain)); }
task<void> connection::async_close(duration drain) {
  const auto grace = core_->force_timeout() - core_->drain_timeout();
  return keeping(now(), now()->close(drain, drain + grace, connection_phase::closed));
}

connection_health connection::health_check() { return run_on(*core_, async_health_check()); }
task<connection_health> connection::async_health_check() { return checked(core_, now()); }
server_info connection::describe() { return run_on(*core_, async_describe()); }
task<server_info> connection::async_describe() { return keeping(now(), now()->describe()); }

polypool::breaker_snapshot connection::breaker_snapshot() const {
  return now()->guards().breaker.snapshot(now()->time().now());
}
void connection::force_breaker(breaker_action action) {
  const auto state = now();
  if (state->group()) {
    throw error(errc::unsupported, "a group has no circuit breaker of its own")
        .with_hint("its members have: " + state->target())
        .at(state->name(), "breaker");
  }
  auto& breaker = state->guards().breaker;
  const auto now = state->time().now();
  switch (action) {
    case breaker_action::open:
      return breaker.force_open(now);
    case breaker_action::close:
      return breaker.force_closed(now);
    case breaker_action::release:
      return breaker.release(now);
  }
}
connection_statistics connection::statistics() const {
  auto numbers = now()->statistics();
  numbers.active = active();
  return numbers;
}
void connection::resize(std::uint32_t min_open, std::uint32_t max_open, std::uint32_t max_idle) {
  now()->resize(min_open, max_open, max_idle);
}

sql_database connection::sql() const {
  if (now()->kind() != database_kind::sql) detail::throw_wrong_kind(*now(), database_kind::sql, "sql");
  return {core_, now()};
}

redis_database connection::redis() const {
  if (now()->kind() != database_kind::key_value) detail::throw_wrong_kind(*now(), database_kind::key_value, "redis");
  return {core_, now()};
}

polypool::lease connection::lease(std::source_location where) { return run_on(*core_, async_lease(where)); }
task<polypool::lease> connection::async_lease(std::source_location where) {
  core_->require_open("lease");
  return keeping(now(), now()->acquire(where));
}

}  // namespace polypool
