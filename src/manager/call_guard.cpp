// SPDX-License-Identifier: Apache-2.0
#include "manager/call_guard.hpp"

#include <random>

namespace polypool::detail {

duration retry_pause(const retry_options& options, std::uint32_t attempt) {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return retry_delay(options, attempt, std::uniform_real_distribution<double>(0, 1)(generator));
}

namespace {

task<call_places> enter_both(connection_pointer state, priority rank) {
  call_places taken;
  bulkhead& own = state->guards().places;
  if (own.is_limited()) {
    task<bulkhead::place> entering = own.enter(rank);
    taken.own = co_await std::move(entering);
  }
  bulkhead& total = state->total_places();
  if (total.is_limited()) {
    task<bulkhead::place> entering = total.enter(rank);
    taken.total = co_await std::move(entering);
  }
  co_return taken;
}

}  // namespace

bool call_attempts::try_enter() noexcept {
  bulkhead& own = guards_->places;
  bulkhead& total = context_.state->total_places();
  if (own.is_limited() && !(places_.own = own.try_enter())) return false;
  if (!total.is_limited() || (places_.total = total.try_enter())) return true;
  places_ = call_places();  // who waits in one queue holds up nobody in the other
  return false;
}

task<call_places> call_attempts::enter() const {
  return enter_both(context_.state, context_.how ? context_.how->rank() : priority::normal);
}

void note_call(const call_context& context, time_point started, const error* why) noexcept {
  connection_state& state = *context.state;
  const auto now = state.time().now();
  state.count_query(why != nullptr, now - started);
  auto& guards = state.guards();
  if (!guards.enabled) return;
  const circuit_breaker::permit none;
  if (!why) {
    guards.breaker.succeeded(none, now - started, now);
  } else if (state.counts_as_failure(*why)) {
    guards.breaker.failed(none, now - started, now);
    if (context.group) context.group->group()->failed(state, *why);
  }
}

call_attempts::call_attempts(call_context& context, again how) noexcept : context_(context), how_(how) {}

std::optional<error> call_attempts::admit() {
  abandon();
  places_ = call_places();
  guards_ = &context_.state->guards();
  started_ = not_begun;
  if (!guards_->enabled) return std::nullopt;
  clock& time = context_.state->time();
  // A closed breaker does not ask for the time.
  const bool closed = guards_->breaker.state() == breaker_state::closed;
  permit_ = guards_->breaker.admit(closed ? time_point() : time.coarse_now());
  if (permit_) [[likely]]
    return std::nullopt;
  return guards_->refusal(time);
}

void call_attempts::abandon() noexcept {
  if (permit_) guards_->breaker.abandoned(*permit_);
  permit_.reset();
}

void call_attempts::succeeded() noexcept {
  if (started_ == not_begun) return abandon();  // a session was borrowed; what for, nobody knows
  const auto now = context_.state->time().now();
  const duration took = now - started_;
  if (permit_) guards_->breaker.succeeded(*permit_, took, now);
  permit_.reset();
  guards_->budget.give_back();
  context_.state->count_query(false, took);
  if (context_.group) [[unlikely]]
    context_.group->group()->succeeded(*context_.state, took);
}

// What the failure says about the server, to the breaker and to the group.
void call_attempts::settle(const error& why, time_point now, duration took) noexcept {
  const bool servers_fault = context_.state->counts_as_failure(why);
  if (permit_) {
    if (servers_fault) {
      guards_->breaker.failed(*permit_, took, now);
    } else if (started_ != not_begun && why.portable_code() != errc::cancelled) {
      guards_->breaker.succeeded(*permit_, took, now);  // it answered, if only with a complaint
    } else {
      guards_->breaker.abandoned(*permit_);
    }
    permit_.reset();
  }
  if (why.portable_code() == errc::circuit_open) return;
  const bool elsewhere = servers_fault || why.disposition() == disposition::retryable_elsewhere;
  if (context_.group && elsewhere) context_.group->group()->failed(*context_.state, why);
}

namespace {

// Nothing of the call has reached a server, so that another one may have it.
bool was_never_made(const error& why) noexcept {
  switch (why.portable_code()) {
    case errc::circuit_open:
    case errc::connect_failed:
    case errc::authentication_failed:
    case errc::too_many_connections:
    case errc::connection_closed:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool call_attempts::move_to_another(const error& why) noexcept {
  if (!context_.group) return false;
  try {
    auto other = context_.group->group()->choose(context_.how.get(), context_.state.get());
    if (!other || other == context_.state) return false;
    context_.state->log().info("manager", "the call goes to another member",
                               {{"group", context_.group->name()},
                                {"from", context_.state->name()},
                                {"to", other->name()},
                                {"error", why.cause()}});
    context_.state = std::move(other);
    return true;
  } catch (...) {
    return false;  // no other one: the first error says more
  }
}

// Another configuration was applied while the call was on its way. @return whether there is somewhere to go
bool call_attempts::follow_successor(const error& why) noexcept {
  if (started_ != not_begun || why.portable_code() != errc::connection_closed || !context_.state->gone()) return false;
  auto next = context_.state->successor();
  if (!next) return false;
  start_over_at(std::move(next));
  return true;
}

void call_attempts::start_over_at(connection_pointer next) noexcept {
  abandon();  // what the old one's safeguards gave
  places_ = call_places();
  guards_ = nullptr;
  context_.state = std::move(next);
  pause_ = duration::zero();
}

void call_attempts::check_member() {
  if (!context_.group) return;
  auto& members = *context_.group->group();
  if (members.still_takes(context_.how.get(), *context_.state)) return;
  // Another configuration has replaced the group while the call was on its way: it does not know the members of now.
  if (context_.group->gone() || context_.group->successor()) return;
  auto next = members.choose(context_.how.get(), nullptr);
  if (next == context_.state) return;
  moved_to_ = std::move(next);
  throw error(errc::read_only, "the writes of the group went elsewhere while the call waited for a session");
}

bool call_attempts::follow_group() noexcept {
  if (!moved_to_) return false;
  start_over_at(std::move(moved_to_));
  return true;
}

bool call_attempts::failed(const error& why, const environment& env) noexcept {
  if (follow_successor(why) || follow_group()) return true;
  clock& time = context_.state->time();
  const auto now = time.now();
  const duration took = started_ == not_begun ? duration::zero() : now - started_;
  places_ = call_places();
  settle(why, now, took);
  if (started_ != not_begun) context_.state->count_query(true, took);
  if (attempt_ >= guards_->retries.attempts) return false;
  const bool idempotent = how_ == again::always_safe || (context_.how && context_.how->is_idempotent());
  const retry_situation situation{.attempt = attempt_, .idempotent = idempotent};
  const bool same_place = how_ != again::never && may_retry(why, situation);
  if (!same_place && !(context_.group && was_never_made(why))) return false;
  if (!guards_->budget.take(why)) {
    context_.state->count_retry(false);
    return false;
  }
  pause_ = duration::zero();
  const connection_pointer here = context_.state;
  if (!move_to_another(why)) {
    if (!same_place) return false;
    pause_ = retry_pause(guards_->retries, attempt_);
    if (env.deadline != no_deadline && saturating_add(now, pause_) >= env.deadline) return false;
  }
  ++attempt_;
  here->count_retry(true);
  return true;
}

namespace {

task<lease> lease_attempt(const call_context& context, call_attempts& attempts, std::source_location where) {
  task<lease> waiting = context.state->acquire(where);
  lease borrowed = co_await std::move(waiting);
  attempts.check_member();
  co_return borrowed;
}

}  // namespace

task<lease> lease_once(call_context context, std::source_location where) {
  environment env = co_await this_environment();
  env.time = &context.state->time();
  auto make = [&](call_attempts& attempts) { return lease_attempt(context, attempts, where); };
  task<lease> calling = make_call<lease>(context, again::if_undone, env, "lease", make);
  co_return co_await std::move(calling);
}

}  // namespace polypool::detail
