// SPDX-License-Identifier: Apache-2.0
#include "manager/connection_state.hpp"

#include "config/target.hpp"
#include "manager/redis_sharing.hpp"

#include <polypool/config_changes.hpp>

#include <algorithm>

namespace polypool {

std::string_view to_string(connection_phase phase) noexcept {
  switch (phase) {
    case connection_phase::registered:
      return "registered";
    case connection_phase::connecting:
      return "connecting";
    case connection_phase::connected:
      return "connected";
    case connection_phase::closing:
      return "closing";
    case connection_phase::closed:
      return "closed";
    case connection_phase::removed:
      return "removed";
  }
  return "unknown";
}

namespace detail {

connection_state::connection_state(config::connection configuration, std::shared_ptr<const config::tuning> limits,
                                   std::shared_ptr<driver> driver, std::shared_ptr<const surroundings> around,
                                   log::logger log, std::uint64_t sequence)
    : name_(std::move(configuration.name)),
      where_(std::move(configuration.where)),
      tags_(std::move(configuration.tags)),
      limits_(std::move(limits)),
      driver_(std::move(driver)),
      around_(std::move(around)),
      time_(around_->work.time()),
      log_(std::move(log)),
      sequence_(sequence),
      type_(configuration.type),
      critical_(configuration.critical),
      metrics_enabled_(configuration.enable_metrics),
      logging_enabled_(configuration.enable_logging),
      tracing_enabled_(configuration.enable_tracing),
      most_calls_(limits_->max_concurrent),
      access_style_(configuration.default_orm) {
  where_.connect_timeout = limits_->connect_timeout;
  where_.statement_cache = limits_->statement_cache_size;
}

connection_state::~connection_state() = default;

void connection_state::tell(event_kind kind, std::string_view from, std::string_view to,
                            std::string_view detail) const noexcept {
  if (silent_.load(std::memory_order_relaxed)) return;
  around_->events->publish(kind, name_, type_, from, to, detail);
}

config::connection connection_state::configuration() const {
  config::connection out;
  out.name = name_;
  out.type = type_;
  out.where = where_;
  out.overrides = config::overrides_of(*limits_);
  out.overrides.max_concurrent = most_calls_.load(std::memory_order_relaxed);
  out.enable_tracing = tracing_enabled_;
  out.enable_metrics = metrics_enabled_;
  out.enable_logging = logging_enabled_;
  out.default_orm = access_style_;
  out.critical = critical_;
  out.tags = tags_;
  return out;
}

std::shared_ptr<connection_state> connection_state::successor() const {
  const std::scoped_lock lock(mutex_);
  return successor_;
}

void connection_state::give_way_to(std::shared_ptr<connection_state> next) {
  const std::scoped_lock lock(mutex_);
  successor_ = std::move(next);
}

safeguards& connection_state::make_guards() {
  const std::scoped_lock lock(mutex_);
  if (!made_guards_) {
    const auto seed =
        std::hash<std::string>()(name_) ^ static_cast<std::uint64_t>(time_.now().time_since_epoch().count());
    made_guards_ = std::make_unique<safeguards>(name_, *limits_, most_calls_.load(std::memory_order_relaxed), seed,
                                                [this](const breaker_change& change) { breaker_changed(change); });
  }
  guards_.store(made_guards_.get(), std::memory_order_release);
  return *made_guards_;
}

void connection_state::limit_calls(std::uint32_t most) {
  const std::scoped_lock lock(mutex_);  // whoever makes the safeguards comes before this, or sees the new limit
  most_calls_.store(most, std::memory_order_relaxed);
  if (made_guards_) made_guards_->places.resize(most, limits_->max_waiting);
}

void connection_state::breaker_changed(const breaker_change& change) const noexcept {
  const auto kind = change.to == breaker_state::open        ? event_kind::circuit_open
                    : change.to == breaker_state::half_open ? event_kind::circuit_half_open
                                                            : event_kind::circuit_closed;
  if (kind == event_kind::circuit_open) {
    log_.warning("breaker", "the circuit breaker is open", {{"connection", name_}, {"reason", change.reason}});
  } else {
    log_.info("breaker", "the circuit breaker changed",
              {{"connection", name_}, {"state", std::string(to_string(change.to))}, {"reason", change.reason}});
  }
  tell(kind, to_string(change.from), to_string(change.to), change.reason);
}

bool connection_state::counts_as_failure(const error& why) const noexcept {
  try {
    return around_->counts_as_failure ? around_->counts_as_failure(why) : counts_against_server(why);
  } catch (...) {
    return counts_against_server(why);
  }
}

redis_sharing& connection_state::redis() {
  if (auto* made = redis_.load(std::memory_order_acquire)) return *made;
  const std::scoped_lock lock(mutex_);
  if (!made_redis_) made_redis_ = std::make_unique<redis_sharing>(*this);
  redis_.store(made_redis_.get(), std::memory_order_release);
  return *made_redis_;
}

std::string connection_state::target() const {
  if (group_) {
    std::string names;
    for (const auto& each : group_->members()) names += (names.empty() ? "" : ", ") + each->name();
    return names;
  }
  return config::target_of(type_, where_);
}

pool_options connection_state::options_of_pool() const {
  pool_options options;
  options.name = name_;
  options.max_open = limits_->max_open_conns;
  options.max_idle = std::min(limits_->max_idle_conns, limits_->max_open_conns);
  options.min_open = limits_->min_open_conns;
  options.max_waiting = limits_->max_waiting;
  options.max_lifetime = limits_->conn_max_lifetime;
  options.max_idle_time = limits_->conn_max_idle_time;
  options.acquire_timeout = limits_->acquire_timeout;
  options.connect_timeout = limits_->connect_timeout;
  options.keepalive_interval = limits_->keepalive_interval;
  // Saving a session may take no longer than opening another one: meanwhile it fills its place.
  if (limits_->connect_timeout > duration::zero()) {
    options.probe_timeout = std::min<duration>(options.probe_timeout, limits_->connect_timeout);
  }
  options.probe_after = limits_->probe_after;
  options.leak_threshold = limits_->leak_threshold;
  options.connect_attempts = limits_->retry_attempts;
  options.retry_delay = limits_->retry_delay;
  options.retry_max_delay = limits_->retry_max_delay;
  if (driver_ && driver_->session_owns_data(where_)) {  // a database in memory lives and dies with its one session
    options.min_open = options.max_open = options.max_idle = 1;
    options.max_lifetime = options.max_idle_time = options.keepalive_interval = duration::zero();
  }
  return options;
}

void connection_state::require_open() const {
  const auto now = phase();
  if (now == connection_phase::closed || now == connection_phase::closing || now == connection_phase::removed) {
    throw error(errc::connection_closed, "the connection is " + std::string(to_string(now)))
        .with_hint(now == connection_phase::removed ? "register it again, or use another" : "connect() opens it again")
        .at(name_, "acquire");
  }
}

pool& connection_state::usable_pool() {
  const auto now = phase();
  if (now != connection_phase::connected) [[unlikely]] {
    require_open();
  }
  if (pool* made = pool_.load(std::memory_order_acquire)) return *made;
  return make_pool();
}

// Holds the connection while the driver works with its endpoint.
task<std::unique_ptr<session>> connection_state::open_session(std::shared_ptr<connection_state> self) {
  if (!self) throw error(errc::connection_closed, "the connection is gone");
  task<std::unique_ptr<session>> connecting = self->driver_->connect(self->where_);
  co_return co_await std::move(connecting);
}

pool& connection_state::make_pool() {
  if (group_) {
    throw error(errc::unsupported, "a group has no sessions of its own")
        .with_hint("its members have: " + target())
        .at(name_, "acquire");
  }
  if (!driver_) {
    throw error(errc::unsupported_database,
                "this build has no driver for " + std::string(config::to_string(type_)) + " databases")
        .with_hint("build Polypool with that driver, or pass it in manager_options::drivers")
        .at(name_, "connect");
  }
  const std::scoped_lock lock(mutex_);
  require_open();  // again: close() sets the phase under this lock, and then closes what pool there is
  if (!made_pool_) {
    // The pool must not own the background: the last of them may go on one of its threads. The manager owns it, and
    // closes every pool before.
    const std::shared_ptr<background> unowned(std::shared_ptr<void>(), &around_->work);
    const auto open = [self = weak_from_this()] { return open_session(self.lock()); };
    auto options = options_of_pool();
    options.told = [self = weak_from_this()](const pool_incident& what) {
      if (const auto held = self.lock()) held->heed(what);
    };
    made_query_times_ = std::make_unique<latency_histogram>();
    query_times_.store(made_query_times_.get(), std::memory_order_release);
    made_pool_ = std::make_unique<pool>(std::move(options), open, unowned, log_);
    pool_.store(made_pool_.get(), std::memory_order_release);
  }
  start_monitor_locked();
  return *made_pool_;
}

// Whoever closes at the same time comes before this, and is heeded, or after it, and closes what this opens.
pool& connection_state::reopened_pool() {
  pool& mine = make_pool();
  {
    const std::scoped_lock lock(mutex_);
    require_open();
    mine.reopen();
  }
  return make_pool();  // the monitor again
}

task<lease> connection_state::acquire(std::source_location where) {
  if (group_) {
    require_open();
    for (;;) {
      const auto member = group_->choose(nullptr, nullptr);
      task<lease> waiting = member->acquire(where);
      lease got = co_await std::move(waiting);
      if (group_->still_takes(nullptr, *member)) co_return got;  // else writes have moved on meanwhile
    }
  }
  pool& from = usable_pool();
  if (lease quick = from.try_acquire(where)) co_return quick;
  task<lease> waiting = from.acquire(where);
  lease got = co_await std::move(waiting);
  auto expected = connection_phase::registered;
  phase_.compare_exchange_strong(expected, connection_phase::connected);
  co_return got;
}

task<void> connection_state::connect() {
  auto before = phase();
  do {
    // Not while it drains: that would end the wait of whoever closes it.
    if (before == connection_phase::removed || before == connection_phase::closing) require_open();
    if (before == connection_phase::connected) {
      throw error(errc::already_connected, "it is connected already")
          .with_hint("reconnect() replaces its sessions")
          .at(name_, "connect");
    }
  } while (!phase_.compare_exchange_weak(before, connection_phase::connecting));
  std::optional<error> failure;
  try {
    task<void> opening = group_ ? group_->connect() : reopened_pool().warm_up();
    co_await std::move(opening);
  } catch (const error& e) {
    failure.emplace(e);
  }
  auto expected = connection_phase::connecting;
  if (failure) {
    if (before == connection_phase::closed && phase() == connection_phase::connecting) {  // as closed as it was
      task<void> closing = close(duration::zero(), duration::zero(), connection_phase::closed);
      co_await std::move(closing);
    }
    phase_.compare_exchange_strong(expected, connection_phase::registered);
    failed_to_connect(*failure);
    throw failure->at(name_, "connect");
  }
  phase_.compare_exchange_strong(expected, connection_phase::connected);
  if (!group_) connected();
}

task<void> connection_state::reconnect() {
  if (group_) {
    task<void> all = reconnect_members();
    co_await std::move(all);
    co_return;
  }
  std::optional<error> failure;
  try {
    pool& mine = usable_pool();
    mine.retire_all();
    task<void> opening = mine.warm_up();
    co_await std::move(opening);
  } catch (const error& e) {
    failure.emplace(e);
  }
  if (failure) {
    reconnects_failed_.fetch_add(1, std::memory_order_relaxed);
    failed_to_connect(*failure);
    throw failure->at(name_, "reconnect");
  }
  reconnects_succeeded_.fetch_add(1, std::memory_order_relaxed);
  connected();
}

task<void> connection_state::close(duration drain, duration force, connection_phase finally) {
  const auto keep = shared_from_this();
  std::stop_source monitor_stop{std::nostopstate};
  {
    const std::scoped_lock lock(mutex_);
    if (!gone()) {
      phase_.store(finally == connection_phase::removed ? finally : connection_phase::closing,
                   std::memory_order_release);
    }
    std::swap(monitor_stop, monitor_stop_);
  }
  monitor_stop.request_stop();
  if (group_) group_->stop();
  if (pool* made = pool_.load(std::memory_order_acquire)) {
    task<bool> draining = made->close();
    const bool drained = co_await with_timeout(drain, std::move(draining));
    if (!drained) {  // interrupted now; their holders get errors and give them back
      task<bool> forcing = made->close();
      co_await with_timeout(std::max(force - drain, duration::zero()), std::move(forcing));
    }
  }
  auto expected = connection_phase::closing;
  phase_.compare_exchange_strong(expected, connection_phase::closed);
  ended();
}

void connection_state::resize(std::uint32_t min_open, std::uint32_t max_open, std::uint32_t max_idle) {
  usable_pool().resize(min_open, max_open, max_idle);
}

task<server_info> connection_state::describe() {
  task<lease> waiting = acquire(std::source_location::current());
  const lease borrowed = co_await std::move(waiting);
  task<server_info> asking = borrowed->describe();
  co_return co_await std::move(asking);
}

connection_statistics connection_state::statistics() const {
  connection_statistics now;
  now.name = name_;
  now.type = type_;
  now.phase = phase();
  now.health = health();
  now.metrics_enabled = metrics_enabled_;
  now.group = group_ != nullptr;
  if (const pool* made = pool_.load(std::memory_order_acquire)) {
    now.pool = made->statistics();
  } else {
    now.pool.max_open = limits_->max_open_conns;
  }
  now.queries = queries_.load(std::memory_order_relaxed);
  now.errors = errors_.load(std::memory_order_relaxed);
  now.retries = retries_.load(std::memory_order_relaxed);
  now.retries_left_out = retries_left_out_.load(std::memory_order_relaxed);
  now.places.limit = most_calls_.load(std::memory_order_relaxed);
  if (const safeguards* made = guards_.load(std::memory_order_acquire)) {
    now.breaker = made->breaker.snapshot(time_.coarse_now());
    now.places = made->places.snapshot();
  }
  if (group_) {
    for (const auto& each : group_->status().members) {
      now.queries += each.choices;
      now.errors += each.failures;
    }
  }
  now.reconnects_succeeded = reconnects_succeeded_.load(std::memory_order_relaxed);
  now.reconnects_failed = reconnects_failed_.load(std::memory_order_relaxed);
  now.health_checks = health_checks_.load(std::memory_order_relaxed);
  now.health_checks_failed = health_checks_failed_.load(std::memory_order_relaxed);
  if (const auto* times = query_times_.load(std::memory_order_acquire)) now.query_times = times->snapshot();
  now.health_check_time = duration(health_check_time_.load(std::memory_order_relaxed));
  now.health_check_durations = health_check_durations_.snapshot();
  now.last_health_check = duration(last_health_check_.load(std::memory_order_relaxed));
  return now;
}

}  // namespace detail
}  // namespace polypool
