// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/session.hpp"

#include <polypool/error.hpp>

#include <typeinfo>

namespace polypool::redis {
namespace {

[[noreturn]] void refuse(std::string_view name, redis_effect effect) {
  error problem(errc::invalid_argument,
                std::string(name) + " cannot run as a command: " +
                    (effect == redis_effect::subscribes ? "its answers come at any time"
                                                        : "replies could not be told apart after it"));
  if (effect == redis_effect::subscribes) problem.with_hint("subscribe() takes a session of its own for it");
  throw problem;
}

}  // namespace

server_info::role_type role_of(const redis_value& role) noexcept {
  using type = server_info::role_type;
  if (role.empty()) return type::unknown;
  const std::string_view word = role[0].text();
  return word == "master" ? type::primary : word == "slave" ? type::replica : type::unknown;
}

session::session(std::unique_ptr<wire> line, server_facts facts, std::shared_ptr<const session_settings> settings,
                 bool must_be_primary)
    : wire_(std::move(line)),
      facts_(std::move(facts)),
      settings_(std::move(settings)),
      must_be_primary_(must_be_primary) {}

bool session::dirty() const noexcept { return traces_.any() || wire_->outstanding() > 0; }

bool session::broken() const noexcept { return wire_->broken() || doomed_.load(std::memory_order_relaxed); }

native_handle session::native() noexcept {
  traces_.other = true;
  return {typeid(key_value_session*), static_cast<key_value_session*>(this)};
}

task<redis_reply> session::execute(const redis_command& what) {
  const redis_effect effect = effect_of(what);
  if (effect == redis_effect::none) [[likely]] {
    return wire_->exchange(what);
  }
  return execute_special(what, effect);
}

task<redis_reply> session::execute_special(const redis_command& what, redis_effect effect) {
  if (effect >= redis_effect::subscribes) refuse(what.name(), effect);
  traces_.note(what);
  task<redis_reply> executing = effect == redis_effect::blocks ? execute_blocking(what) : wire_->exchange(what);
  co_return co_await std::move(executing);
}

// What a blocking command fetches once its caller has left would be lost: the server must learn at once.
class session::blocking_guard {
 public:
  explicit blocking_guard(session& owner) noexcept : owner_(owner) {}
  blocking_guard(const blocking_guard&) = delete;
  ~blocking_guard() {
    if (owner_.wire_->abandoned() == 0) return;
    owner_.doomed_.store(true);
    owner_.wire_->interrupt();
  }

 private:
  session& owner_;
};

task<redis_reply> session::execute_blocking(const redis_command& what) {
  const blocking_guard guard(*this);  // goes after the exchange does
  task<redis_reply> executing = wire_->exchange(what);
  co_return co_await std::move(executing);
}

task<std::vector<redis_reply>> session::pipeline(const redis_batch& what) {
  if (what.effect() >= redis_effect::subscribes) refuse("one of these", what.effect());
  traces_ |= what.traces();
  task<std::vector<redis_reply>> running = pipeline_of_cluster(what);
  co_return co_await std::move(running);
}

task<std::vector<redis_reply>> session::pipeline_of_cluster(const redis_batch& what) {
  std::vector<redis_reply> replies(what.size());
  task<void> exchanging = wire_->exchange(what.wire(), replies);
  co_await std::move(exchanging);
  for (const auto& each : replies) {
    if (each.is_error()) wire_->complaint(each);  // notes those that end a session
  }
  co_return std::move(replies);
}

task<void> session::send(const redis_command& what) {
  if (effect_of(what) != redis_effect::subscribes) {
    throw error(errc::invalid_argument, std::string(what.name()) + " has a reply: execute() gives it");
  }
  traces_.other = true;
  if (facts_.protocol < 3) wire_->expect_messages(true);
  task<void> sending = wire_->send(what);
  co_await std::move(sending);
}

task<void> session::probe() {
  const redis_command question(must_be_primary_ ? "ROLE" : "PING");
  task<redis_reply> asking = wire_->exchange(question);
  const redis_reply answer = co_await std::move(asking);
  if (!must_be_primary_ || role_of(answer) == server_info::role_type::primary) co_return;
  error problem(errc::connection_lost, "Redis at " + wire_->place() + " is not the primary any more");
  problem.with_poisoned_session().with_disposition(disposition::retryable);
  wire_->fail(problem);
  throw problem;
}

namespace {

// The rest of the line that begins with this; empty when there is none.
std::string_view line_of(std::string_view info, std::string_view key) {
  const auto at = info.find(key);
  if (at == std::string_view::npos) return {};
  const auto rest = info.substr(at + key.size());
  return rest.substr(0, rest.find_first_of("\r\n"));
}

}  // namespace

task<server_info> session::describe() {
  server_info out;
  redis_batch questions;
  questions.add(redis_command("ROLE")).add(redis_command("INFO", "server")).add(redis_command("INFO", "replication"));
  std::vector<redis_reply> answers(questions.size());
  task<void> asking = wire_->exchange(questions.wire(), answers);
  co_await std::move(asking);
  out.version = facts_.version;
  if (!answers[0].is_error()) out.role = role_of(answers[0]);
  if (!answers[1].is_error()) {
    const auto version = line_of(answers[1].text(), "redis_version:");
    if (!version.empty()) out.version = version;
  }
  if (answers[2].is_error()) co_return out;
  const std::string_view info = answers[2].text();
  const bool replica = out.role == server_info::role_type::replica;
  out.position = line_of(info, replica ? "slave_repl_offset:" : "master_repl_offset:");
  // One that is connected gets a sign of life each second at least, so what it does not have is younger than that.
  if (replica && line_of(info, "master_link_status:") == "up") out.lag = duration::zero();
  co_return out;
}

task<void> session::reset() {
  if (!dirty()) co_return;
  std::optional<error> failure;
  try {
    task<void> work = tidy_up();
    co_await std::move(work);
  } catch (const error& problem) {
    failure = problem;
  }
  if (!failure) co_return;
  failure->with_poisoned_session();
  wire_->fail(*failure);
  throw *failure;
}

// The commands that undo what was left, as few as will do. RESET undoes all, and the introduction with it.
redis_batch session::reset_commands() const {
  redis_batch out;
  if (traces_.other) {
    out.add(redis_command("RESET"));
    out.append(introduction_commands(introduction_of(*settings_), facts_.protocol));
    return out;
  }
  // An abandoned EXEC or UNWATCH may have failed, so both are said again where replies are still to come.
  const bool unsure = wire_->outstanding() > 0;
  if (traces_.transaction || unsure) out.add(redis_command("DISCARD"));
  if (traces_.watches || unsure) out.add(redis_command("UNWATCH"));
  if (traces_.database) out.add(redis_command("SELECT", settings_->database));
  if (out.empty()) out.add(redis_command("PING"));
  return out;
}

task<void> session::tidy_up() {
  if (doomed_.load()) throw error(errc::connection_lost, "a blocking command was left unfinished");
  if (traces_.other && !facts_.knows_reset) {
    throw error(errc::connection_lost, "its settings were changed, and a server of this version cannot take all back");
  }
  const redis_batch commands = reset_commands();
  std::vector<redis_reply> answers(commands.size());
  // What earlier callers have left to be read comes first: then nothing of it is on its way any more.
  task<void> exchanging = wire_->exchange(commands.wire(), answers);
  co_await std::move(exchanging);
  for (const auto& each : answers) {
    if (each.is_error() && !each.text().contains("without MULTI")) throw redis_error(each.text());
  }
  wire_->expect_messages(false);
  wire_->forget_pushes();
  traces_ = {};
}

}  // namespace polypool::redis
