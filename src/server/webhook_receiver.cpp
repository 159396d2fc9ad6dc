// SPDX-License-Identifier: Apache-2.0
#include "server/webhook_receiver.hpp"

#include "base/base64.hpp"

#include <polypool/error.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace polypool::server {

namespace asio = boost::asio;
using asio::awaitable;
using asio::redirect_error;
using asio::use_awaitable;
using boost::system::error_code;

webhook_setup::webhook_setup(config::webhook what)
    : how(std::move(what)), where(parse_webhook_url(how.url)), tls(asio::ssl::context::tls_client) {
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                  asio::ssl::context::no_tlsv1_1);
  if (how.ca_file.empty()) {
    tls.set_default_verify_paths();
  } else {
    error_code ec;
    tls.load_verify_file(how.ca_file, ec);
    if (ec) {
      throw error(errc::invalid_configuration,
                  "webhook '" + how.shown_name() + "': its ca_file cannot be read: " + ec.message())
          .with_hint("give a PEM file with certificates: " + how.ca_file);
    }
  }
  filter.connections = how.connections;
  for (const auto& word : how.events) {
    const auto kind = parse_event_kind(word);
    if (!kind) throw error(errc::invalid_configuration, "a webhook's events: there is no '" + word + "'");
    filter.kinds.push_back(*kind);
  }
}

webhook_receiver::webhook_receiver(asio::io_context& io, std::shared_ptr<webhook_setup> with, log::logger log)
    : now_(std::move(with)),
      log_(std::move(log)),
      wake_(io),
      random_(std::random_device()()),
      names_(io.get_executor()) {
  numbers_.name = now_->how.shown_name();
  numbers_.host = now_->where.host;
}

void webhook_receiver::note_pending() {
  const std::scoped_lock lock(mutex_);
  numbers_.pending = waiting_.size();
}

void webhook_receiver::keep(letter what) {
  waiting_.push_back(std::move(what));
  std::uint64_t dropped = 0;
  for (; waiting_.size() > now_->how.max_pending; ++dropped) waiting_.pop_front();
  const std::scoped_lock lock(mutex_);
  numbers_.dropped += dropped;
  numbers_.pending = waiting_.size();
}

void webhook_receiver::count_lost(std::uint64_t count) {
  const std::scoped_lock lock(mutex_);
  numbers_.dropped += count;
}

void webhook_receiver::wake() {
  if (!busy_ && !waiting_.empty()) wake_.cancel();
}

void webhook_receiver::change(std::shared_ptr<webhook_setup> with) {
  const bool another = !(with->how == now_->how);
  now_ = std::move(with);
  {
    const std::scoped_lock lock(mutex_);
    numbers_.name = now_->how.shown_name();
    numbers_.host = now_->where.host;
  }
  if (another) wake_.cancel();
}

void webhook_receiver::leave() {
  leaving_ = true;
  wake_.cancel();
}

void webhook_receiver::finish() {
  finishing_ = true;
  if (!busy_) wake_.cancel();
}

webhook_statistics webhook_receiver::numbers() const {
  const std::scoped_lock lock(mutex_);
  return numbers_;
}

header_list webhook_receiver::headers_for(const letter& what) const {
  header_list out{{"X-Polypool-Event", what.kind}, {"X-Polypool-Delivery", std::to_string(what.id)}};
  if (!now_->where.credentials.empty()) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(now_->where.credentials.data());
    out.emplace_back("Authorization", "Basic " + to_base64({bytes, now_->where.credentials.size()}));
  }
  if (now_->how.key.empty()) return out;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  out.emplace_back("X-Polypool-Timestamp", seconds);
  out.emplace_back("X-Polypool-Signature", "sha256=" + hmac_sha256(now_->how.key, seconds + "." + what.body));
  return out;
}

awaitable<void> webhook_receiver::serve() {
  for (;;) {
    while (!waiting_.empty()) {
      busy_ = true;
      const letter what = std::move(waiting_.front());
      waiting_.pop_front();
      note_pending();
      try {
        co_await deliver(what);
      } catch (const std::exception& fault) {  // such as no memory: the others may have more luck
        count_lost(1);
        log_.error("webhook", "an event could not be sent", {{"event", what.kind}, {"error", fault.what()}});
      }
      busy_ = false;
    }
    if (leaving_ || finishing_) co_return;
    wake_.expires_at(asio::steady_timer::time_point::max());
    error_code ec;
    co_await wake_.async_wait(redirect_error(use_awaitable, ec));
  }
}

// One who was removed is not pestered any more.
void webhook_receiver::drop_all(std::size_t with_this) {
  const auto count = waiting_.size() + with_this;
  waiting_.clear();
  note_pending();
  log_.warning("webhook", "dropped events of a webhook that was removed",
               {{"webhook", numbers_.name}, {"count", std::to_string(count)}});
}

// @return whether the letter is to be sent again
bool webhook_receiver::settle(const post_result& result, const letter& what, std::uint32_t attempt) {
  const auto outcome = result.status == 0 ? webhook_outcome::again : outcome_of(result.status);
  const bool give_up = outcome == webhook_outcome::refused || attempt >= now_->how.attempts;
  {
    const std::scoped_lock lock(mutex_);
    ++(outcome == webhook_outcome::done ? numbers_.sent : give_up ? numbers_.refused : numbers_.retries);
  }
  if (outcome == webhook_outcome::done) return false;
  std::string trouble = result.status == 0 ? result.trouble : "HTTP " + std::to_string(result.status);
  if (result.status >= 300 && result.status < 400) trouble += "; redirects are not followed";
  if (leaving_) {
    drop_all(give_up ? 0 : 1);
    return false;
  }
  if (give_up) {
    log_.warning("webhook", "gave an event up",
                 {{"webhook", now_->how.shown_name()},
                  {"host", now_->where.host},
                  {"event", what.kind},
                  {"attempts", std::to_string(attempt)},
                  {"error", trouble}});
    return false;
  }
  log_.debug("webhook", "will try again", {{"host", now_->where.host}, {"event", what.kind}, {"error", trouble}});
  return true;
}

awaitable<void> webhook_receiver::deliver(const letter& what) {
  for (std::uint32_t attempt = 1;; ++attempt) {
    const auto with = now_;  // may be another one when the answer is there
    const auto headers = headers_for(what);
    const auto result = co_await post_json(with->where, headers, what.body, with->how.timeout, with->tls, names_);
    if (!settle(result, what, attempt)) co_return;
    std::uniform_real_distribution<double> share(0, 1);
    wake_.expires_after(webhook_delay(now_->how, attempt, share(random_)));
    error_code ec;
    co_await wake_.async_wait(redirect_error(use_awaitable, ec));
    if (leaving_) {
      drop_all(1);
      co_return;
    }
  }
}

}  // namespace polypool::server
