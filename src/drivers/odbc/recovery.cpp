// SPDX-License-Identifier: Apache-2.0
// Where calls run, and how a session becomes usable again after one was given up.
#include "drivers/odbc/calls.hpp"

#include <algorithm>
#include <utility>

namespace polypool::odbc {
namespace {

// With less time than this, a call goes to another thread: there its deadline strikes at once, whatever the database
// does. With more, the price of that (a tenth of a fast statement) is saved, and the watch brings the call back.
constexpr auto worth_watching = std::chrono::seconds(2);

}  // namespace

bool session::runs_here(const environment& env) const noexcept {
  if (!env.blocking()) return false;
  if (env.deadline == no_deadline && !env.stop.stop_possible()) return true;
  if (!connection_->can_cancel()) return false;
  return env.deadline == no_deadline || env.deadline - env.time->coarse_now() >= worth_watching;
}

// An operation's own deadline may be too short for tidying up behind the one before it.
task<void> session::attend() {
  task<void> work = shielded(recovery_limit, recover());
  co_await std::move(work);
}

// Ends the call that was given up. Throws, and the session is broken, when that cannot be done.
task<void> session::recover() {
  const auto call = running_;
  bring_back(parts_->threads, connection_, running_call_, std::nullopt);
  task<wait_result> waiting = call->wait();
  const wait_result how = co_await std::move(waiting);
  if (how == wait_result::ready) {
    running_.reset();
    if (!connection_->broken()) co_return;
  }
  broken_ = true;
  connection_->cut();
  if (interrupted_.load()) {
    throw error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
  }
  throw error(errc::connection_lost, "the session with " + plan_->place +
                                         " broke: a statement was left unfinished, and it did not end in time")
      .with_poisoned_session()
      .with_disposition(disposition::retryable);
}

task<void> session::reset() {
  const environment& env = co_await this_environment();
  if (broken()) check_usable(env);
  if (!dirty()) co_return;
  try {
    task<void> work = reset_now();
    co_await std::move(work);
  } catch (...) {
    broken_ = true;
    throw;
  }
}

task<void> session::reset_now() {
  if (running_) {
    task<void> recovering = with_timeout(recovery_limit, recover());
    co_await std::move(recovering);
  }
  auto work = [](connection& on) { return on.clean(); };
  task<bool> cleaning = perform(work);
  const bool clean = co_await std::move(cleaning);
  if (clean) co_return;
  task<void> opening = reopen();
  co_await std::move(opening);
}

// A new connection in the place of one that cannot be cleaned.
task<void> session::reopen() {
  auto work = open_connection(parts_, plan_, false);
  auto fresh = co_await std::move(work);
  replace(std::move(fresh));
}

void session::replace(std::shared_ptr<connection> fresh) {
  {
    const std::scoped_lock lock(mutex_);
    std::swap(connection_, fresh);
    ++opened_;
  }
  let_go(std::move(fresh));
  if (interrupted_.load()) connection_->cut();
}

// Closing may talk to the server, which is nothing to wait for.
void session::let_go(std::shared_ptr<connection> old) noexcept {
  try {
    auto kept = std::make_shared<std::shared_ptr<connection>>(std::move(old));
    parts_->threads.submit([kept] { kept->reset(); });
  } catch (...) {
    // Without a thread it is closed here.
  }
}

}  // namespace polypool::odbc
