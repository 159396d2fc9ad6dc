// SPDX-License-Identifier: Apache-2.0
// Commands, and what happens when they fail.
#include "drivers/mongodb/bson_reader.hpp"
#include "drivers/mongodb/bson_writer.hpp"
#include "drivers/mongodb/errors.hpp"
#include "drivers/mongodb/guard.hpp"

#include <algorithm>
#include <chrono>
#include <new>

namespace polypool::mongodb {
namespace {

mongoc_read_mode_t mode_of(read_preference from) noexcept {
  switch (from) {
    case read_preference::primary:
      return MONGOC_READ_PRIMARY;
    case read_preference::primary_preferred:
      return MONGOC_READ_PRIMARY_PREFERRED;
    case read_preference::secondary:
      return MONGOC_READ_SECONDARY;
    case read_preference::secondary_preferred:
      return MONGOC_READ_SECONDARY_PREFERRED;
    case read_preference::nearest:
      return MONGOC_READ_NEAREST;
  }
  return MONGOC_READ_PRIMARY;
}

// The server's limit comes a little before ours, so that its answer still arrives.
void append_time_limit(bson_t* command, const environment& env) {
  if (env.deadline == no_deadline || bson_has_field(command, "maxTimeMS")) return;
  const auto left = std::chrono::floor<std::chrono::milliseconds>(env.deadline - env.time->now()).count();
  const auto spare = std::clamp<std::int64_t>(left / 10, 0, 100);
  bson_append_int64(command, "maxTimeMS", -1, std::max<std::int64_t>(left - spare, 1));
}

bool changes_data(const document_command& what) noexcept { return what.access != document_command::access_type::read; }

}  // namespace

error session::cut_short(bool changes_data) {
  const auto why = network_.waits().struck();
  const bool sent = network_.sent();
  if (why == watch::reason::closed) {
    error problem(errc::connection_closed, "the session was closed by force");
    problem.with_poisoned_session();
    return problem;
  }
  const bool stopped = why == watch::reason::stopped;
  error problem(stopped ? errc::cancelled : errc::deadline_exceeded,
                stopped ? "the caller asked to stop while MongoDB at " + how_.place + " was at work"
                        : "MongoDB at " + how_.place + " did not answer before the deadline");
  problem.with_disposition(sent && changes_data ? disposition::in_doubt : disposition::retryable);
  return problem;
}

void session::fail(const bson_error_t& problem, const bson_t* reply, bool changes_data) {
  if (network_.waits().struck() != watch::reason::none || network_.waits().closed()) {
    network_.waits().strikes();
    cut_off_ = true;
    throw cut_short(changes_data);
  }
  error what = call_error(problem, reply, network_, how_.place);
  if (how_.several_servers && is_selection_problem(problem)) what.with_poisoned_session(false);  // others may come
  const bool lost = what.portable_code() == errc::connection_lost;
  if (lost && is_network_problem(problem)) {
    what.with_disposition(changes_data && network_.sent() ? disposition::in_doubt : disposition::retryable);
  }
  if (what.poisons_session()) broken_ = true;
  throw what;
}

// A replica set that elects a primary has none for a while.
void session::fail_unless_worth_waiting(const bson_error_t& problem, const bson_t* reply, bool changes_data,
                                        time_point until) {
  const bool later = how_.several_servers && is_selection_problem(problem) &&
                     network_.waits().struck() == watch::reason::none && std::chrono::steady_clock::now() < until;
  if (!later || !network_.waits().pause(std::chrono::milliseconds(200))) fail(problem, reply, changes_data);
}

void session::append_session(bson_t* options) {
  bson_error_t problem{};
  if (own_ && !mongoc_client_session_append(own_.get(), options, &problem)) fail(problem, nullptr, false);
}

// Where there are several servers, a cursor has to be read from the one that it was opened on.
std::uint32_t session::choose_server(const document_command& what) {
  if (!how_.several_servers || in_transaction()) return 0;
  const native_ptr<mongoc_read_prefs_t> asked(what.from ? mongoc_read_prefs_new(mode_of(*what.from)) : nullptr);
  const auto* from = asked ? asked.get() : mongoc_client_get_read_prefs(client_.get());
  const auto until = saturating_add(std::chrono::steady_clock::now(), how_.server_selection);
  for (;;) {
    bson_error_t problem{};
    const native_ptr<mongoc_server_description_t> chosen(
        mongoc_client_select_server(client_.get(), changes_data(what), from, &problem));
    if (chosen) return mongoc_server_description_id(chosen.get());
    fail_unless_worth_waiting(problem, nullptr, changes_data(what), until);
  }
}

void session::send_once(const bson_t* command, const document_command& what, answer& into) {
  using access = document_command::access_type;
  bson_document options;
  append_session(options.get());
  if (into.server != 0) bson_append_int32(options.get(), "serverId", -1, static_cast<std::int32_t>(into.server));
  const native_ptr<mongoc_read_prefs_t> asked(
      what.from && !in_transaction() ? mongoc_read_prefs_new(mode_of(*what.from)) : nullptr);
  const auto* from = in_transaction() ? primary_.get() : asked.get();
  const std::string database(what.database);
  const auto until = saturating_add(std::chrono::steady_clock::now(), how_.server_selection);
  for (bool done = false; !done;) {
    bson_error_t problem{};
    auto* const reply = into.reply.for_output();
    switch (what.access) {
      case access::read:
        done = mongoc_client_read_command_with_opts(client_.get(), database.c_str(), command, from, options.get(),
                                                    reply, &problem);
        break;
      case access::write:
        done = mongoc_client_write_command_with_opts(client_.get(), database.c_str(), command, options.get(), reply,
                                                     &problem);
        break;
      case access::any:
        done = mongoc_client_command_with_opts(client_.get(), database.c_str(), command, from, options.get(), reply,
                                               &problem);
        break;
    }
    if (!done) fail_unless_worth_waiting(problem, reply, changes_data(what), until);
  }
}

// What only reads may be sent again, once, over a new connection.
bool session::worth_repeating(const error& problem, const document_command& what) noexcept {
  const bool over = problem.portable_code() == errc::connection_lost || problem.portable_code() == errc::read_only;
  return over && how_.retry_reads && !changes_data(what) && !in_transaction() && open_cursors_ == 0 &&
         !network_.waits().strikes();
}

bool session::reconnected() noexcept {
  try {
    reopen();
    return true;
  } catch (...) {
    broken_ = true;
    return false;
  }
}

void session::send_command(const document_command& what, const environment& env, answer& into) {
  require_whole_transaction();
  if (what.database.empty() || what.database.contains('\0')) {
    throw error(errc::invalid_argument, "the command names no database").with_hint("configure `database`, or name one");
  }
  if (!what.body || what.body->empty()) throw error(errc::invalid_argument, "the command is empty");
  bson_document command;
  append_members(command.get(), *what.body);
  if (what.limited_on_server) append_time_limit(command.get(), env);
  try {
    return send_once(command.get(), what, into);
  } catch (const error& problem) {
    if (!worth_repeating(problem, what) || !reconnected()) throw;
  }
  if (into.server != 0) into.server = choose_server(what);
  send_once(command.get(), what, into);
}

task<document> session::run(const document_command& what) {
  const environment& env = co_await this_environment();
  const auto work = [this, &what, &env] {
    answer got;
    send_command(what, env, got);
    return read_document(got.reply.get(), what.form);
  };
  const auto call = [this, &env, &work] { return guarded(env, work); };
  offload asking(call);
  co_return co_await asking;
}

void session::send_plain(const char* database, const bson_t* command, const mongoc_read_prefs_t* from, bson_t* reply) {
  bson_error_t problem{};
  if (!mongoc_client_command_simple(client_.get(), database, command, from, reply, &problem)) {
    fail(problem, reply, false);
  }
}

task<void> session::probe() {
  const environment& env = co_await this_environment();
  const auto work = [this] {
    bson_document ping;
    bson_document reply;
    bson_append_int32(ping.get(), "ping", -1, 1);
    send_plain("admin", ping.get(), mongoc_client_get_read_prefs(client_.get()), reply.for_output());
  };
  const auto call = [this, &env, &work] { guarded(env, work); };
  offload asking(call);
  co_await asking;
}

}  // namespace polypool::mongodb
