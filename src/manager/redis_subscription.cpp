// SPDX-License-Identifier: Apache-2.0
#include "manager/redis_call.hpp"

#include <polypool/redis_database.hpp>
#include <polypool/waits.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <set>

namespace polypool {
namespace {

using names = std::set<std::string, std::less<>>;

redis_command command_of(std::string_view name, const names& of) { return redis_command(name, of); }

// The channel, pattern and text of a message; nothing for a confirmation or something else.
std::optional<redis_message> message_in(const redis_value& push) {
  const std::string_view word = push.empty() ? std::string_view() : push[0].text();
  redis_message out;
  if ((word == "message" || word == "smessage") && push.size() == 3) {
    out.channel = push[1].text();
    out.payload = push[2].text();
    return out;
  }
  if (word == "pmessage" && push.size() == 4) {
    out.pattern = push[1].text();
    out.channel = push[2].text();
    out.payload = push[3].text();
    return out;
  }
  return std::nullopt;
}

bool is_confirmation(const redis_value& push) {
  const std::string_view word = push.empty() ? std::string_view() : push[0].text();
  return word == "subscribe" || word == "psubscribe";
}

// A session that is no more; another one may do.
bool session_lost(const error& failure) noexcept {
  return failure.poisons_session() || failure.portable_code() == errc::connection_lost;
}

// What time may heal.
bool may_pass(const error& failure) noexcept {
  const auto code = failure.portable_code();
  if (code == errc::deadline_exceeded || code == errc::cancelled || code == errc::connection_closed) return false;
  return failure.disposition() != disposition::permanent || session_lost(failure);
}

}  // namespace

struct redis_subscription::state {
  redis_database on;
  std::shared_ptr<detail::manager_core> core;
  detail::connection_pointer named;
  std::shared_ptr<const call> how;

  std::mutex mutex;  // guards the names and the session; those who receive hold a share of it
  names channels;
  names patterns;
  std::shared_ptr<lease> session;

  // the receiver's own
  std::deque<redis_message> waiting;
  std::size_t unconfirmed = 0;
  std::atomic<std::uint64_t> interruptions{0};

