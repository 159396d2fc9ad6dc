// SPDX-License-Identifier: Apache-2.0
#include "manager/mongodb_call.hpp"

#include <algorithm>

namespace polypool::detail {

call_context context_of(const document_target& target, std::optional<duration> timeout, std::string_view operation) {
  call_context context;
  if (target.tx) {
    target.tx->require_running(operation);
    context = target.tx->context;
  } else {
    context = target_of(*target.core, target.state, target.how, database_kind::document, operation);
  }
  if (timeout) {
    call own = context.how ? *context.how : call();
    own.timeout(*timeout);
    context.how = std::make_shared<const call>(std::move(own));
  }
  return context;
}

std::string database_of(const document_target& target, const call_context& context, std::string_view operation) {
  const auto& name = target.database.empty() ? context.state->database() : target.database;
  if (!name.empty()) return name;
  throw error(errc::invalid_argument, "the connection is configured without a database, and the call names none")
      .with_hint("configure `database`, or use in(\"name\")")
      .at(context.state->name(), context.operation(operation));
}

namespace {

// The session of one attempt. What follows is the server's time.
task<lease> session_for(const call_context& context, call_attempts& attempts) {
  lease borrowed = context.state->usable_pool().try_acquire();
  if (!borrowed) {
    task<lease> waiting = context.state->acquire(std::source_location::current());
    borrowed = co_await std::move(waiting);
  }
  attempts.begun();
  co_return borrowed;
}

document_session& documents_of(const lease& borrowed) { return static_cast<document_session&>(borrowed.session()); }

document_command command_of(const document_request& request, const std::string& database) {
  document_command out;
  out.database = database;
  out.body = &request.body;
  out.access = request.access;
  out.from = request.from;
  out.form = request.form;
  out.limited_on_server = request.limited_on_server;
  return out;
}

// What only reads may be made again, whatever became of it.
again repeatable(const document_request& request) noexcept {
  return request.access == document_command::access_type::read ? again::always_safe : again::if_undone;
}

task<document> run_attempt(const call_context& context, call_attempts& attempts, const document_command& command) {
  task<lease> borrowing = session_for(context, attempts);
  const lease borrowed = co_await std::move(borrowing);
  task<document> running = documents_of(borrowed).run(command);
  co_return co_await std::move(running);
}

using stream_pointer = std::unique_ptr<document_stream>;

task<stream_pointer> open_attempt(const call_context& context, call_attempts& attempts,
                                  const document_command& command) {
  auto stream = std::make_unique<document_stream>();
  stream->context = context;
  task<lease> borrowing = session_for(context, attempts);
  stream->session = co_await std::move(borrowing);
  task<std::unique_ptr<document_cursor>> opening = documents_of(stream->session).open(command);
  stream->source = co_await std::move(opening);
  stream->places = attempts.take_places();
  co_return stream;
}

task<write_outcome> write_attempt(const call_context& context, call_attempts& attempts, const document_writes& what) {
  task<lease> borrowing = session_for(context, attempts);
  const lease borrowed = co_await std::move(borrowing);
  task<write_outcome> writing = documents_of(borrowed).write(what);
  co_return co_await std::move(writing);
}

}  // namespace

task<document> run_document(target_pointer target, document_request request, std::string_view operation) {
  const environment parent = co_await this_environment();
  auto context = context_of(*target, request.timeout, operation);
  const auto database = database_of(*target, context, operation);
  const environment env = context.limited(parent);
  const auto command = command_of(request, database);
  if (target->tx) {
    task<document> running = target->tx->documents().run(command);
    task<document> counting = counted(context, std::move(running), env, operation);
    co_return co_await std::move(counting);
  }
  auto make = [&](call_attempts& attempts) { return run_attempt(context, attempts, command); };
  task<document> calling = make_call<document>(context, repeatable(request), env, operation, make);
  co_return co_await std::move(calling);
}

task<std::unique_ptr<document_stream>> open_documents(target_pointer target, document_request request,
                                                      std::string_view operation) {
  const environment parent = co_await this_environment();
  auto context = context_of(*target, request.timeout, operation);
  const auto database = database_of(*target, context, operation);
  const environment env = context.limited(parent);
  auto command = command_of(request, database);
  // The server counts such a limit for all fetches together, and a slow reader is not an error.
  command.limited_on_server = false;
  if (!target->tx) {
    auto make = [&](call_attempts& attempts) { return open_attempt(context, attempts, command); };
    task<stream_pointer> calling = make_call<stream_pointer>(context, repeatable(request), env, operation, make);
    co_return co_await std::move(calling);
  }
  auto stream = std::make_unique<document_stream>();
  stream->context = context;
  task<std::unique_ptr<document_cursor>> opening = target->tx->documents().open(command);
  task<std::unique_ptr<document_cursor>> counting = counted(context, std::move(opening), env, operation);
  stream->source = co_await std::move(counting);
  stream->tx = target->tx;
  stream->tx->streams.push_back(stream.get());
  co_return stream;
}

task<std::vector<document>> all_documents(target_pointer target, document_request request, std::string_view operation) {
  task<std::unique_ptr<document_stream>> opening = open_documents(std::move(target), std::move(request), operation);
  const std::unique_ptr<document_stream> stream = co_await std::move(opening);
  task<std::vector<document>> reading = rest_of(*stream);
  co_return co_await std::move(reading);
}

task<write_outcome> write_documents(target_pointer target, std::string collection, std::vector<document_write> writes,
                                    insert_options how, std::string_view operation) {
  const environment parent = co_await this_environment();
  auto context = context_of(*target, how.timeout(), operation);
  const auto database = database_of(*target, context, operation);
  const environment env = context.limited(parent);
  document_writes what;
  what.database = database;
  what.collection = collection;
  what.writes = &writes;
  what.ordered = how.ordered();
  what.options = &how.fields();
  what.form = how.form();
  if (target->tx) {
    task<write_outcome> writing = target->tx->documents().write(what);
    task<write_outcome> counting = counted(context, std::move(writing), env, operation);
    co_return co_await std::move(counting);
  }
  auto make = [&](call_attempts& attempts) { return write_attempt(context, attempts, what); };
  task<write_outcome> calling = make_call<write_outcome>(context, again::if_undone, env, operation, make);
  co_return co_await std::move(calling);
}

// streams ------------------------------------------------------------------------------------------------------------

void document_stream::let_go() noexcept {
  over = true;
  source.reset();  // before its session goes back
  session.release();
  places = call_places();
  if (tx) std::erase(tx->streams, this);
}

namespace {

void require_whole(const document_stream& stream) {
  if (!stream.cut_off) return;
  throw error(errc::invalid_argument, "the transaction of this cursor is over")
      .at(stream.context.state->name(), stream.context.operation("find"));
}

// The time limit counts for each fetch: a slow consumer is not an error. @return false at the end
task<bool> fetch_more(document_stream& stream) {
  require_whole(stream);
  if (stream.over) co_return false;
  const environment parent = co_await this_environment();
  const environment env = stream.context.limited(parent);
  std::exception_ptr failure;
  bool more = false;
  try {
    task<bool> fetching = stream.source->fetch();
    more = co_await std::move(fetching).in(env);
  } catch (error& problem) {
    problem.at(stream.context.state->name(), stream.context.operation("find"));
    failure = std::current_exception();
  }
  if (!more) stream.let_go();
  if (failure) {
    stream.context.state->count_query(true);
    std::rethrow_exception(failure);
  }
  co_return more;
}

}  // namespace

task<std::optional<document>> next_document(document_stream& stream) {
  std::optional<document> out(std::in_place);
  for (;;) {
    require_whole(stream);
    if (stream.source && stream.source->take(*out)) co_return out;
    task<bool> fetching = fetch_more(stream);
    if (!co_await std::move(fetching)) co_return std::nullopt;
  }
}

task<std::vector<document>> rest_of(document_stream& stream) {
  std::vector<document> out;
  document next;
  for (;;) {
    require_whole(stream);
    while (stream.source && stream.source->take(next)) out.push_back(std::move(next));
    task<bool> fetching = fetch_more(stream);
    if (!co_await std::move(fetching)) co_return out;
  }
}

task<void> close_documents(document_stream& stream) {
  if (stream.over) co_return;
  const environment parent = co_await this_environment();
  const environment env = stream.context.limited(parent);
  std::exception_ptr failure;
  try {
    task<void> finishing = stream.source->finish();
    co_await std::move(finishing).in(env);
  } catch (error& problem) {
    problem.at(stream.context.state->name(), stream.context.operation("find"));
    failure = std::current_exception();
  }
  stream.let_go();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace polypool::detail

namespace polypool {

mongodb_cursor::mongodb_cursor(std::unique_ptr<detail::document_stream> state) noexcept : state_(std::move(state)) {}
mongodb_cursor::mongodb_cursor(mongodb_cursor&&) noexcept = default;
mongodb_cursor& mongodb_cursor::operator=(mongodb_cursor&&) noexcept = default;
mongodb_cursor::~mongodb_cursor() = default;

task<mongodb_cursor> mongodb_cursor::made_by(task<std::unique_ptr<detail::document_stream>> work) {
  std::unique_ptr<detail::document_stream> state = co_await std::move(work);
  co_return mongodb_cursor(std::move(state));
}

std::optional<document> mongodb_cursor::next() {
  // Most documents are here already; only a fetch needs a task.
  if (std::optional<document> out(std::in_place); state_->source && state_->source->take(*out)) return out;
  return detail::run_blocking(state_->context.state->time(), async_next());
}
task<std::optional<document>> mongodb_cursor::async_next() { return detail::next_document(*state_); }
std::vector<document> mongodb_cursor::all() { return detail::run_blocking(state_->context.state->time(), async_all()); }
task<std::vector<document>> mongodb_cursor::async_all() { return detail::rest_of(*state_); }
void mongodb_cursor::close() { detail::run_blocking(state_->context.state->time(), async_close()); }
task<void> mongodb_cursor::async_close() { return detail::close_documents(*state_); }

}  // namespace polypool
