// SPDX-License-Identifier: Apache-2.0
#include "base/plain_json.hpp"
#include "server/event_stream.hpp"
#include "server/webhook_receiver.hpp"

#include <polypool/config_changes.hpp>
#include <polypool/webhooks.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace polypool {

namespace asio = boost::asio;
using boost::system::error_code;
using server::webhook_receiver;
using server::webhook_setup;

struct webhook_sender::plan::content {
  std::vector<std::shared_ptr<webhook_setup>> wanted;
};

struct webhook_sender::state {
  using receiver_list = std::vector<std::shared_ptr<webhook_receiver>>;

  state(event_bus& bus, log::logger logger) : events(bus), log(std::move(logger)) {}
  void start();
  void run() noexcept;
  void collect();
  void collect_until(std::uint64_t last);
  void replace(const std::vector<std::shared_ptr<webhook_setup>>& wanted);
  struct change {
    std::uint64_t after;  // the last event of those that were there before
    std::shared_ptr<const plan::content> to;
  };
  std::optional<change> next_change() const;
  asio::awaitable<void> serve(std::shared_ptr<webhook_receiver> one);
  void begin_stop(duration drain);
  void end_if_drained();

  event_bus& events;
  const log::logger log;
  asio::io_context io{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{io.get_executor()};
  receiver_list leaving;   // removed, but not done yet
  std::uint64_t seen = 0;  // the last event that was looked at
  bool draining = false;
  asio::steady_timer drain_timer{io};
  std::atomic<bool> asked{false};  // to collect
  mutable std::mutex listing;      // guards the lists; this one changes on the sender's thread only
  receiver_list all;
  std::deque<change> changes;  // to come
  std::mutex life;             // guards what follows
  bool ended = false;
  std::jthread thread;
  event_bus::subscription subscription;
};

// Nothing runs as long as there is no webhook.
void webhook_sender::state::start() {
  thread = std::jthread([this] { run(); });
  subscription = events.subscribe([this](const connection_event&) {
    if (!asked.exchange(true)) asio::post(io, [this] { collect(); });
  });
  asio::post(io, [this] { collect(); });  // what came before the subscription
}

void webhook_sender::state::run() noexcept {
  for (;;) {
    try {
      io.run();
      return;
    } catch (const std::exception& fault) {
      log.error("webhook", "unexpected error", {{"error", fault.what()}});
    }
  }
}

std::optional<webhook_sender::state::change> webhook_sender::state::next_change() const {
  const std::scoped_lock lock(listing);
  return changes.empty() ? std::nullopt : std::optional(changes.front());
}

// Listeners only wake this: what is to be sent comes from the bus, and nobody waits for it. Each event goes to those
// who were there when it happened.
void webhook_sender::state::collect() {
  asked.store(false);
  for (;;) {
    const auto last = events.last_id();  // looked at before the changes: those that come later come after it
    const auto next = next_change();
    collect_until(next ? next->after : last);
    if (!next) break;
    replace(next->to->wanted);
    const std::scoped_lock lock(listing);
    changes.pop_front();
  }
  for (const auto& each : all) each->wake();
}

void webhook_sender::state::collect_until(std::uint64_t last) {
  while (seen < last) {
    auto fresh = events.next(seen, 100);
    std::erase_if(fresh, [&](const connection_event& what) { return what.id > last; });
    if (fresh.empty()) break;
    const auto missed = fresh.front().id - seen - 1;
    if (missed > 0) {
      log.warning("webhook", "events were lost before they could be sent", {{"count", std::to_string(missed)}});
      for (const auto& each : all) each->count_lost(missed);
    }
    seen = fresh.back().id;
    for (const auto& what : fresh) {
      for (const auto& each : all) {
        if (!each->wants(what)) continue;
        server::letter one;
        one.id = what.id;
        one.kind = to_string(what.kind);
        one.body = plain_json(server::event_json(what));
        each->keep(std::move(one));
      }
    }
  }
}

asio::awaitable<void> webhook_sender::state::serve(std::shared_ptr<webhook_receiver> one) {
  co_await one->serve();
  std::erase(leaving, one);
  if (draining) end_if_drained();
}

// Those who stay keep what waits for them.
void webhook_sender::state::replace(const std::vector<std::shared_ptr<webhook_setup>>& wanted) {
  if (draining) return;
  std::vector<config::webhook> before, after;
  for (const auto& each : all) before.push_back(each->how());
  for (const auto& each : wanted) after.push_back(each->how);
  const auto continued = config::match_webhooks(before, after);
  receiver_list next;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (continued[i]) {
      next.push_back(all[*continued[i]]);
      next.back()->change(wanted[i]);
    } else {
      next.push_back(std::make_shared<webhook_receiver>(io, wanted[i], log));
      asio::co_spawn(io, serve(next.back()), asio::detached);
    }
  }
  for (const auto& each : all) {
    if (std::ranges::find(next, each) != next.end()) continue;
    leaving.push_back(each);
    each->leave();
  }
  const std::scoped_lock lock(listing);
  all = std::move(next);
}

void webhook_sender::state::begin_stop(duration drain) {
  collect();
  draining = true;
  work.reset();
  drain_timer.expires_after(drain);
  drain_timer.async_wait([this](error_code ec) {
    if (!ec) io.stop();
  });
  for (const auto& each : all) each->finish();
  end_if_drained();
}

void webhook_sender::state::end_if_drained() {
  const auto idle = [](const auto& each) { return each->idle(); };
  if (std::ranges::all_of(all, idle) && std::ranges::all_of(leaving, idle)) drain_timer.cancel();
}

webhook_sender::plan webhook_sender::prepare(std::vector<config::webhook> targets) {
  auto made = std::make_shared<plan::content>();
  for (auto& each : targets) made->wanted.push_back(std::make_shared<webhook_setup>(std::move(each)));
  plan out;
  out.content_ = std::move(made);
  return out;
}

webhook_sender::webhook_sender(event_bus& events, std::vector<config::webhook> targets, log::logger log)
    : state_(std::make_unique<state>(events, std::move(log))) {
  replace(prepare(std::move(targets)));
}

webhook_sender::~webhook_sender() { stop(duration::zero()); }

void webhook_sender::replace(plan with) {
  const std::scoped_lock lock(state_->life);
  if (state_->ended || !with.content_) return;
  if (state_->thread.joinable()) {
    {
      const std::scoped_lock listing(state_->listing);
      state_->changes.push_back({state_->events.last_id(), with.content_});
    }
    asio::post(state_->io, [mine = state_.get()] { mine->collect(); });
  } else if (!with.content_->wanted.empty()) {
    state_->seen = state_->events.last_id();
    state_->replace(with.content_->wanted);  // its thread is not there yet
    state_->start();
  }
}

std::vector<webhook_statistics> webhook_sender::statistics() const {
  std::vector<webhook_statistics> out;
  const std::scoped_lock lock(state_->listing);
  for (const auto& each : state_->all) out.push_back(each->numbers());
  return out;
}

void webhook_sender::stop(duration drain) {
  const std::scoped_lock lock(state_->life);
  state_->ended = true;
  if (!state_->thread.joinable()) return;
  state_->subscription = {};
  asio::post(state_->io, [mine = state_.get(), drain] { mine->begin_stop(drain); });
  state_->thread.join();
}

}  // namespace polypool
