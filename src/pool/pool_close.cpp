// SPDX-License-Identifier: Apache-2.0
// Closing, reopening, resizing, retiring.
#include "pool/pool_core.hpp"

namespace polypool {

bool pool_core::closed() const noexcept {
  const guard lock(mutex_);
  return closed_;
}

void pool_core::retire_all() noexcept {
  departures doomed(*this);
  const guard lock(mutex_);
  ++generation_;
  while (item* const it = idle_.last()) retire(*it, idle_, close_cause::generation, doomed);
  open_wanted();
}

void pool_core::resize(std::uint32_t min_open, std::uint32_t max_open, std::uint32_t max_idle) {
  if (max_open == 0 || min_open > max_open) {
    throw error(errc::invalid_configuration, "a pool of at least " + std::to_string(min_open) + " and at most " +
                                                 std::to_string(max_open) + " sessions cannot be")
        .with_hint("max_open_conns is at least 1 and at least min_open_conns")
        .at(options_.name, "resize");
  }
  departures doomed(*this);
  const guard lock(mutex_);
  options_.min_open = min_open;
  options_.max_open = max_open;
  options_.max_idle = max_idle;
  while (!idle_.empty() && staying() > max_open) retire(*idle_.first(), idle_, close_cause::resize, doomed);
  open_wanted();
  if (min_open > 0) start_maintenance();
  poke_.set();
}

task<bool> pool_core::close(pointer core) {
  departures leaving(*core);
  core->shut(leaving);
  const auto destroy = [&leaving] { leaving.carry_out(); };
  co_await offload(destroy);
  const wait_result ended = co_await core->quiet_.wait();
  if (ended == wait_result::ready) co_return true;
  const auto interrupted = core->interrupt_all();
  if (interrupted == 0) co_return true;
  core->log_.warning("pool", "sessions still on loan were interrupted",
                     {{"connection", core->options_.name}, {"sessions", std::to_string(interrupted)}});
  co_return false;
}

void pool_core::close_now() noexcept {
  departures leaving(*this);
  shut(leaving);
  interrupt_all();
}

// Takes no one in any more. The idle sessions leave.
void pool_core::shut(departures& leaving) noexcept {
  std::stop_source stop;
  waiter* failed = nullptr;
  {
    const guard lock(mutex_);
    if (!closed_) quiet_.reset();
    closed_ = true;
    stop = stop_;
    while (item* const it = idle_.first()) retire(*it, idle_, close_cause::closed, leaving);
    failed = detach_waiters(error(errc::connection_closed, "the pool is closing").at(options_.name, "acquire"));
    note_quiet();
  }
  wake_all(failed);
  stop.request_stop();  // openers and maintenance; not under the lock, their stop callbacks run here
  poke_.set();
}

// @return how many were interrupted
std::size_t pool_core::interrupt_all() noexcept {
  const guard lock(mutex_);
  if (!closed_) return 0;  // somebody has reopened it
  for (item* it = in_use_.first(); it; it = it->next) it->session->interrupt();
  for (item* it = cleaning_.first(); it; it = it->next) it->session->interrupt();
  return in_use_.size() + cleaning_.size();
}

void pool_core::reopen() {
  const guard lock(mutex_);
  if (!closed_) return;
  closed_ = false;
  ++generation_;  // what was on loan when it closed does not come back
  stop_ = {};
  connect_failure_.reset();
  retry_at_ = {};
  quiet_.set();  // nobody waits for the end any more
}

}  // namespace polypool
