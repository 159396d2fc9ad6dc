// SPDX-License-Identifier: Apache-2.0
#include "base/base64.hpp"
#include "base/plain_json.hpp"
#include "server/event_stream.hpp"
#include "server/webhook_post.hpp"

#include <polypool/error.hpp>
#include <polypool/webhooks.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

namespace polypool {

namespace asio = boost::asio;
using asio::awaitable;
using asio::redirect_error;
using asio::use_awaitable;
using boost::system::error_code;

namespace {

struct letter {
  std::uint64_t id = 0;
  std::string kind;
  std::string body;
};

// One webhook. But for its numbers it belongs to the sender's thread.
struct receiver {
  receiver(asio::io_context& io, config::webhook what)
      : how(std::move(what)),
        where(server::parse_webhook_url(how.url)),
        tls(asio::ssl::context::tls_client),
        wake(io),
        random(std::random_device()()) {
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                    asio::ssl::context::no_tlsv1_1);
    if (how.ca_file.empty()) {
      tls.set_default_verify_paths();
    } else {
      error_code ec;
      tls.load_verify_file(how.ca_file, ec);
      if (ec) throw error(errc::invalid_configuration, "a webhook's ca_file cannot be read: " + ec.message());
    }
    filter.connections = how.connections;
    for (const auto& word : how.events) {
      const auto kind = parse_event_kind(word);
      if (!kind) throw error(errc::invalid_configuration, "a webhook's events: there is no '" + word + "'");
      filter.kinds.push_back(*kind);
    }
    numbers.host = where.host;
  }

  const config::webhook how;
  const server::webhook_address where;
  server::event_filter filter;
  asio::ssl::context tls;
  asio::steady_timer wake;  // something to send, or a pause between attempts to cut short
  std::minstd_rand random;
  std::deque<letter> waiting;
  bool busy = false;

  std::mutex mutex;  // guards the numbers
  webhook_statistics numbers;
};

}  // namespace

struct webhook_sender::state {
  state(event_bus& bus, std::vector<config::webhook> targets, log::logger logger)
      : events(bus), log(std::move(logger)), seen(bus.last_id()) {
    for (auto& each : targets) all.push_back(std::make_unique<receiver>(io, std::move(each)));
  }
  void collect();
  void keep(receiver& to, const connection_event& what);
  awaitable<void> serve(receiver& to);
  awaitable<void> deliver(receiver& to, const letter& what);
  server::header_list headers_for(const receiver& to, const letter& what) const;
  void begin_stop(duration drain);
  void end_if_drained();

  event_bus& events;
  const log::logger log;
  asio::io_context io{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{io.get_executor()};
  std::vector<std::unique_ptr<receiver>> all;
  std::uint64_t seen;  // the last event that was looked at
  bool draining = false;
  asio::steady_timer drain_timer{io};
  std::mutex stopping;
  std::jthread thread;
  event_bus::subscription subscription;
};

void webhook_sender::state::keep(receiver& to, const connection_event& what) {
  to.waiting.push_back({what.id, std::string(to_string(what.kind)), plain_json(server::event_json(what))});
  const std::scoped_lock lock(to.mutex);
  if (to.waiting.size() > to.how.max_pending) {
    to.waiting.pop_front();
    ++to.numbers.dropped;
  }
  to.numbers.pending = to.waiting.size();
}

// Listeners only wake this: what is to be sent comes from the bus, and nobody waits for it.
void webhook_sender::state::collect() {
  for (;;) {
    const auto fresh = events.next(seen, 100);
    if (fresh.empty()) break;
    const auto missed = fresh.front().id - seen - 1;
    if (missed > 0)
      log.warning("webhook", "events were lost before they could be sent", {{"count", std::to_string(missed)}});
    seen = fresh.back().id;
    for (const auto& what : fresh) {
      for (const auto& each : all) {
        if (each->filter.takes(what)) keep(*each, what);
      }
    }
  }
  for (const auto& each : all) {
    if (!each->busy && !each->waiting.empty()) each->wake.cancel();
  }
}

server::header_list webhook_sender::state::headers_for(const receiver& to, const letter& what) const {
  server::header_list out{{"X-Polypool-Event", what.kind}, {"X-Polypool-Delivery", std::to_string(what.id)}};
  if (!to.where.credentials.empty()) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(to.where.credentials.data());
    out.emplace_back("Authorization", "Basic " + to_base64({bytes, to.where.credentials.size()}));
  }
  if (to.how.key.empty()) return out;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  out.emplace_back("X-Polypool-Timestamp", seconds);
  out.emplace_back("X-Polypool-Signature", "sha256=" + server::hmac_sha256(to.how.key, seconds + "." + what.body));
  return out;
}

