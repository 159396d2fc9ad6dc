// SPDX-License-Identifier: Apache-2.0
#include "async/context_service.hpp"

#include "async/asio_root.hpp"

#include <algorithm>

namespace polypool::detail {

registration::registration(std::shared_ptr<registered_sockets> list, const boost::asio::any_io_executor& executor,
                           int number)
    : list_(std::move(list)), number_(number) {
  descriptor.emplace(executor, number);
  const std::scoped_lock lock(list_->mutex);
  list_->all.insert(this);
}

registration::~registration() {
  const std::scoped_lock lock(list_->mutex);
  if (!descriptor) return;
  list_->all.erase(this);
  descriptor->release();  // the session closes the socket, not we
}

bool registration::serves(const registered_sockets& list, int number) {
  const std::scoped_lock lock(mutex);
  return descriptor && list_.get() == &list && number_ == number;
}

void registration::cancel(std::uint64_t wanted) noexcept {
  const std::scoped_lock lock(mutex);
  if (epoch != wanted || !descriptor) return;
  boost::system::error_code ignored;
  descriptor->cancel(ignored);
}

void registered_sockets::forget_all() noexcept {
  const std::scoped_lock lock(mutex);
  for (registration* socket : all) {
    const std::scoped_lock its_lock(socket->mutex);
    socket->descriptor->release();
    socket->descriptor.reset();
  }
  all.clear();
}

void timer_thread::arm(timer& item, time_point when) {
  if (!queue_.arm(item, when)) return;
  const std::scoped_lock lock(mutex_);
  if (!thread_.joinable()) {
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  if (when < wakes_at_) {
    wakes_at_ = when;
    changed_.notify_one();
  }
}

// A timer that is disarmed leaves wakes_at_ as it is: the thread wakes once for nothing instead of being told each
// time.
void timer_thread::serve(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (wakes_at_ == no_deadline) {
      changed_.wait(lock, stop, [this] { return wakes_at_ != no_deadline; });
      continue;
    }
    const auto until = wakes_at_;
    if (changed_.wait_until(lock, stop, until, [&] { return wakes_at_ < until; })) continue;
    wakes_at_ = no_deadline;
    lock.unlock();
    const auto next = queue_.fire(std::chrono::steady_clock::now());
    lock.lock();
    wakes_at_ = std::min(wakes_at_, next);
  }
}

void timer_thread::stop() noexcept {
  std::jthread ended;
  {
    const std::scoped_lock lock(mutex_);
    ended = std::move(thread_);
  }
}

boost::asio::execution_context::id context_service::id;

boost::asio::thread_pool& context_service::workers() {
  const std::scoped_lock lock(mutex_);
  if (!workers_) workers_.emplace(std::clamp(std::thread::hardware_concurrency(), 4U, 16U));
  return *workers_;
}

void context_service::add(asio_root& root) {
  const std::scoped_lock lock(mutex_);
  roots_.insert(&root);
}
void context_service::remove(asio_root& root) noexcept {
  const std::scoped_lock lock(mutex_);
  roots_.erase(&root);
}
// The context is being destroyed, its threads are gone. Tasks that still wait are dropped: their frames go, and with
// them the leases they hold.
void context_service::shutdown() noexcept {
  timers.stop();
  if (workers_) {
    workers_->stop();
    workers_->join();
  }
  for (;;) {
    asio_root* root = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      if (roots_.empty()) break;
      root = *roots_.begin();
      roots_.erase(roots_.begin());
    }
    delete root;
  }
  sockets->forget_all();
}

}  // namespace polypool::detail
