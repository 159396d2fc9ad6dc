// SPDX-License-Identifier: Apache-2.0
#include <polypool/redis_database.hpp>

namespace polypool {

struct redis_scan::state {
  redis_database on;
  redis_scan_options options;
  std::string command;  // HSCAN and its like; empty: SCAN
  std::string key;
  std::uint64_t cursor = 0;
  bool last_page = false;
  std::vector<std::string> items;
  std::size_t next = 0;
};

redis_scan::redis_scan(std::unique_ptr<state> made) noexcept : state_(std::move(made)) {}
redis_scan::redis_scan(redis_scan&&) noexcept = default;
redis_scan& redis_scan::operator=(redis_scan&&) noexcept = default;
redis_scan::~redis_scan() = default;

redis_scan redis_database::scan(redis_scan_options options) const { return scan_inside({}, {}, std::move(options)); }

redis_scan redis_database::scan_inside(std::string_view command, std::string_view key,
                                       redis_scan_options options) const {
  auto made = std::make_unique<redis_scan::state>(
      redis_scan::state{*this, std::move(options), std::string(command), std::string(key), 0, false, {}, 0});
  return redis_scan(std::move(made));
}

redis_call<redis_page> redis_scan::next_call() const {
  if (state_->command.empty()) return redis_calls::scan(state_->cursor, state_->options);
  return redis_calls::scan_inside(state_->command, state_->key, state_->cursor, state_->options);
}

std::optional<std::string> redis_scan::take() noexcept {
  if (state_->next == state_->items.size()) return std::nullopt;
  return std::move(state_->items[state_->next++]);
}

void redis_scan::turn_to(redis_page page) noexcept {
  state_->cursor = page.cursor;
  state_->last_page = page.cursor == 0;
  state_->items = std::move(page.items);
  state_->next = 0;
}

std::optional<std::string> redis_scan::next() {
  for (;;) {
    if (auto item = take()) return item;
    if (state_->last_page) return std::nullopt;
    turn_to(state_->on.run(next_call()));
  }
}

task<std::optional<std::string>> redis_scan::async_next() {
  for (;;) {
    if (auto item = take()) co_return std::move(item);
    if (state_->last_page) co_return std::nullopt;
    task<redis_page> turning = state_->on.async_run(next_call());
    redis_page page = co_await std::move(turning);
    turn_to(std::move(page));
  }
}

}  // namespace polypool
