// SPDX-License-Identifier: Apache-2.0
#include "server/shared_health.hpp"

#include <polypool/waits.hpp>

#include <exception>
#include <utility>

namespace polypool::server {

// Written by its leader before `done` is set, read by others after.
struct shared_health::flight {
  event done;
  std::shared_ptr<const health_report> report;
  std::exception_ptr failure;
  time_point finished{};  // guarded by the mutex
  bool over = false;      // guarded by the mutex
};

shared_health::shared_health(checker check, duration good_for, clock& time) noexcept
    : check_(std::move(check)), good_for_(good_for), time_(time) {}

std::shared_ptr<shared_health::flight> shared_health::join(bool& leads) {
  const std::lock_guard lock(mutex_);
  const bool usable =
      current_ && (!current_->over || (current_->report && time_.now() - current_->finished < good_for_));
  leads = !usable;
  if (leads) current_ = std::make_shared<flight>();
  return current_;
}

void shared_health::forget() noexcept {
  const std::lock_guard lock(mutex_);
  current_.reset();
}

task<void> shared_health::lead(std::shared_ptr<flight> mine) {
  try {
    auto report = co_await check_();
    mine->report = std::make_shared<const health_report>(std::move(report));
  } catch (...) {
    mine->failure = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    mine->over = true;
    mine->finished = time_.now();
  }
  mine->done.set();
}

task<std::shared_ptr<const health_report>> shared_health::check() {
  bool leads = false;
  const auto flight = join(leads);
  if (leads) {
    co_await lead(flight);
  } else {
    const auto ended = co_await flight->done.wait();
    throw_unless_ready(ended);
  }
  if (flight->failure) std::rethrow_exception(flight->failure);
  co_return flight->report;
}

}  // namespace polypool::server
