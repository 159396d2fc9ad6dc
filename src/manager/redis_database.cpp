// SPDX-License-Identifier: Apache-2.0
#include "manager/redis_call.hpp"

#include <polypool/redis_database.hpp>

#include <boost/uuid/detail/sha1.hpp>

#include <array>

namespace polypool {

using detail::call_context;
using detail::redis_target;

redis_script::redis_script(std::string text) {
  boost::uuids::detail::sha1 hash;
  hash.process_bytes(text.data(), text.size());
  boost::uuids::detail::sha1::digest_type words;
  hash.get_digest(words);
  std::string digest;
  for (const unsigned int word : words) {
    for (int shift = 28; shift >= 0; shift -= 4) digest += "0123456789abcdef"[(word >> shift) & 15U];
  }
  both_ = std::make_shared<const content>(content{std::move(text), std::move(digest)});
}

redis_database::redis_database(std::shared_ptr<detail::manager_core> core,
                               std::shared_ptr<detail::connection_state> state) noexcept
    : core_(std::move(core)), state_(std::move(state)) {}

std::string redis_database::name() const { return redis_target(*core_, state_, call_, "name").state->name(); }

redis_database redis_database::with(call how) const {
  redis_database other = *this;
  other.call_ = std::make_shared<const call>(std::move(how));
  return other;
}

redis_reply redis_database::run_now(const redis_command& what) {
  return detail::redis_now(redis_target(*core_, state_, call_, what.name()), what);
}
task<redis_reply> redis_database::run_later(redis_command what) {
  auto context = redis_target(*core_, state_, call_, what.name());
  return detail::redis_later(std::move(context), std::move(what));
}

redis_pipeline redis_database::pipeline() const { return {core_, state_, call_, false}; }
redis_pipeline redis_database::transaction() const { return {core_, state_, call_, true}; }

// scripts ------------------------------------------------------------------------------------------------------------

namespace {

redis_command by_digest(const redis_script& script, const redis_command& tail) {
  redis_command out("EVALSHA", script.digest());
  return std::move(out.add_words(tail, 1));
}
redis_command by_text(const redis_script& script, const redis_command& tail) {
  redis_command out("EVAL", script.text());
  return std::move(out.add_words(tail, 1));
}
bool unknown_script(const error& failure) noexcept { return failure.server_message().starts_with("NOSCRIPT"); }

task<redis_reply> eval_once(call_context context, redis_script script, redis_command tail) {
  try {
    task<redis_reply> running = detail::redis_later(context, by_digest(script, tail));
    co_return co_await std::move(running);
  } catch (const error& failure) {
    if (!unknown_script(failure)) throw;
  }
  task<redis_reply> running = detail::redis_later(std::move(context), by_text(script, tail));
  co_return co_await std::move(running);
}

}  // namespace

redis_reply redis_database::eval_now(const redis_script& script, const redis_command& tail) {
  const auto context = redis_target(*core_, state_, call_, "EVALSHA");
  try {
    return detail::redis_now(context, by_digest(script, tail));
  } catch (const error& failure) {
    if (!unknown_script(failure)) throw;
  }
  return detail::redis_now(context, by_text(script, tail));
}
task<redis_reply> redis_database::eval_later(redis_script script, redis_command tail) {
  return eval_once(redis_target(*core_, state_, call_, "EVALSHA"), std::move(script), std::move(tail));
}

// blocking commands --------------------------------------------------------------------------------------------------

namespace {

using popped = std::optional<std::pair<std::string, std::string>>;

// Redis takes seconds; before version 6 whole ones only.
void add_wait(redis_command& to, std::chrono::milliseconds wait) {
  if (wait.count() % 1000 == 0) {
    to.add(wait.count() / 1000);
  } else {
    to.add(std::chrono::duration<double>(wait).count());
  }
}

template <class T>
task<T> alone(call_context context, redis_command what, std::chrono::milliseconds wait) {
  task<redis_reply> running = detail::redis_alone(std::move(context), std::move(what), duration(wait));
  redis_reply answer = co_await std::move(running);
  co_return std::move(answer).template as<T>();
}

task<popped> pop(call_context context, std::string_view name, const std::vector<std::string>& keys,
                 std::chrono::milliseconds wait) {
  redis_command what(name, keys);
  add_wait(what, wait);
  return alone<popped>(std::move(context), std::move(what), wait);
}

}  // namespace

task<popped> redis_database::async_blpop(const std::vector<std::string>& keys, std::chrono::milliseconds wait) {
  return pop(redis_target(*core_, state_, call_, "BLPOP"), "BLPOP", keys, wait);
}
task<popped> redis_database::async_brpop(const std::vector<std::string>& keys, std::chrono::milliseconds wait) {
  return pop(redis_target(*core_, state_, call_, "BRPOP"), "BRPOP", keys, wait);
}
task<std::optional<std::string>> redis_database::async_blmove(std::string_view source, std::string_view target,
                                                              std::string_view from_end, std::string_view to_end,
                                                              std::chrono::milliseconds wait) {
  redis_command what("BLMOVE", source, target, from_end, to_end);
  add_wait(what, wait);
  return alone<std::optional<std::string>>(redis_target(*core_, state_, call_, "BLMOVE"), std::move(what), wait);
}

popped redis_database::blpop(const std::vector<std::string>& keys, std::chrono::milliseconds wait) {
  return polypool::run(async_blpop(keys, wait), detail::blocking_environment(core_->time()));
}
popped redis_database::brpop(const std::vector<std::string>& keys, std::chrono::milliseconds wait) {
  return polypool::run(async_brpop(keys, wait), detail::blocking_environment(core_->time()));
}
std::optional<std::string> redis_database::blmove(std::string_view source, std::string_view target,
                                                  std::string_view from_end, std::string_view to_end,
                                                  std::chrono::milliseconds wait) {
  return polypool::run(async_blmove(source, target, from_end, to_end, wait),
                       detail::blocking_environment(core_->time()));
}

// sessions -----------------------------------------------------------------------------------------------------------

polypool::lease redis_database::lease(std::source_location where) {
  return polypool::run(async_lease(where), detail::blocking_environment(core_->time()));
}
task<polypool::lease> redis_database::async_lease(std::source_location where) {
  return detail::lease_once(redis_target(*core_, state_, call_, "lease"), where);
}

}  // namespace polypool
