// SPDX-License-Identifier: Apache-2.0
#include <polypool/error.hpp>
#include <polypool/testing.hpp>

#include <utility>

namespace polypool::testing {

void virtual_clock::advance_to(time_point when) {
  if (when == no_deadline) return;  // that time never comes
  const std::scoped_lock lock(moving_);
  for (auto next = timers_.earliest(); next <= when; next = timers_.earliest()) {
    if (next > now()) now_.store(next.time_since_epoch().count(), std::memory_order_release);
    timers_.fire(now());
  }
  if (when > now()) now_.store(when.time_since_epoch().count(), std::memory_order_release);
}

class virtual_loop::root final : public scheduler {
 public:
  root(virtual_loop& loop, task<void> body) : loop_(loop), body_(std::move(body)) {
    env_.waits = this;
    env_.time = &loop.time_;
    body_.handle().promise().env = &env_;
    next_ = body_.handle();
  }
  void resume(std::coroutine_handle<> waiter) noexcept override {
    const std::scoped_lock lock(loop_.mutex_);
    next_ = waiter;
    loop_.ready_.push_back(this);
  }
  void wait_socket(socket_wait&) override {
    throw error(errc::invalid_argument, "sockets cannot be waited for on a virtual loop");
  }
  void cancel_socket(socket_wait&) noexcept override {}
  void arm(timer& item, time_point when) override { env_.time->manual_timers()->arm(item, when); }
  void disarm(timer& item) noexcept override { env_.time->manual_timers()->disarm(item); }
  void offload(offloaded_call& call) override {
    call.call();
    resume(call.waiter);
  }
  bool step() {
    next_.resume();
    return body_.handle().done();
  }

 private:
  virtual_loop& loop_;
  environment env_;
  task<void> body_;
  std::coroutine_handle<> next_;
};

virtual_loop::~virtual_loop() {
  while (!roots_.empty()) {
    const std::unique_ptr<root> gone(*roots_.begin());
    roots_.erase(roots_.begin());
  }
}

void virtual_loop::spawn(task<void> work) { start(std::move(work)); }

virtual_loop::root* virtual_loop::start(task<void> work) {
  auto fresh = std::make_unique<root>(*this, std::move(work));
  const std::scoped_lock lock(mutex_);
  ready_.push_back(fresh.get());
  roots_.insert(fresh.get());
  return fresh.release();
}

void virtual_loop::drop(root* gone) noexcept {
  const std::unique_ptr<root> owned(gone);  // goes without the lock
  const std::scoped_lock lock(mutex_);
  std::erase(ready_, gone);
  roots_.erase(gone);
}

bool virtual_loop::run_one() {
  root* next = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (ready_.empty()) return false;
    next = ready_.front();
    ready_.pop_front();
  }
  if (next->step()) {
    const std::unique_ptr<root> done(next);
    const std::scoped_lock lock(mutex_);
    roots_.erase(next);
  }
  return true;
}

void virtual_loop::run_ready() {
  while (run_one()) {
  }
}

void virtual_loop::advance(duration span) {
  const auto end = time_.now() + span;
  run_ready();
  for (auto next = time_.manual_timers()->earliest(); next <= end; next = time_.manual_timers()->earliest()) {
    time_.advance_to(next);
    run_ready();
  }
  time_.advance_to(end);
  run_ready();
}

void virtual_loop::drive(root* started, const std::function<bool()>& finished) {
  for (;;) {
    while (!finished() && run_one()) {
    }
    if (finished()) return;
    const auto next = time_.manual_timers()->earliest();
    if (next == no_deadline) {
      drop(started);
      throw error(errc::internal_error, "the task waits for something that never comes");
    }
    time_.advance_to(next);
  }
}

}  // namespace polypool::testing
