// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/cluster_session.hpp"

#include "base/words.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <typeinfo>

namespace polypool::redis {

native_handle cluster_session::native() noexcept {
  return {typeid(key_value_session*), static_cast<key_value_session*>(this)};
}

void cluster_session::interrupt() noexcept {
  interrupted_.store(true);
  const std::scoped_lock lock(mutex_);
  for (auto& [name, one] : nodes_) {
    if (one.open) one.open->interrupt();
  }
}

bool cluster_session::dirty() const noexcept {
  if (watched_ || listener_) return true;
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(nodes_, [](const auto& one) {
    return one.second.open && !one.second.open->broken() && one.second.open->dirty();
  });
}

std::size_t cluster_session::outstanding() const noexcept {
  const std::scoped_lock lock(mutex_);
  std::size_t all = 0;
  for (const auto& [name, one] : nodes_) all += one.open ? one.open->outstanding() : 0;
  return all;
}

std::size_t cluster_session::abandoned() const noexcept {
  const std::scoped_lock lock(mutex_);
  std::size_t all = 0;
  for (const auto& [name, one] : nodes_) all += one.open ? one.open->abandoned() : 0;
  return all;
}

// Connections that cannot be cleaned are given up; the next command opens others.
task<void> cluster_session::reset() {
  for (const auto& each : open_sessions()) {
    try {
      task<void> resetting = each->reset();
      co_await std::move(resetting);
    } catch (const error&) {
      each->interrupt();
    }
  }
  watched_.reset();
  listener_.reset();
}

// A node that does not answer is no reason to give up the others: only one that is needed is missed.
task<void> cluster_session::probe() {
  const redis_command ping("PING");
  task<redis_reply> asking = route(ping, std::nullopt);
  co_await std::move(asking);
}

task<server_info> cluster_session::describe() {
  task<session_pointer> opening = session_to(place_of(std::nullopt));
  const session_pointer there = co_await std::move(opening);
  task<server_info> asking = there->describe();
  co_return co_await std::move(asking);
}

task<redis_reply> cluster_session::execute(const redis_command& what) {
  const redis_effect effect = effect_of(what);
  if (effect >= redis_effect::subscribes) {
    throw error(errc::invalid_argument, std::string(what.name()) + " cannot run as a command");
  }
  std::string wire;
  what.append_to(wire);
  const words all = words_of(wire);
  if (same_word(all.front(), "MULTI") || (same_word(all.front(), "EXEC") && !watched_)) {
    throw error(errc::invalid_argument, "in a cluster, MULTI and EXEC have to come together with what is between them")
        .with_hint("use transaction(), or pipeline() with all of it");
  }
  const bool watches = same_word(all.front(), "WATCH");
  const bool ends =
      same_word(all.front(), "UNWATCH") || same_word(all.front(), "EXEC") || same_word(all.front(), "DISCARD");
  if (watches) {
    const auto slot = slot_of_command(all);
    if (watched_ && slot != watched_) {
      throw redis_error("CROSSSLOT Keys in request don't hash to the same slot");
    }
    watched_ = slot;
  }
  const auto pinned = ends ? watched_ : std::nullopt;
  task<redis_reply> running = pinned ? route(what, pinned) : run_alone(what, wire);
  redis_reply answer = co_await std::move(running);
  if (ends) watched_.reset();
  co_return std::move(answer);
}

// Every node passes messages of ordinary channels on; those of shards live with their slot.
task<void> cluster_session::send(const redis_command& what) {
  if (!listener_ || listener_->broken()) {
    std::string wire;
    what.append_to(wire);
    const bool sharded = same_word(what.name(), "SSUBSCRIBE");
    const auto slot = sharded ? slot_of_command(words_of(wire)) : std::nullopt;
    task<session_pointer> opening = session_to(place_of(slot));
    listener_ = co_await std::move(opening);
  }
  task<void> sending = listener_->send(what);
  co_await std::move(sending);
}

task<redis_reply> cluster_session::next_push() {
  if (!listener_) {
    task<session_pointer> opening = session_to(place_of(std::nullopt));
    listener_ = co_await std::move(opening);
  }
  const session_pointer from = listener_;
  std::optional<error> failure;
  try {
    task<redis_reply> reading = from->next_push();
    co_return co_await std::move(reading);
  } catch (const error& problem) {
    failure = problem;
  }
  // Whoever subscribed has to do it again, on a session of its own.
  if (from->broken()) interrupted_.store(true);
  throw *failure;
}

}  // namespace polypool::redis
