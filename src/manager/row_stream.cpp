// SPDX-License-Identifier: Apache-2.0
// Rows fetched as they are asked for.
#include "manager/sql_call.hpp"

#include <algorithm>

namespace polypool {
namespace detail {

void stream_state::let_go() noexcept {
  over = true;
  source.reset();  // before its session goes back
  session.release();
  places = call_places();
  if (tx) std::erase(tx->streams, this);
}

// A transaction's statement is read to its end before the next one: ending it by a cancel would fail the transaction.
stream_state::~stream_state() {
  if (tx && source && !over) tx->unfinished.push_back(std::move(source));
  let_go();
}

task<std::unique_ptr<stream_state>> open_stream(std::unique_ptr<stream_state> stream, statement what) {
  const environment parent = co_await this_environment();
  const environment env = stream->context.limited(parent);
  lease& held = stream->tx ? stream->tx->session : stream->session;
  std::optional<error> failure;
  try {
    task<std::unique_ptr<cursor>> opening = static_cast<sql_session&>(held.session()).open(what);
    stream->source = co_await std::move(opening).in(env);
    stream->columns = stream->source->columns();
    if (stream->tx) stream->tx->streams.push_back(stream.get());
  } catch (const error& e) {
    failure.emplace(e);
  }
  if (stream->tx) stream->context.state->count_query(failure.has_value());  // else its attempts count it
  if (failure) throw in_context(std::move(*failure), stream->context, "stream");
  co_return stream;
}

// The time limit counts for each fetch: a slow consumer is not an error.
task<std::optional<row>> next_row(stream_state& stream) {
  if (!stream.block || stream.next == stream.block->rows()) {
    if (stream.cut_off) {
      throw error(errc::invalid_argument, "the transaction of this stream is over")
          .at(stream.context.state->name(), stream.context.operation("stream"));
    }
    if (stream.over) co_return std::nullopt;
    const environment parent = co_await this_environment();
    const environment env = stream.context.limited(parent);
    std::optional<error> failure;
    stream.block.reset();
    try {
      do {
        task<std::shared_ptr<const row_block>> fetching = stream.source->next();
        stream.block = co_await std::move(fetching).in(env);
      } while (stream.block && stream.block->rows() == 0);
    } catch (const error& e) {
      failure.emplace(e);
    }
    stream.next = 0;
    if (!failure && !stream.block) stream.affected = stream.source->affected_rows();
    if (failure || !stream.block) stream.let_go();
    if (failure) throw in_context(std::move(*failure), stream.context, "stream");
    if (!stream.block) co_return std::nullopt;
  }
  row found(*stream.block, *stream.columns, stream.next++);
  co_return found;
}

task<void> close_stream(stream_state& stream) {
  stream.block.reset();
  if (stream.over) co_return;
  const environment parent = co_await this_environment();
  const environment env = stream.context.limited(parent);
  std::optional<error> failure;
  try {
    task<void> finishing = stream.source->finish();
    co_await std::move(finishing).in(env);
  } catch (const error& e) {
    failure.emplace(e);
  }
  stream.let_go();
  if (failure) throw in_context(std::move(*failure), stream.context, "stream");
}

}  // namespace detail

row_stream::row_stream(std::unique_ptr<detail::stream_state> state) noexcept : state_(std::move(state)) {}
row_stream::row_stream(row_stream&&) noexcept = default;
row_stream& row_stream::operator=(row_stream&&) noexcept = default;
row_stream::~row_stream() = default;

task<row_stream> row_stream::made_by(task<std::unique_ptr<detail::stream_state>> work) {
  std::unique_ptr<detail::stream_state> state = co_await std::move(work);
  co_return row_stream(std::move(state));
}

const column_list& row_stream::columns() const noexcept { return *state_->columns; }
std::uint64_t row_stream::affected_rows() const noexcept { return state_->affected; }
std::optional<row> row_stream::next() {
  // Most rows lie in the block already; only a new block needs a task.
  auto& stream = *state_;
  if (stream.block && stream.next < stream.block->rows()) {
    return row(*stream.block, *stream.columns, stream.next++);
  }
  return run(async_next(), detail::blocking_environment(stream.context.state->time()));
}
task<std::optional<row>> row_stream::async_next() { return detail::next_row(*state_); }
void row_stream::close() { run(async_close(), detail::blocking_environment(state_->context.state->time())); }
task<void> row_stream::async_close() { return detail::close_stream(*state_); }

}  // namespace polypool
