// SPDX-License-Identifier: Apache-2.0
#include "async/context_service.hpp"

#include "async/asio_root.hpp"

#include <thread>
#include <utility>

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

bool woken_roots::push(asio_root& root) noexcept {
  asio_root* before = newest_.load(std::memory_order_relaxed);
  do {
    root.set_next_woken(before);
  } while (!newest_.compare_exchange_weak(before, &root, std::memory_order_release, std::memory_order_relaxed));
  return before == nullptr;
}

asio_root* woken_roots::take_all() noexcept {
  const auto here = std::this_thread::get_id();
  auto first = thread_.load(std::memory_order_relaxed);
  if (first == std::thread::id() && thread_.compare_exchange_strong(first, here, std::memory_order_relaxed))
    first = here;
  if (first != here) many_threads_.store(true, std::memory_order_relaxed);
  asio_root* in_order = nullptr;
  for (asio_root* each = newest_.exchange(nullptr, std::memory_order_acquire); each;) {
    asio_root* const older = each->next_woken();
    each->set_next_woken(in_order);
    in_order = std::exchange(each, older);
  }
  return in_order;
}

boost::asio::execution_context::id context_service::id;

void context_service::drive_woken() noexcept {
  for (asio_root* each = woken.take_all(); each;) {
    asio_root* const next = each->next_woken();  // its end may be the end of it
    each->drive();
    each = next;
  }
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
  workers.stop();
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
  // Without roots nobody begins to post. Who is in the middle of it has little left to do; telling us of its end would
  // mean touching what we are about to destroy.
  while (posting_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  sockets->forget_all();
}

}  // namespace polypool::detail
