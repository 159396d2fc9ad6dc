// SPDX-License-Identifier: Apache-2.0
#include <polypool/task.hpp>

#include <array>
#include <new>

namespace polypool::detail {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POLYPOOL_PLAIN_FRAMES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define POLYPOOL_PLAIN_FRAMES 1
#endif
#endif

#ifdef POLYPOOL_PLAIN_FRAMES  // sanitizers see every use after free only without recycling

void* allocate_frame(std::size_t size) { return ::operator new(size); }
void free_frame(void* frame, std::size_t size) noexcept { ::operator delete(frame, size); }

#else

namespace {

// Per thread a short list of free frames for each size, in steps of 128 bytes. A frame freed on another thread than the
// one that made it just changes lists.
class frame_cache {
 public:
  static constexpr std::size_t step = 128;
  static constexpr std::size_t classes = 16;
  static constexpr unsigned most_kept = 16;

  ~frame_cache() {
    gone = true;
    for (auto& list : lists_) {
      while (list.first) {
        node* next = list.first->next;
        ::operator delete(list.first);
        list.first = next;
      }
    }
  }
  static std::size_t class_of(std::size_t size) noexcept { return (size - 1) / step; }
  void* take(std::size_t index) {
    auto& list = lists_[index];
    if (!list.first) return ::operator new((index + 1) * step);
    node* frame = list.first;
    list.first = frame->next;
    --list.count;
    return frame;
  }
  void give(void* frame, std::size_t index) noexcept {
    auto& list = lists_[index];
    if (list.count == most_kept) return ::operator delete(frame);
    list.first = ::new (frame) node{list.first};
    ++list.count;
  }

  static thread_local bool gone;  // frames may be freed while the thread's locals go

 private:
  struct node {
    node* next;
  };
  struct free_list {
    node* first = nullptr;
    unsigned count = 0;
  };
  std::array<free_list, classes> lists_;
};

thread_local bool frame_cache::gone = false;
thread_local frame_cache cache;

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = frame_cache::class_of(size);
  if (index >= frame_cache::classes || frame_cache::gone) return ::operator new(size);
  return cache.take(index);
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = frame_cache::class_of(size);
  if (index >= frame_cache::classes || frame_cache::gone) return ::operator delete(frame);
  cache.give(frame, index);
}

#endif

}  // namespace polypool::detail
