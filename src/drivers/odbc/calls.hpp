// SPDX-License-Identifier: Apache-2.0
// How a session makes its calls. Included by its sources only.
#pragma once

#include "drivers/odbc/session.hpp"

#include <utility>

namespace polypool::odbc {

// On the caller's thread. The watch brings the call back when its time is over.
template <class Body>
auto session::here(const environment& env, Body& body) {
  const call_scope call(*connection_);
  const call_watch watch(parts_->threads, connection_, call.number(), env);
  try {
    return body(*connection_);
  } catch (const error& problem) {
    if (watch.struck() != wait_result::ready) throw gave_up(watch.struck());
    throw translated(problem);
  }
}

// On another thread. When its time is over, the call goes on, and the session has to attend to it.
template <class Body>
task<std::invoke_result_t<Body&, connection&>> session::elsewhere(Body body) {
  const std::uint64_t number = connection_->begin_call();
  auto work = [on = connection_, body = std::move(body)]() mutable {
    const call_end end(*on);
    return body(*on);
  };
  auto call = [&] {
    try {
      return start_call(parts_->threads, std::move(work));
    } catch (...) {
      connection_->end_call();
      throw;
    }
  }();
  running_ = std::shared_ptr<event>(call, &call->done);
  running_call_ = number;
  task<wait_result> waiting = running_->wait();
  const wait_result how = co_await std::move(waiting);
  if (how != wait_result::ready && !call->done.is_set()) throw gave_up(how);
  running_.reset();
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Body&, connection&>>) {
      call->take();
      co_return;
    } else {
      co_return call->take();
    }
  } catch (const error& problem) {
    throw translated(problem);
  }
}

template <class Body>
task<std::invoke_result_t<Body&, connection&>> session::perform(Body body) {
  const environment& env = co_await this_environment();
  check_usable(env);
  if (running_) {
    task<void> attending = attend();
    co_await std::move(attending);
  }
  if (runs_here(env)) co_return here(env, body);
  auto call = elsewhere(std::move(body));
  co_return co_await std::move(call);
}

}  // namespace polypool::odbc
