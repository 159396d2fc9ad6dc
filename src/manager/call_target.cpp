// SPDX-License-Identifier: Apache-2.0
#include "manager/call_target.hpp"

#include <algorithm>

namespace polypool::detail {

environment call_context::limited(const environment& parent) const noexcept {
  environment env = parent;
  env.time = &state->time();
  const auto configured = std::chrono::duration_cast<duration>(state->limits().query_timeout);
  const duration limit = how && how->timeout() ? *how->timeout() : configured;
  if (limit > duration::zero()) {
    // A few milliseconds more or less do not matter to a limit of seconds, and reading the exact clock costs as much as
    // taking a session from the pool.
    const auto now = limit >= std::chrono::seconds(5) ? env.time->coarse_now() : env.time->now();
    env.deadline = std::min(env.deadline, saturating_add(now, limit));
  }
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
