// SPDX-License-Identifier: Apache-2.0
#include "manager/redis_sharing.hpp"

#include <algorithm>

namespace polypool::detail {
namespace {

// Out for longer than this, a session goes back once, so that nobody takes it for a leak.
constexpr auto longest_loan = std::chrono::seconds(10);
// Tasks want another session once one has so many of them; they share this many at most.
constexpr std::uint32_t many_tasks = 40;
constexpr std::size_t most_for_tasks = 4;

}  // namespace

/// The duty to borrow a session for all callers of one loop. However it ends, those who wait are woken: to join, to
/// fail alike, or to try themselves.
class redis_sharing::acquisition {
 public:
  acquisition(redis_sharing& owner, const void* loop) noexcept : owner_(owner), loop_(loop) {}
  acquisition(const acquisition&) = delete;
  ~acquisition();
  /// Takes the duty up, unless somebody of this loop has it. @return whether it is this one's now
  bool begin() noexcept;
  void failed(const error& why) {
    // Somebody's own deadline says nothing about the others.
    const auto code = why.portable_code();
    if (code != errc::pool_timeout && code != errc::cancelled && code != errc::deadline_exceeded) failure_ = why;
  }

 private:
  friend class redis_sharing;
  waiter* take_waiters() noexcept;  // (lock)
  redis_sharing& owner_;
  const void* loop_;
  acquisition* next_ = nullptr;
  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
  std::optional<error> failure_;
  bool mine_ = false;
};

/// Waits until somebody of the same loop has borrowed a session.
class redis_sharing::waiter final : public parking {
 public:
  waiter(redis_sharing& owner, const void* loop) noexcept : owner_(owner), loop_(loop) {}
  ~waiter() { withdraw(); }
  const std::optional<error>& failure() const noexcept { return failure_; }

