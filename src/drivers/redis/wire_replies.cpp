// SPDX-License-Identifier: Apache-2.0
// What has been read from a wire, and to whom it belongs.
#include "drivers/redis/ticket.hpp"
#include "drivers/redis/wire.hpp"

#include <algorithm>
#include <array>

namespace polypool::redis {
namespace {

// Messages that nobody takes: an error is better than losing some in silence, or all memory.
constexpr std::size_t most_pushes = 100'000;
constexpr std::size_t most_push_bytes = std::size_t{64} << 20;

constexpr std::array<std::string_view, 9> message_words{"message",      "pmessage",    "smessage",
                                                        "subscribe",    "unsubscribe", "psubscribe",
                                                        "punsubscribe", "ssubscribe",  "sunsubscribe"};

}  // namespace

// Gives what has arrived to those who wait for it. @return what the caller does next
wire::step wire::deliver(ticket& mine) {
  ticket* threads = nullptr;
  step out{};
  std::optional<error> failed;
  {
    const std::scoped_lock lock(mutex_);
    for (auto& each : arrived_) hand_out(std::move(each), threads);
    arrived_.clear();  // before the duty goes to somebody else
    failed = std::move(reading_failed_);
    reading_failed_.reset();
    if (!failed) out = step_for(mine, threads);
  }
  wake_all(threads);
  if (!failed) return out;
  fail(*failed);
  return next_step(mine);
}

void wire::hand_out(redis_reply&& arrived, ticket*& threads) {
  if (is_push(arrived)) {
    push_bytes_ += arrived.size_in_bytes();
    pushes_.push_back(std::move(arrived));
    if (push_reader_ != nullptr) return give_push(*push_reader_, threads);
    if ((pushes_.size() > most_pushes || push_bytes_ > most_push_bytes) && !reading_failed_) {
      reading_failed_ =
          error(errc::connection_lost,
                "Redis at " + place_ + " sent more messages than were taken: " + std::to_string(pushes_.size()))
              .with_poisoned_session();
    }
    return;
  }
  if (waiting_.empty()) {
    if (!reading_failed_) {
      reading_failed_ = error(errc::connection_lost,
                              "Redis at " + place_ + " sent a reply that nobody asked for: " + arrived.to_display())
                            .with_server_message(arrived.text())
                            .with_poisoned_session();
    }
    return;
  }
  entry& first = waiting_.front();
  ticket* const who = first.who;
  if (who != nullptr) *who->into_++ = std::move(arrived);
  if (--first.replies > 0) return;
  waiting_.pop();
  if (who == nullptr) {
    --abandoned_;
    return;
  }
  who->queued_ = false;
  who->done_ = true;
  if (who->parked_) who->released_ = true;  // and so without a duty; it looks at this without the lock
  rouse(*who, threads);
}

error wire::complaint(const redis_value& reply) noexcept {
  error out = redis_error(reply.text());
  if (out.poisons_session()) broken_.store(true, std::memory_order_release);
  return out;
}

void wire::give_push(ticket& whose, ticket*& threads) noexcept {
  push_bytes_ -= std::min(push_bytes_, pushes_.front().size_in_bytes());
  *whose.into_ = std::move(pushes_.front());
  pushes_.pop_front();
  whose.done_ = true;
  push_reader_ = nullptr;
  rouse(whose, threads);
}

bool wire::is_push(const redis_reply& arrived) const noexcept {
  if (arrived.type() == redis_type::push) return true;
  if (!messages_expected_ || arrived.type() != redis_type::array || arrived.empty()) return false;
  return std::ranges::find(message_words, arrived[0].text()) != message_words.end();
}

void wire::expect_messages(bool on) noexcept {
  const std::scoped_lock lock(mutex_);
  messages_expected_ = on;
}

void wire::forget_pushes() noexcept {
  const std::scoped_lock lock(mutex_);
  pushes_.clear();
  push_bytes_ = 0;
}

std::size_t wire::outstanding() const noexcept {
  const std::scoped_lock lock(mutex_);
  return waiting_.size();
}

std::size_t wire::abandoned() const noexcept {
  const std::scoped_lock lock(mutex_);
  return abandoned_;
}

}  // namespace polypool::redis
