// SPDX-License-Identifier: Apache-2.0
// Opening sessions, off the callers' path.
#include "pool/limited.hpp"
#include "pool/pool_core.hpp"

#include <polypool/duration.hpp>

#include <algorithm>

namespace polypool {

// How many more would be of use: to waiters, to those who share, or for the minimum. Those being opened count.
std::size_t pool_core::wanted_now() const noexcept {
  if (closed_) return 0;
  const std::size_t lasting = live();
  const std::size_t missing = options_.min_open > lasting ? options_.min_open - lasting : 0;
  return std::max<std::size_t>(waiting_ + (wished_ ? 1U : 0U), missing);
}

// A few at a time, within the maximum. After a failure only one tries until it works, and those who can wait, do: the
// minimum, and callers to whom a session on loan will come back.
std::size_t pool_core::sessions_to_open() const noexcept {
  const std::size_t wanted = wanted_now();
  if (wanted <= opening_) return 0;
  const std::size_t standing = open();
  const std::size_t hands = connect_failure_ ? 1 : std::max(options_.max_opening, 1U);
  if (standing >= options_.max_open || opening_ >= hands) return 0;
  const bool urgent = live() == 0 && waiting_ > opening_;
  if (!urgent && retry_at_ != time_point{} && time_.now() < retry_at_) return 0;
  return std::min({wanted - opening_, options_.max_open - standing, hands - opening_});
}

void pool_core::open_wanted() noexcept {
  for (std::size_t count = sessions_to_open(); count > 0; --count) {
    ++opening_;
    if (launch(chore::open, nullptr)) continue;
    --opening_;
    return;
  }
}

// One at a time; whatever an opener comes to, the wish is over with it.
void pool_core::wish_for_another() noexcept {
  departures doomed(*this);
  const guard lock(mutex_);
  if (closed_) return;
  if (item* const idle = idle_.last()) {
    if (keepalives_ == 0 && stale(*idle, time_.coarse_now())) clean_later(*idle, idle_, chore::keepalive, doomed);
    return;
  }
  if (opening_ > 0 || open() >= options_.max_open) return;
  wished_ = true;
  open_wanted();
  if (opening_ == 0) wished_ = false;
}

// Whether this opener is one too many: what it was started for has been served meanwhile.
bool pool_core::surplus_opener() const noexcept {
  const guard lock(mutex_);
  return opening_ > wanted_now();
}

task<void> pool_core::open_one(errand mine) {
  pool_core& core = mine.core();
  std::stop_token stop;
  {
    const guard lock(core.mutex_);
    stop = core.stop_.get_token();
  }
  std::optional<error> failure;
  bool over = core.surplus_opener();
  if (!over) {
    try {
      task<void> attempts = open_attempts(core);
      co_await with_stop(stop, std::move(attempts));
      mine.done();
      co_return;
    } catch (const error& e) {
      failure.emplace(e);
    } catch (const std::exception& e) {
      failure.emplace(errc::internal_error, e.what());
    }
    over = stop.stop_requested();  // the pool is closing, or was: nothing to report
  }
  mine.done();
  if (over) {
    core.opening_dropped();
  } else {
    core.opening_failed(*failure);
  }
}

// Tries as often as configured, as long as somebody still wants the session. `opening_` is left to adopt or the caller.
task<void> pool_core::open_attempts(pool_core& core) {
  for (std::uint32_t attempt = 1;; ++attempt) {
    std::uint64_t generation = 0;
    {
      const guard lock(core.mutex_);
      generation = core.generation_;
    }
    std::optional<error> failure;
    task<std::unique_ptr<session>> connecting = connect(core, failure);
    std::unique_ptr<session> fresh = co_await std::move(connecting);
    if (!failure) {
      core.adopt(std::move(fresh), generation);
      co_return;
    }
    const environment env = co_await this_environment();
    if (env.stop.stop_requested()) throw error(*failure);
    core.note_failure(*failure, attempt);
    const bool give_up = failure->disposition() == disposition::permanent || attempt >= core.options_.connect_attempts;
    if (give_up || core.surplus_opener()) throw error(*failure);
    const wait_result slept = co_await sleep_for(core.backoff(attempt));
    if (slept == wait_result::stopped || core.surplus_opener()) throw error(*failure);
  }
}

// Whatever goes wrong comes out as an error that says so.
task<std::unique_ptr<session>> pool_core::connect(pool_core& core, std::optional<error>& failure) {
  std::unique_ptr<session> fresh;
  try {
    task<std::unique_ptr<session>> connecting = core.opener_();
    fresh = co_await limited(core.options_.connect_timeout, std::move(connecting));
    if (!fresh) failure.emplace(errc::internal_error, "the driver gave no session");
  } catch (const error& e) {
    failure.emplace(e);
  } catch (const std::exception& e) {
    failure.emplace(errc::internal_error, e.what());
  } catch (...) {
    failure.emplace(errc::internal_error, "the driver threw something unknown");
  }
  if (failure && failure->portable_code() == errc::deadline_exceeded) {
    // The driver knows where it was connecting to, and how far it came.
    const std::string limit = format_duration_short(core.options_.connect_timeout);
    error late(errc::connect_failed, "the server did not answer within " + limit + ": " + failure->cause());
    failure = late.with_hint(failure->hint().empty() ? "see connect_timeout, and whether the server can be reached"
                                                     : std::string_view(failure->hint()));
  }
  co_return fresh;
}

void pool_core::note_failure(const error& why, std::uint32_t attempt) {
  {
    const guard lock(mutex_);
    ++counters_.connect_failures;
    connect_failure_ = why;
    connect_failed_at_ = time_.now();
  }
  log_.warning("pool", "opening a session failed",
               {{"connection", options_.name}, {"attempt", std::to_string(attempt)}, {"error", why.what()}});
}

// So that what began together does not end together. Expects the lock.
duration pool_core::jittered(duration span, double least) {
  return std::chrono::duration_cast<duration>(span * std::uniform_real_distribution<double>(least, 1.0)(random_));
}

// Doubles from retry_delay up to retry_max_delay; half of it is random, so that clients of one server spread out.
duration pool_core::backoff(std::uint32_t attempt) {
  const auto least = duration(std::chrono::milliseconds(1));
  const auto most = std::max(options_.retry_max_delay, least);
  duration delay = std::max(options_.retry_delay, least);
  for (std::uint32_t i = 1; i < attempt && delay < most; ++i) delay *= 2;
  const guard lock(mutex_);
  return jittered(std::min(delay, most), 0.5);
}

void pool_core::adopt(std::unique_ptr<session> fresh, std::uint64_t generation) {
  const auto now = time_.now();
  auto made = std::make_unique<item>();
  item& it = *made;
  it.session = std::move(fresh);
  it.sql = dynamic_cast<sql_session*>(it.session.get());
  it.key_value = dynamic_cast<key_value_session*>(it.session.get());
  it.owner = shared_from_this();
  it.generation = generation;
  it.last_used = it.last_probed = now;
  departures doomed(*this);
  guard lock(mutex_);
  if (options_.max_lifetime > duration::zero())
    it.expires = saturating_add(now, jittered(options_.max_lifetime, least_share));
  if (options_.max_idle_time > duration::zero()) it.idle_limit = jittered(options_.max_idle_time, least_share);
  --opening_;
  wished_ = false;
  ++counters_.opened;
  connect_failure_.reset();
  retry_at_ = {};
  cleaning_.push_back(std::move(made));
  if (const auto cause = must_close(it, now)) {
    retire(it, cleaning_, *cause, doomed);
    note_quiet();
    return;
  }
  start_maintenance();
  if (it.expires < next_look_) poke_.set();
  waiter* const next = offer(it, cleaning_, now);
  open_wanted();
  lock.unlock();
  wake_all(next);
}

void pool_core::opening_failed(const error& why) noexcept {
  waiter* failed = nullptr;
  {
    const guard lock(mutex_);
    --opening_;
    wished_ = false;
    const auto pause = std::max(options_.retry_max_delay, duration(std::chrono::milliseconds(10)));
    retry_at_ = time_.now() + jittered(pause, 0.5);
    // Sessions on loan will come back to the waiters. With none left and none under way, nobody would.
    if (!closed_ && staying() == 0) failed = detach_waiters(error(why).at(options_.name, "connect"));
    if (options_.min_open > 0) start_maintenance();  // it tries again later
    poke_.set();
    note_quiet();
  }
  wake_all(failed);
}

void pool_core::opening_dropped() noexcept {
  const guard lock(mutex_);
  --opening_;
  wished_ = false;
  open_wanted();
  note_quiet();
}

task<void> pool_core::warm_up(pointer core) {
  // One lease proves that the server can be reached; the minimum follows by itself.
  task<lease> first = take(core, std::source_location::current());
  (co_await std::move(first)).release();
  const guard lock(core->mutex_);
  core->retry_at_ = {};
  core->open_wanted();
}

}  // namespace polypool
