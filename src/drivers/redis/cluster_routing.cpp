// SPDX-License-Identifier: Apache-2.0
// Where commands go in a cluster, and what redirections and failures of nodes mean.
#include "drivers/redis/cluster_session.hpp"
#include "drivers/redis/open.hpp"

#include <algorithm>

namespace polypool::redis {
namespace {

constexpr int most_attempts = 10;

// Refused, and so not executed: it may be said again, here or elsewhere.
bool not_executed(const error& failure) noexcept {
  const std::string_view said = failure.server_message();
  for (const std::string_view word : {"TRYAGAIN", "CLUSTERDOWN", "READONLY", "LOADING", "MASTERDOWN"}) {
    if (said.starts_with(word)) return true;
  }
  const auto code = failure.portable_code();
  if (code == errc::connect_failed) return failure.disposition() != disposition::permanent;
  return code == errc::connection_lost && failure.disposition() == disposition::retryable;
}

}  // namespace

/// The duty to open a connection to a node. However it ends, those who wait for it are woken.
class cluster_session::opener {
 public:
  opener(cluster_session& owner, std::string name, std::shared_ptr<event> done) noexcept
      : owner_(owner), name_(std::move(name)), done_(std::move(done)) {}
  opener(const opener&) = delete;
  ~opener() {
    {
      const std::scoped_lock lock(owner_.mutex_);
      owner_.nodes_[name_].opening.reset();
    }
    done_->set();
  }

