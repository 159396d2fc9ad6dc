// SPDX-License-Identifier: Apache-2.0
#include <polypool/clock.hpp>

#include <time.h>
#include <utility>

namespace polypool {

bool timer_queue::arm(timer& item, time_point when) {
  const std::scoped_lock lock(mutex_);
  if (item.index_ != timer::unarmed) remove_at(item.index_);
  item.when_ = when;
  heap_.push_back(&item);
  item.index_ = heap_.size() - 1;
  sift_up(item.index_);
  return heap_.front() == &item;
}

void timer_queue::disarm(timer& item) noexcept {
  const std::scoped_lock lock(mutex_);
  if (item.index_ != timer::unarmed) remove_at(item.index_);
}

time_point timer_queue::fire(time_point now) noexcept {
  const std::scoped_lock lock(mutex_);
  while (!heap_.empty() && heap_.front()->when_ <= now) {
    timer* due = heap_.front();
    remove_at(0);
    due->expired();
  }
  return heap_.empty() ? no_deadline : heap_.front()->when_;
}

time_point timer_queue::earliest() const noexcept {
  const std::scoped_lock lock(mutex_);
  return heap_.empty() ? no_deadline : heap_.front()->when_;
}

void timer_queue::place(std::size_t index, timer* item) noexcept {
  heap_[index] = item;
  item->index_ = index;
}

void timer_queue::remove_at(std::size_t index) noexcept {
  heap_[index]->index_ = timer::unarmed;
  timer* last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  place(index, last);
  sift_up(index);
  sift_down(last->index_);
}

void timer_queue::sift_up(std::size_t index) noexcept {
  timer* item = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent]->when_ <= item->when_) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, item);
}

void timer_queue::sift_down(std::size_t index) noexcept {
  timer* item = heap_[index];
  for (std::size_t child = 2 * index + 1; child < heap_.size(); child = 2 * index + 1) {
    if (child + 1 < heap_.size() && heap_[child + 1]->when_ < heap_[child]->when_) ++child;
    if (item->when_ <= heap_[child]->when_) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, item);
}

namespace {

class system_clock final : public clock {
 public:
  time_point now() const noexcept override { return std::chrono::steady_clock::now(); }
  time_point coarse_now() const noexcept override {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
  }
};

}  // namespace

clock& clock::system() noexcept {
  static system_clock instance;
  return instance;
}

}  // namespace polypool
