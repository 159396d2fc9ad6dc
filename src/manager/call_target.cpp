// SPDX-License-Identifier: Apache-2.0
#include "manager/call_target.hpp"

#include <algorithm>

namespace polypool::detail {

namespace {

// How long a call may take; zero for as long as it likes.
duration limit_of(const call_context& context) noexcept {
  const auto configured = std::chrono::duration_cast<duration>(context.state->limits().query_timeout);
  return context.how && context.how->timeout() ? *context.how->timeout() : configured;
}

}  // namespace

environment call_context::limited(const environment& parent) const noexcept {
  const duration limit = limit_of(*this);
  clock& time = state->time();
  // A few milliseconds more or less do not matter to a limit of seconds, and reading the exact clock costs as much as
  // taking a session from the pool.
  if (limit > duration::zero())
    return limited(parent, limit >= std::chrono::seconds(5) ? time.coarse_now() : time.now());
  environment env = parent;
  env.time = &time;
  return env;
}

environment call_context::limited(const environment& parent, time_point now) const noexcept {
  environment env = parent;
  env.time = &state->time();
  const duration limit = limit_of(*this);
  if (limit > duration::zero()) env.deadline = std::min(env.deadline, saturating_add(now, limit));
  return env;
}

environment blocking_environment(clock& time) noexcept {
  environment env;
  env.time = &time;
  return env;
}

error in_context(error problem, const call_context& context, std::string_view operation) {
  return problem.at(context.state->name(), context.operation(operation));
}

namespace {

struct kind_words {
  errc code;
  std::string_view what;    // what a database of this kind is
  std::string_view handle;  // the manager's call that gives a handle to it
};

kind_words words_of(database_kind kind) noexcept {
  switch (kind) {
    case database_kind::document:
      return {errc::not_mongodb, "a MongoDB database", "mongodb"};
    case database_kind::key_value:
      return {errc::not_redis, "a Redis", "redis"};
    case database_kind::sql:
      break;
  }
  return {errc::not_sql_database, "a SQL database", "sql"};
}

}  // namespace

void throw_wrong_kind(const connection_state& is, database_kind wanted, std::string_view operation) {
  const auto asked = words_of(wanted);
  const auto right = words_of(is.kind());
  throw error(asked.code,
              "it is a " + std::string(config::to_string(is.type())) + " connection, not " + std::string(asked.what))
      .with_hint("use " + std::string(right.handle) + "(\"" + is.name() + "\")")
      .at(is.name(), operation);
}

connection_pointer require_of_kind(const manager_core& core, std::string_view name, database_kind wanted,
                                   std::string_view operation) {
  const auto where = name_space_of(wanted);
  const auto other = where == name_space::redis ? name_space::databases : name_space::redis;
  auto found = core.find(name, where);
  if (!found) {
    if (const auto stray = core.find(name, other)) throw_wrong_kind(*stray, wanted, operation);
    found = core.require(name, where);
  }
  if (found->kind() != wanted) throw_wrong_kind(*found, wanted, operation);
  return found;
}

call_context target_of(const manager_core& core, const connection_pointer& named, std::shared_ptr<const call> how,
                       database_kind wanted, std::string_view operation) {
  call_context context;
  context.how = std::move(how);
  const auto where = name_space_of(wanted);
  if (!named) {
    context.state = core.require_active(where);
  } else if (!named->gone()) [[likely]] {
    context.state = named;
  } else {
    context.state = core.find(named->name(), where);
    if (!context.state) {
      throw error(errc::connection_closed, "the connection was removed")
          .with_hint("register it again, or use another")
          .at(named->name(), context.operation(operation));
    }
  }
  if (context.state->kind() != wanted) throw_wrong_kind(*context.state, wanted, context.operation(operation));
  if (core.closing()) {
    throw error(errc::shutting_down, "Cannot get connection pool during shutdown")
        .at(context.state->name(), context.operation(operation));
  }
  if (auto* members = context.state->group()) [[unlikely]] {
    context.group = std::move(context.state);
    context.state = members->choose(context.how.get(), nullptr);
    context.write = members->note_write(context.how.get());
  }
  return context;
}

}  // namespace polypool::detail
