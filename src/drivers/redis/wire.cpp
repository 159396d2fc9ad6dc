// SPDX-License-Identifier: Apache-2.0
// Who waits on a wire, and who writes and reads for whom.
#include "drivers/redis/wire.hpp"

#include "drivers/redis/ticket.hpp"

#include <algorithm>
#include <sys/socket.h>

namespace polypool::redis {
namespace {

constexpr std::size_t kept_capacity = std::size_t{256} << 10;
// A server that went away says so at once; looking is not worth it on a session that was in use a moment ago.
constexpr auto idle_enough_to_look = std::chrono::milliseconds(20);

}  // namespace

void wire::entry_ring::push(entry added) {
  if (size() == slots_.size()) {
    std::vector<entry> larger(slots_.size() * 2);
    for (auto i = head_; i != tail_; ++i) larger[i & (larger.size() - 1)] = at(i);
    slots_ = std::move(larger);
  }
  at(tail_) = added;
  ++tail_;
}

bool wire::ticket::enqueue() {
  const std::scoped_lock lock(owner_.mutex_);
  // Something may have turned up since it decided to wait.
  if (done_ || owner_.failure_ || owner_.reader_ == nullptr || owner_.reader_ == this || owner_.writer_ == this)
    return false;
  if (pushes_ && !owner_.pushes_.empty()) return false;
  if (owner_.writer_ == nullptr && owner_.unsent()) return false;
  parked_ = true;
  return true;
}

bool wire::ticket::withdraw() noexcept {
  const std::scoped_lock lock(owner_.mutex_);
  return std::exchange(parked_, false);
}

// callers ------------------------------------------------------------------------------------------------------------

task<redis_reply> wire::exchange(const redis_command& what) {
  redis_reply reply;
  ticket mine(*this, std::span(&reply, 1));
  step now = submit(mine, &what, {}, co_await this_environment());
  const bool among_many = now == step::park;
  if (among_many) {  // most are written and read for: they need no coroutine for that
    const wait_result how = co_await mine;
    now = after_parking(mine, how);
  }
  if (now != step::done) co_await drive(mine, now, among_many);
  if (reply.is_error()) throw complaint(reply);
  co_return std::move(reply);
}

task<void> wire::exchange(std::string_view commands, std::span<redis_reply> into) {
  if (into.empty()) co_return;
  ticket mine(*this, into);
  const step first = submit(mine, nullptr, commands, co_await this_environment());
  co_await drive(mine, first);
}

task<void> wire::send(const redis_command& what) {
  ticket mine(*this, {});
  const step first = submit(mine, &what, {}, co_await this_environment());
  co_await drive(mine, first);
}

task<redis_reply> wire::next_push() {
  const environment& env = co_await this_environment();
  redis_reply reply;
  ticket mine(*this, std::span(&reply, 1));
  {
    const std::scoped_lock lock(mutex_);
    if (pushes_.empty()) require_usable(env, env.time->coarse_now());
    mine.pushes_ = true;
    mine.released_ = false;
    mine.begin_ = accepted_;
    push_reader_ = &mine;
  }
  co_await drive(mine, next_step(mine));
  co_return std::move(reply);
}

void wire::require_usable(const environment& env, time_point now) const {
  if (interrupted_.load(std::memory_order_relaxed)) {
    throw error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
  }
  if (failure_) {
    auto again = *failure_;
    throw again.with_disposition(disposition::retryable);
  }
  if (env.stop.stop_requested()) {
    throw error(errc::cancelled, "the caller asked to stop before anything was sent")
        .with_disposition(disposition::retryable);
  }
  if (now >= env.deadline) {
    throw error(errc::deadline_exceeded, "the deadline passed before anything was sent")
        .with_disposition(disposition::retryable);
  }
}

// Puts a command behind the others', all or nothing.
void wire::put(ticket& mine, const redis_command* what, std::string_view commands) {
  const std::size_t before = out_.size();
  if (what != nullptr) {
    out_.reserve(before + what->wire_size());
    if (mine.wanted_ > 0) waiting_.push({&mine, mine.wanted_});
    what->append_to(out_);
  } else {
    out_.reserve(before + commands.size());
    waiting_.push({&mine, mine.wanted_});
    out_.append(commands);
  }
  mine.begin_ = accepted_;
  accepted_ += out_.size() - before;
  mine.released_ = false;
  if (mine.wanted_ == 0) return;
  mine.number_ = waiting_.end() - 1;
  mine.queued_ = true;
}

wire::step wire::submit(ticket& mine, const redis_command* what, std::string_view commands, const environment& env) {
  const auto now = env.time->coarse_now();
  std::unique_lock lock(mutex_);
  if (waiting_.empty() && push_reader_ == nullptr && !failure_ && now - last_used_ > idle_enough_to_look) {
    last_used_ = now;
    lock.unlock();
    look_for_goodbye();
    lock.lock();
  }
  require_usable(env, now);
  put(mine, what, commands);
  last_used_ = now;
  if (waiting_.size() > 1) crowded_ = true;
  if (writer_ != nullptr && !(yielding_ && env.blocking())) {
    if (mine.wanted_ == 0) mine.done_ = true;  // somebody else writes it
    return step::park;
  }
  writer_ = &mine;
  yielding_ = crowded_ && !env.blocking();
  if (yielding_) return step::yield;
  if (batch_sent()) take_batch();
  return step::write;
}

// duties -------------------------------------------------------------------------------------------------------------

// The writer's own state; others may look while there is none.
bool wire::batch_sent() const noexcept { return !sealing_ && sent_ == sending_.size(); }
bool wire::unsent() const noexcept { return !out_.empty() || tls_output_ || !batch_sent(); }

// What everybody has put there so far. Only for the writer, once the batch before is sent.
void wire::take_batch() noexcept {
  batch_begin_ = taken_;
  taken_ = accepted_;
  tls_output_ = false;
  crowded_ = waiting_.size() > 1;
  auto& to = tls_ ? plain_ : sending_;
  to.clear();
  if (to.capacity() > kept_capacity) to.shrink_to_fit();
  std::swap(out_, to);
  if (!tls_) sent_ = 0;
  sealing_ = tls_ != nullptr;
}

// What this caller does next; it takes up a duty that nobody has.
wire::step wire::step_for(ticket& mine, ticket*& threads) {
  if (mine.pushes_ && !mine.done_ && !pushes_.empty()) give_push(mine, threads);
  if (failure_ && !mine.done_) mine.done_ = mine.failed_ = true;
  if (mine.done_) return released(mine, threads);
  if (writer_ == nullptr && unsent()) writer_ = &mine;
  if (writer_ == &mine) {
    yielding_ = false;
    if (batch_sent()) {
      if (mine.wanted_ == 0 && taken_ > mine.begin_) {
        mine.done_ = true;
        return released(mine, threads);
      }
      if (!out_.empty() || tls_output_) take_batch();
    }
    if (!batch_sent()) return step::write;
    writer_ = nullptr;
  }
  if (reader_ == nullptr) reader_ = &mine;
  return reader_ == &mine ? step::read : step::park;
}

wire::step wire::next_step(ticket& mine) {
  ticket* threads = nullptr;
  step out{};
  {
    const std::scoped_lock lock(mutex_);
    out = step_for(mine, threads);
  }
  wake_all(threads);
  return out;
}

// The caller is done: its duties go to others.
wire::step wire::released(ticket& mine, ticket*& threads) noexcept {
  if (writer_ == &mine) {
    writer_ = nullptr;
    yielding_ = false;
  }
  if (reader_ == &mine) reader_ = nullptr;
  if (push_reader_ == &mine) push_reader_ = nullptr;
  mine.released_ = true;
  pass_duties(threads);
  return step::done;
}

// The first who waits for somebody else to read for it.
wire::ticket* wire::parked_ticket() noexcept {
  for (auto i = waiting_.begin(); i != waiting_.end(); ++i) {
    ticket* const who = waiting_.at(i).who;
    if (who != nullptr && who->parked_) return who;
  }
  return push_reader_ != nullptr && push_reader_->parked_ ? push_reader_ : nullptr;
}

// Duties that nobody has go to somebody who waits; those who do not wait take them up by themselves.
void wire::pass_duties(ticket*& threads) noexcept {
  const bool writing = writer_ == nullptr && unsent();
  if (!writing && reader_ != nullptr) return;
  ticket* const heir = parked_ticket();
  if (heir == nullptr) return;
  if (writing) writer_ = heir;
  if (reader_ == nullptr) reader_ = heir;
  rouse(*heir, threads);
}

// Wakes a ticket, if it sleeps: tasks at once (one may be dropped, but not in the middle of this), threads without the
// lock.
void wire::rouse(ticket& whose, ticket*& threads) noexcept {
  if (!std::exchange(whose.parked_, false)) return;
  if (whose.blocking()) {
    whose.next_woken_ = threads;
    threads = &whose;
  } else {
    whose.wake();
  }
}

void wire::wake_all(ticket* first) noexcept {
  while (first != nullptr) {
    ticket* const each = first;
    first = each->next_woken_;  // it may be gone once it is woken
    each->wake();
  }
}

// A peer that does not read on before it can write would wait for us for ever.
bool wire::may_read_too(ticket& mine) noexcept {
  const std::scoped_lock lock(mutex_);
  if (reader_ == nullptr) reader_ = &mine;
  return reader_ == &mine;
}

bool wire::is_done(const ticket& mine) const noexcept {
  const std::scoped_lock lock(mutex_);
  return mine.done_;
}

// Whoever was roused with its reply has no duty and left nothing behind: it needs no lock any more.
wire::step wire::after_parking(ticket& mine, wait_result how) {
  if (how == wait_result::ready && mine.released_) return step::done;
  if (how != wait_result::ready && !is_done(mine)) throw gave_up(how);
  const step next = next_step(mine);
  if (next == step::done && mine.failed_) throw failure_for(mine);
  return next;
}

// @param late somebody else read before, and may have left something
task<void> wire::drive(ticket& mine, step now, bool late) {
  const environment& env = co_await this_environment();
  bool wait_first = !late;  // nothing can have come back yet
  bool patient = true;      // may read inside of the system call
  while (now != step::done) {
    wait_result how = wait_result::ready;
    if (now == step::yield) {
      co_await yield_turn();
    } else if (now == step::write) {
      if (write_some() == outcome::would_block) {
        if (may_read_too(mine)) {
          how = co_await socket_ready(descriptor(), reader_slot_, socket_interest::read_or_write);
          if (how == wait_result::ready) {
            read_some(MSG_DONTWAIT);
            now = deliver(mine);
            continue;
          }
        } else {
          how = co_await socket_ready(writer_descriptor(), writer_slot_, socket_interest::write);
          writer_slot_.reset();  // the same
        }
      }
    } else if (now == step::read) {
      const bool inside = wait_first && patient && may_wait_inside_call(env, longest_read) &&
                          patience_.let_reads_wait(descriptor(), reader_slot_);
      if (!inside && wait_first) {
        patience_.doubt();
        how = co_await socket_ready(descriptor(), reader_slot_, socket_interest::read);
      }
      if (how == wait_result::ready) {
        const bool nothing = read_some(inside ? 0 : MSG_DONTWAIT) == outcome::would_block;
        if (inside && nothing) {
          patient = false;
          patience_.doubt();
        }
        wait_first = nothing || !more_likely_;
        now = deliver(mine);
        continue;
      }
    } else {
      how = co_await mine;
      wait_first = false;  // the same
      now = after_parking(mine, how);
      continue;
    }
    if (how != wait_result::ready && !is_done(mine)) throw gave_up(how);
    now = next_step(mine);
  }
  if (mine.failed_) throw failure_for(mine);
}

// A caller goes before its time. What it asked is sent all the same, and the answer thrown away.
void wire::leave(ticket& leaving) noexcept {
  ticket* threads = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    leaving.parked_ = false;
    if (leaving.queued_ && !leaving.done_) {
      waiting_.at(leaving.number_).who = nullptr;
      ++abandoned_;
    }
    released(leaving, threads);
  }
  wake_all(threads);
}