  detail::call_context target() const { return detail::redis_target(*core, named, how, "subscribe"); }
  std::shared_ptr<lease> current() {
    const std::scoped_lock lock(mutex);
    return session;
  }
  task<std::shared_ptr<lease>> connected();
  task<std::shared_ptr<lease>> connect_once();
  task<redis_reply> next_push();
  task<redis_message> receive();
  task<void> start();
  task<void> change(std::string_view command, bool pattern, bool add, std::vector<std::string> which);
  void drop() noexcept {
    std::shared_ptr<lease> gone;  // goes back without the lock
    const std::scoped_lock lock(mutex);
    gone.swap(session);
  }
};

// Borrows a session and subscribes. It is known to others only then.
task<std::shared_ptr<lease>> redis_subscription::state::connect_once() {
  const auto context = target();
  task<lease> waiting = context.state->acquire(std::source_location::current());
  auto fresh = std::make_shared<lease>(co_await std::move(waiting));
  fresh->expect_long();
  unconfirmed = 0;
  for (const bool pattern : {false, true}) {
    std::optional<redis_command> words;
    {
      const std::scoped_lock lock(mutex);
      if (!pattern) session = fresh;  // from here on changes go to it as well
      const names& wanted = pattern ? patterns : channels;
      if (!wanted.empty()) words = command_of(pattern ? "PSUBSCRIBE" : "SUBSCRIBE", wanted);
      if (words) unconfirmed += wanted.size();
    }
    if (!words) continue;
    task<void> sending = fresh->key_value().send(*words);
    co_await std::move(sending);
  }
  co_return fresh;
}

// Tries again with growing pauses, for as long as the caller waits.
task<std::shared_ptr<lease>> redis_subscription::state::connected() {
  if (auto there = current()) co_return there;
  const auto& limits = target().state->limits();
  duration pause = std::max<duration>(limits.retry_delay, std::chrono::milliseconds(1));
  for (;;) {
    std::optional<error> failure;
    try {
      task<std::shared_ptr<lease>> connecting = connect_once();
      co_return co_await std::move(connecting);
    } catch (const error& problem) {
      failure = problem;
    }
    drop();
    if (!may_pass(*failure)) throw *failure;
    const wait_result how_long = co_await sleep_for(pause);
    if (how_long != wait_result::ready) throw *failure;
    pause = std::min<duration>(pause * 2, std::max<duration>(limits.retry_max_delay, pause));
  }
}

task<redis_reply> redis_subscription::state::next_push() {
  for (;;) {
    task<std::shared_ptr<lease>> connecting = connected();
    const std::shared_ptr<lease> there = co_await std::move(connecting);
    std::optional<error> failure;
    try {
      task<redis_reply> reading = there->key_value().next_push();
      co_return co_await std::move(reading);
    } catch (const error& problem) {
      failure = problem;
    }
    if (!session_lost(*failure)) throw *failure;
    if (failure->portable_code() == errc::connection_closed) {  // on purpose
      drop();
      throw *failure;
    }
    interruptions.fetch_add(1, std::memory_order_relaxed);
    drop();
  }
}

task<redis_message> redis_subscription::state::receive() {
  while (waiting.empty()) {
    task<redis_reply> reading = next_push();
    const redis_reply push = co_await std::move(reading);
    if (is_confirmation(push) && unconfirmed > 0) --unconfirmed;
    if (auto message = message_in(push)) waiting.push_back(std::move(*message));
  }
  redis_message out = std::move(waiting.front());
  waiting.pop_front();
  co_return std::move(out);
}

task<void> redis_subscription::state::start() {
  task<std::shared_ptr<lease>> connecting = connected();
  co_await std::move(connecting);
  while (unconfirmed > 0) {
    task<redis_reply> reading = next_push();
    const redis_reply push = co_await std::move(reading);
    if (is_confirmation(push) && unconfirmed > 0) --unconfirmed;
    if (auto message = message_in(push)) waiting.push_back(std::move(*message));
  }
}

task<void> redis_subscription::state::change(std::string_view command, bool pattern, bool add,
                                             std::vector<std::string> which) {
  std::shared_ptr<lease> there;
  {
    const std::scoped_lock lock(mutex);
    names& all = pattern ? patterns : channels;
    for (const auto& one : which) {
      if (add) {
        all.insert(one);
      } else {
        all.erase(one);
      }
    }
    there = session;
  }
  if (!there || which.empty()) co_return;  // the next session begins with them
  const redis_command words(command, which);
  try {
    task<void> sending = there->key_value().send(words);
    co_await std::move(sending);
  } catch (const error& failure) {
    if (!session_lost(failure)) throw;  // whoever receives sees that, too, and takes another one
  }
}

// the handle ---------------------------------------------------------------------------------------------------------

redis_subscription::redis_subscription(std::unique_ptr<state> made) noexcept : state_(std::move(made)) {}
redis_subscription::redis_subscription(redis_subscription&&) noexcept = default;
redis_subscription& redis_subscription::operator=(redis_subscription&&) noexcept = default;
redis_subscription::~redis_subscription() = default;

redis_subscription redis_database::subscribe(std::vector<std::string> channels,
                                             std::vector<std::string> patterns) const {
  auto made = std::make_unique<redis_subscription::state>(*this, core_, state_, call_);
  made->channels.insert(std::make_move_iterator(channels.begin()), std::make_move_iterator(channels.end()));
  made->patterns.insert(std::make_move_iterator(patterns.begin()), std::make_move_iterator(patterns.end()));
  made->target();  // a wrong name shows now
  return redis_subscription(std::move(made));
}

namespace {

// Errors say where they come from.
template <class T>
task<T> told(task<T> work, std::string name) {
  try {
    co_return co_await std::move(work);
  } catch (error& failure) {
    throw failure.at(name, "subscribe");
  }
}

}  // namespace

task<void> redis_subscription::async_start() { return told(state_->start(), state_->target().state->name()); }
task<redis_message> redis_subscription::async_receive() {
  return told(state_->receive(), state_->target().state->name());
}
void redis_subscription::start() { run(async_start(), detail::blocking_environment(state_->core->time())); }
redis_message redis_subscription::receive() {
  return run(async_receive(), detail::blocking_environment(state_->core->time()));
}
std::optional<redis_message> redis_subscription::receive_for(duration limit) {
  environment env = detail::blocking_environment(state_->core->time());
  env.deadline = saturating_add(env.time->now(), limit);
  try {
    return run(async_receive(), env);
  } catch (const error& failure) {
    const auto code = failure.portable_code();
    if (code != errc::deadline_exceeded && code != errc::pool_timeout) throw;
  }
  return std::nullopt;
}

task<void> redis_subscription::async_subscribe(std::vector<std::string> channels) {
  return state_->change("SUBSCRIBE", false, true, std::move(channels));
}
task<void> redis_subscription::async_psubscribe(std::vector<std::string> patterns) {
  return state_->change("PSUBSCRIBE", true, true, std::move(patterns));
}
task<void> redis_subscription::async_unsubscribe(std::vector<std::string> channels) {
  return state_->change("UNSUBSCRIBE", false, false, std::move(channels));
}
task<void> redis_subscription::async_punsubscribe(std::vector<std::string> patterns) {
  return state_->change("PUNSUBSCRIBE", true, false, std::move(patterns));
}
void redis_subscription::subscribe(std::vector<std::string> channels) {
  run(async_subscribe(std::move(channels)), detail::blocking_environment(state_->core->time()));
}
void redis_subscription::psubscribe(std::vector<std::string> patterns) {
  run(async_psubscribe(std::move(patterns)), detail::blocking_environment(state_->core->time()));
}
void redis_subscription::unsubscribe(std::vector<std::string> channels) {
  run(async_unsubscribe(std::move(channels)), detail::blocking_environment(state_->core->time()));
}
void redis_subscription::punsubscribe(std::vector<std::string> patterns) {
  run(async_punsubscribe(std::move(patterns)), detail::blocking_environment(state_->core->time()));
}

std::uint64_t redis_subscription::interruptions() const noexcept {
  return state_->interruptions.load(std::memory_order_relaxed);
}
void redis_subscription::stop() noexcept { state_->drop(); }

}  // namespace polypool