 private:
  cluster_session& owner_;
  std::string name_;
  std::shared_ptr<event> done_;
};

task<cluster_session::session_pointer> cluster_session::session_to(server_address where) {
  const std::string name = where.text();
  for (;;) {
    if (broken()) throw error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
    std::shared_ptr<event> opening;
    bool mine = false;
    {
      const std::scoped_lock lock(mutex_);
      node& one = nodes_[name];
      one.where = where;
      if (one.open && !one.open->broken()) co_return one.open;
      mine = !one.opening;
      if (mine) one.opening = std::make_shared<event>();
      opening = one.opening;
    }
    if (!mine) {
      const wait_result how = co_await opening->wait();
      throw_unless_ready(how);
      continue;
    }
    const opener duty(*this, name, opening);
    task<std::unique_ptr<redis::session>> connecting = open_session(settings_, where, connect_timeout_, true, false);
    if (connect_timeout_ > duration::zero()) connecting = with_timeout(connect_timeout_, std::move(connecting));
    session_pointer made = co_await std::move(connecting);
    const std::scoped_lock lock(mutex_);
    if (broken()) made->interrupt();
    nodes_[name].open = made;
    co_return std::move(made);
  }
}

std::vector<server_address> cluster_session::primaries() {
  const std::scoped_lock lock(mutex_);
  return map_.primaries();
}

std::vector<cluster_session::session_pointer> cluster_session::open_sessions() const {
  const std::scoped_lock lock(mutex_);
  std::vector<session_pointer> out;
  for (const auto& [name, one] : nodes_) {
    if (one.open && !one.open->broken()) out.push_back(one.open);
  }
  return out;
}

// The node of a slot; one after the other where any will do, or nobody is known to have it.
server_address cluster_session::place_of(std::optional<std::uint16_t> slot) {
  const std::scoped_lock lock(mutex_);
  if (slot) {
    if (auto known = map_.node_of(*slot)) return *known;
  }
  const auto all = map_.primaries();
  if (all.empty()) return settings_->servers[turn_++ % settings_->servers.size()];
  return all[turn_++ % all.size()];
}

// learning -----------------------------------------------------------------------------------------------------------

task<bool> cluster_session::learn_from(server_address where) {
  task<session_pointer> opening = session_to(where);
  const session_pointer there = co_await std::move(opening);
  const redis_command question("CLUSTER", "SLOTS");
  task<redis_reply> asking = there->execute(question);
  const redis_reply answer = co_await std::move(asking);
  const std::scoped_lock lock(mutex_);
  co_return map_.learn(answer, where);
}

// Asks the nodes that are known, then the seeds. Throws what the last one said.
task<void> cluster_session::refresh() {
  if (refreshing_.exchange(true)) co_return;  // somebody does already
  struct end_of {
    std::atomic<bool>& flag;
    ~end_of() { flag = false; }
  } const over{refreshing_};
  auto asked = primaries();
  asked.insert(asked.end(), settings_->servers.begin(), settings_->servers.end());
  const environment env = co_await this_environment();
  std::optional<error> failure;
  for (const auto& each : asked) {
    bool learned = false;
    try {
      task<bool> learning = learn_from(each);
      learned = co_await std::move(learning);
    } catch (const error& problem) {
      failure = problem;
    }
    if (learned) co_return;
    if (env.expired() || env.stop.stop_requested()) break;
  }
  if (failure) throw *failure;
  throw error(errc::connect_failed, "no node of the Redis cluster knows where its slots are")
      .with_disposition(disposition::retryable);
}

task<void> cluster_session::start() {
  std::optional<error> failure;
  try {
    task<void> learning = refresh();
    co_await std::move(learning);
  } catch (const error& problem) {
    failure = problem;
  }
  if (!failure) co_return;
  if (failure->server_message().contains("cluster support disabled")) {
    throw error(errc::connect_failed, "this Redis server is not part of a cluster")
        .with_hint("leave the option cluster out")
        .with_disposition(disposition::permanent);
  }
  throw *failure;
}

// going --------------------------------------------------------------------------------------------------------------

// After a failure: whether it is worth another try. Waits a little where time may help.
task<bool> cluster_session::recover(error failure, server_address asked, int attempt) {
  if (attempt >= most_attempts) co_return false;
  const auto elsewhere = redirection_in(failure.server_message(), asked);
  if (!elsewhere && !not_executed(failure)) co_return false;
  if (elsewhere) {
    const std::scoped_lock lock(mutex_);
    map_.move(elsewhere->slot, elsewhere->to);
  }
  try {
    task<void> learning = refresh();
    co_await std::move(learning);
  } catch (const error&) {
    if (broken()) throw;  // else what is known has to do
  }
  if (elsewhere) {
    // A node that has just heard of the move knows better than others.
    const std::scoped_lock lock(mutex_);
    map_.move(elsewhere->slot, elsewhere->to);
    co_return true;
  }
  const auto pause = std::chrono::milliseconds(10) * (1 << std::min(attempt, 6));
  const wait_result slept = co_await sleep_for(pause);
  co_return slept == wait_result::ready;
}

// The slot is on its way: only this once.
task<redis_reply> cluster_session::ask(const redis_command& what, server_address where) {
  task<session_pointer> opening = session_to(std::move(where));
  const session_pointer there = co_await std::move(opening);
  redis_batch both;
  both.add(redis_command("ASKING")).add(what);
  task<std::vector<redis_reply>> asking = there->pipeline_of_cluster(both);
  std::vector<redis_reply> answers = co_await std::move(asking);
  if (answers[1].is_error()) throw redis_error(answers[1].text());
  co_return std::move(answers[1]);
}

task<redis_reply> cluster_session::route(const redis_command& what, std::optional<std::uint16_t> slot) {
  for (int attempt = 1;; ++attempt) {
    const server_address where = place_of(slot);
    std::optional<error> failure;
    try {
      task<session_pointer> opening = session_to(where);
      const session_pointer there = co_await std::move(opening);
      task<redis_reply> running = there->execute(what);
      co_return co_await std::move(running);
    } catch (const error& problem) {
      failure = problem;
    }
    const auto elsewhere = redirection_in(failure->server_message(), where);
    if (elsewhere && elsewhere->ask) {
      try {
        task<redis_reply> asking = ask(what, elsewhere->to);
        co_return co_await std::move(asking);
      } catch (const error& problem) {
        failure = problem;
      }
    }
    task<bool> recovering = recover(*failure, where, attempt);
    const bool again = co_await std::move(recovering);
    if (!again) throw *failure;
  }
}

}  // namespace polypool::redis