// the end ------------------------------------------------------------------------------------------------------------

void wire::fail(const error& why, std::optional<std::uint64_t> unsent_from) noexcept {
  ticket* threads = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (failure_) return;
    failure_ = why;
    unsent_from_ = unsent_from.value_or(taken_);
    broken_.store(true, std::memory_order_release);
    const auto end_one = [&](ticket& whose) {
      if (!whose.done_) whose.done_ = whose.failed_ = true;
      whose.queued_ = false;
      rouse(whose, threads);
    };
    for (; !waiting_.empty(); waiting_.pop()) {
      if (waiting_.front().who != nullptr) end_one(*waiting_.front().who);
    }
    if (push_reader_ != nullptr && push_reader_->parked_) rouse(*push_reader_, threads);
    out_.clear();
    abandoned_ = 0;
  }
  ::shutdown(descriptor(), SHUT_RDWR);  // ends the waits of whoever writes or reads
  wake_all(threads);
}

error wire::failure_for(const ticket& whose) const {
  const std::scoped_lock lock(mutex_);
  error out = *failure_;
  if (whose.begin_ >= unsent_from_ && out.portable_code() == errc::connection_lost) {
    out.with_disposition(disposition::retryable);  // nothing of it was sent
  }
  return out;
}

error wire::gave_up(wait_result how) const {
  if (how == wait_result::stopped) {
    return {errc::cancelled, "the caller asked to stop while Redis at " + place_ + " was at work"};
  }
  return {errc::deadline_exceeded, "Redis at " + place_ + " did not answer before the deadline"};
}

void wire::interrupt() noexcept {
  interrupted_.store(true);
  broken_.store(true, std::memory_order_release);
  ::shutdown(descriptor(), SHUT_RDWR);
  // A server that waits for us to read does not see that, but a reset it does.
  sockaddr nothing{};
  nothing.sa_family = AF_UNSPEC;
  ::connect(descriptor(), &nothing, sizeof nothing);
}

}  // namespace polypool::redis