 private:
  friend class redis_sharing;
  bool enqueue() override {
    const std::scoped_lock lock(owner_.mutex_);
    waits_for_ = owner_.acquisition_for(loop_);
    if (waits_for_ == nullptr) return false;
    previous_ = waits_for_->last_;
    (previous_ != nullptr ? previous_->next_ : waits_for_->first_) = this;
    waits_for_->last_ = this;
    return true;
  }
  bool withdraw() noexcept override {
    const std::scoped_lock lock(owner_.mutex_);
    return unlink();
  }
  bool unlink() noexcept {
    acquisition* const from = std::exchange(waits_for_, nullptr);
    if (from == nullptr) return false;
    (previous_ != nullptr ? previous_->next_ : from->first_) = next_;
    (next_ != nullptr ? next_->previous_ : from->last_) = previous_;
    previous_ = next_ = nullptr;
    return true;
  }
  redis_sharing& owner_;
  const void* loop_;
  std::optional<error> failure_;
  acquisition* waits_for_ = nullptr;  // in whose list it is
  waiter* previous_ = nullptr;
  waiter* next_ = nullptr;
};

redis_sharing::acquisition* redis_sharing::acquisition_for(const void* loop) noexcept {
  acquisition* each = acquisitions_;
  while (each != nullptr && each->loop_ != loop) each = each->next_;
  return each;
}

bool redis_sharing::acquisition::begin() noexcept {
  const std::scoped_lock lock(owner_.mutex_);
  if (owner_.acquisition_for(loop_) != nullptr) return false;
  next_ = owner_.acquisitions_;
  owner_.acquisitions_ = this;
  mine_ = true;
  return true;
}

redis_sharing::acquisition::~acquisition() {
  if (!mine_) return;
  waiter* woken = nullptr;
  {
    const std::scoped_lock lock(owner_.mutex_);
    acquisition** link = &owner_.acquisitions_;
    while (*link != this) link = &(*link)->next_;
    *link = next_;
    woken = take_waiters();
  }
  wake_all(woken);
}

// @return the threads among them, to be woken without the lock
redis_sharing::waiter* redis_sharing::acquisition::take_waiters() noexcept {
  waiter* threads = nullptr;
  while (waiter* const each = first_) {
    each->unlink();
    each->failure_ = failure_;
    if (each->blocking()) {
      each->next_ = threads;
      threads = each;
    } else {
      each->wake();  // under the lock: a task may be dropped, but not in the middle of this
    }
  }
  return threads;
}

void redis_sharing::wake_all(waiter* first) noexcept {
  while (first != nullptr) {
    waiter* const each = first;
    first = each->next_;  // it may be gone once it is woken
    each->wake();
  }
}

redis_sharing::place::place(place&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      index_(other.index_),
      session_(other.session_),
      own_(std::move(other.own_)),
      given_up_(other.given_up_) {}

redis_sharing::place::~place() {
  if (owner_ != nullptr) owner_->leave(index_, given_up_);
}

// choosing -----------------------------------------------------------------------------------------------------------

// The least busy session of this loop that takes newcomers.
std::optional<std::size_t> redis_sharing::best_for(const void* loop, time_point now) noexcept {
  std::optional<std::size_t> best;
  std::size_t left = count_;
  for (std::size_t i = 0; left > 0; ++i) {
    auto& one = sessions_[i];
    if (!one.session) continue;
    --left;
    if (one.loop != loop || one.leaving) continue;
    one.leaving = one.commands->broken() || one.session.wanted_back(now) || now - one.since > longest_loan;
    if (!one.leaving && (!best || one.users < sessions_[*best].users)) best = i;
  }
  return best;
}

// Whether a session that lies idle in the pool would serve this caller better.
bool redis_sharing::crowded(const shared_session& one, const environment& env) const noexcept {
  return env.blocking() || (one.users >= many_tasks && count_ < most_for_tasks);
}

// Expects a free place.
std::size_t redis_sharing::add(lease fresh, const void* loop, time_point now) {
  auto& free = *std::ranges::find_if(sessions_, [](const auto& one) { return !one.session; });
  free.commands = &fresh.key_value();
  free.session = std::move(fresh);
  free.loop = loop;
  free.since = now;
  free.users = 0;
  free.leaving = false;
  ++count_;
  return static_cast<std::size_t>(&free - sessions_.data());
}

redis_sharing::place redis_sharing::seat(std::size_t index) noexcept {
  ++sessions_[index].users;
  callers_.fetch_add(1, std::memory_order_relaxed);
  return place(*this, index, sessions_[index].commands);
}

std::optional<redis_sharing::place> redis_sharing::try_join(const environment& env, time_point now) {
  pool& from = state_.usable_pool();
  const void* const loop = env.blocking() ? nullptr : env.waits->loop();
  const std::scoped_lock lock(mutex_);
  auto chosen = best_for(loop, now);
  if (!chosen || crowded(sessions_[*chosen], env)) {
    if (lease idle = from.try_acquire()) {
      if (count_ == most_shared) return place(std::move(idle));  // nobody else finds this one
      chosen = add(std::move(idle), loop, now);
    } else if (chosen) {
      from.wish_for_another();
    }
  }
  if (!chosen) return std::nullopt;
  return seat(*chosen);
}

task<redis_sharing::place> redis_sharing::join() {
  environment env = co_await this_environment();
  const void* const loop = env.blocking() ? nullptr : env.waits->loop();
  const duration limit = state_.limits().acquire_timeout;
  if (limit > duration::zero()) env.deadline = std::min(env.deadline, saturating_add(env.time->now(), limit));
  for (;;) {
    if (auto found = try_join(env, env.time->coarse_now())) co_return std::move(*found);
    acquisition duty(*this, loop);
    if (duty.begin()) {
      task<place> fetching = fetch(duty);
      co_return co_await std::move(fetching).in(env);
    }
    waiter queued(*this, loop);
    const wait_result how = co_await queued.in(env);
    if (queued.failure()) throw error(*queued.failure());
    if (how == wait_result::ready) continue;
    task<lease> late = state_.acquire(std::source_location::current());  // says why it took so long
    lease got = co_await std::move(late).in(env);
    co_return place(std::move(got));
  }
}

// Borrows a session for all who wait.
task<redis_sharing::place> redis_sharing::fetch(acquisition& duty) {
  const environment& env = co_await this_environment();
  std::optional<error> failure;
  try {
    task<lease> waiting = state_.acquire(std::source_location::current());
    lease fresh = co_await std::move(waiting);
    const std::scoped_lock lock(mutex_);
    if (count_ == most_shared) co_return place(std::move(fresh));  // they all leave; this one is nobody else's
    co_return seat(add(std::move(fresh), duty.loop_, env.time->coarse_now()));
  } catch (const error& problem) {
    failure = problem;
  }
  duty.failed(*failure);
  throw error(*failure);
}

// leaving ------------------------------------------------------------------------------------------------------------

void redis_sharing::leave(std::size_t index, bool given_up) noexcept {
  lease over;  // goes back without the lock
  const std::scoped_lock lock(mutex_);
  callers_.fetch_sub(1, std::memory_order_relaxed);
  auto& one = sessions_[index];
  one.leaving = one.leaving || given_up;
  if (--one.users > 0) return;
  std::swap(over, one.session);
  --count_;
}

}  // namespace polypool::detail
