// SPDX-License-Identifier: Apache-2.0
#include <polypool/clock.hpp>

#include <time.h>
#include <utility>

namespace polypool {

bool timer_queue::arm(timer& item, time_point when) {
  const std::scoped_lock lock(mutex_);
  unlink(item);
  if (line_end_ == nullptr || line_end_->when_ <= when) {
    item.when_ = when;
    append(item);
  } else {
    heap_.push_back(&item);
    item.when_ = when;
    sift_up(heap_.size() - 1);
  }
  return first() == &item;
}

void timer_queue::disarm(timer& item) noexcept {
  const std::scoped_lock lock(mutex_);
  unlink(item);
}

time_point timer_queue::fire(time_point now) noexcept {
  const std::scoped_lock lock(mutex_);
  timer* due = first();
  for (; due && due->when_ <= now; due = first()) {
    unlink(*due);
    due->expired();
  }
  return due ? due->when_ : no_deadline;
}

time_point timer_queue::earliest() const noexcept {
  const std::scoped_lock lock(mutex_);
  const timer* const next = first();
  return next ? next->when_ : no_deadline;
}

timer* timer_queue::first() const noexcept {
  if (heap_.empty()) return line_begin_;
  const bool line_first = line_begin_ && line_begin_->when_ < heap_.front()->when_;
  return line_first ? line_begin_ : heap_.front();
}

void timer_queue::unlink(timer& item) noexcept {
  if (item.index_ == timer::in_line) {
    leave_line(item);
  } else if (item.index_ != timer::unarmed) {
    remove_at(item.index_);
  }
}

void timer_queue::append(timer& item) noexcept {
  item.index_ = timer::in_line;
  item.before_ = line_end_;
  item.after_ = nullptr;
  (line_end_ ? line_end_->after_ : line_begin_) = &item;
  line_end_ = &item;
}

void timer_queue::leave_line(timer& item) noexcept {
  item.index_ = timer::unarmed;
  (item.before_ ? item.before_->after_ : line_begin_) = item.after_;
  (item.after_ ? item.after_->before_ : line_end_) = item.before_;
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