awaitable<void> webhook_sender::state::serve(receiver& to) {
  for (;;) {
    while (!to.waiting.empty()) {
      to.busy = true;
      const letter what = std::move(to.waiting.front());
      to.waiting.pop_front();
      co_await deliver(to, what);
      to.busy = false;
      const std::scoped_lock lock(to.mutex);
      to.numbers.pending = to.waiting.size();
    }
    if (draining) {
      end_if_drained();
      co_return;
    }
    to.wake.expires_at(asio::steady_timer::time_point::max());
    error_code ec;
    co_await to.wake.async_wait(redirect_error(use_awaitable, ec));
  }
}

awaitable<void> webhook_sender::state::deliver(receiver& to, const letter& what) {
  for (std::uint32_t attempt = 1;; ++attempt) {
    const auto headers = headers_for(to, what);
    const auto result = co_await server::post_json(to.where, headers, what.body, to.how.timeout, to.tls);
    const auto outcome = result.status == 0 ? server::webhook_outcome::again : server::outcome_of(result.status);
    const bool give_up = outcome == server::webhook_outcome::refused || attempt >= to.how.attempts;
    {
      const std::scoped_lock lock(to.mutex);
      auto& n = to.numbers;
      ++(outcome == server::webhook_outcome::done ? n.sent : give_up ? n.refused : n.retries);
    }
    if (outcome == server::webhook_outcome::done) co_return;
    const std::string trouble = result.status == 0 ? result.trouble : "HTTP " + std::to_string(result.status);
    if (give_up) {
      log.warning(
          "webhook", "gave an event up",
          {{"host", to.where.host}, {"event", what.kind}, {"attempts", std::to_string(attempt)}, {"error", trouble}});
      co_return;
    }
    log.debug("webhook", "will try again", {{"host", to.where.host}, {"event", what.kind}, {"error", trouble}});
    std::uniform_real_distribution<double> share(0, 1);
    to.wake.expires_after(server::webhook_delay(to.how, attempt, share(to.random)));
    error_code ec;
    co_await to.wake.async_wait(redirect_error(use_awaitable, ec));
  }
}

void webhook_sender::state::begin_stop(duration drain) {
  collect();
  draining = true;
  work.reset();
  drain_timer.expires_after(drain);
  drain_timer.async_wait([this](error_code ec) {
    if (!ec) io.stop();
  });
  for (const auto& each : all) {
    if (!each->busy) each->wake.cancel();
  }
  end_if_drained();
}

void webhook_sender::state::end_if_drained() {
  const bool done = std::ranges::all_of(all, [](const auto& each) { return !each->busy && each->waiting.empty(); });
  if (done) drain_timer.cancel();
}

webhook_sender::webhook_sender(event_bus& events, std::vector<config::webhook> targets, log::logger log)
    : state_(std::make_unique<state>(events, std::move(targets), std::move(log))) {
  for (const auto& each : state_->all) asio::co_spawn(state_->io, state_->serve(*each), asio::detached);
  state_->thread = std::jthread([mine = state_.get()] { mine->io.run(); });
  state_->subscription = events.subscribe(
      [mine = state_.get()](const connection_event&) { asio::post(mine->io, [mine] { mine->collect(); }); });
}

webhook_sender::~webhook_sender() { stop(duration::zero()); }

std::vector<webhook_statistics> webhook_sender::statistics() const {
  std::vector<webhook_statistics> out;
  for (const auto& each : state_->all) {
    const std::scoped_lock lock(each->mutex);
    out.push_back(each->numbers);
  }
  return out;
}

void webhook_sender::stop(duration drain) {
  const std::scoped_lock lock(state_->stopping);
  if (!state_->thread.joinable()) return;
  state_->subscription = {};
  asio::post(state_->io, [mine = state_.get(), drain] { mine->begin_stop(drain); });
  state_->thread.join();
}

}  // namespace polypool
