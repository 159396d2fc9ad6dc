// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/watch.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace polypool::mongodb {

watch::watch() : wake_descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "making a session's eventfd");
}

watch::~watch() { ::close(wake_descriptor_); }

void watch::wake() noexcept {
  signalled_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_descriptor_, &one, sizeof one);
}

// What an earlier call's deadline or stop has left.
void watch::calm() noexcept {
  if (closed() || !signalled_.exchange(false, std::memory_order_acq_rel)) return;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(wake_descriptor_, &count, sizeof count);
  if (closed()) wake();  // it came in between
}

void watch::close() noexcept {
  closed_.store(true, std::memory_order_release);
  wake();
}

bool watch::strikes() noexcept {
  if (closed()) {
    why_ = reason::closed;
  } else if (why_ == reason::none && env_ && env_->stop.stop_requested()) {
    why_ = reason::stopped;
  } else if (why_ == reason::none && env_ && env_->expired()) {
    why_ = reason::timed_out;
  }
  return why_ != reason::none;
}

int watch::wait(std::span<pollfd> descriptors, time_point limit) noexcept {
  descriptors.back() = {wake_descriptor_, POLLIN, 0};
  // A clock that is moved by hand tells the timer; it says nothing about how long to wait here.
  const bool timed = env_ && env_->deadline != no_deadline && !manual_clock_;
  const auto end = timed ? std::min(limit, env_->deadline) : limit;
  for (;;) {
    timespec left{};
    timespec* timeout = nullptr;
    if (goodbye_) {
      timeout = &left;
    } else if (end != no_deadline) {
      const auto span = std::max<duration>(end - std::chrono::steady_clock::now(), duration::zero());
      const auto seconds = std::chrono::floor<std::chrono::seconds>(span);
      left.tv_sec = seconds.count();
      left.tv_nsec = std::chrono::nanoseconds(span - seconds).count();
      timeout = &left;
    }
    const int ready = ::ppoll(descriptors.data(), descriptors.size(), timeout, nullptr);
    if (ready < 0 && errno != EINTR) return -1;
    if (ready < 0) continue;
    if ((ready == 0 || descriptors.back().revents != 0) && strikes()) return -1;
    if (ready == 0) return 0;
    const int others = ready - (descriptors.back().revents != 0 ? 1 : 0);
    if (others > 0) return others;
    calm();
  }
}

bool watch::pause(duration span) noexcept {
  pollfd only_ours[1] = {};
  return wait(only_ours, saturating_add(std::chrono::steady_clock::now(), span)) == 0;
}

watch::scope::scope(watch& owner, const environment& env) : owner_(owner) {
  owner.calm();
  owner.env_ = &env;
  owner.why_ = reason::none;
  owner.manual_clock_ = env.time->manual_timers() != nullptr;
  if (owner.strikes()) {
    owner.env_ = nullptr;
    const auto why = owner.why_;
    owner.why_ = reason::none;
    if (why == reason::closed) {
      throw error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
    }
    if (why == reason::stopped) {
      throw error(errc::cancelled, "the caller asked to stop before anything was sent")
          .with_disposition(disposition::retryable);
    }
    throw error(errc::deadline_exceeded, "the deadline passed before anything was sent")
        .with_disposition(disposition::retryable);
  }
  timer_.owner = &owner;
  if (owner.manual_clock_ && env.deadline != no_deadline) env.arm(timer_, env.deadline);
  if (env.stop.stop_possible()) stop_.emplace(env.stop, stop_action{&owner});
}

watch::scope::~scope() {
  stop_.reset();
  if (owner_.manual_clock_ && owner_.env_->deadline != no_deadline) owner_.env_->disarm(timer_);
  owner_.env_ = nullptr;
}

}  // namespace polypool::mongodb
