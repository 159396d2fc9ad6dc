// SPDX-License-Identifier: Apache-2.0
// A caller of a wire, from the moment its command is put behind the others' until its replies are there.
#pragma once

#include "drivers/redis/wire.hpp"

namespace polypool::redis {

class wire::ticket final : public parking {
 public:
  /// @param into where its replies go; outlives it
  ticket(wire& owner, std::span<redis_reply> into) noexcept
      : owner_(owner), into_(into.data()), wanted_(static_cast<std::uint32_t>(into.size())) {}
  ~ticket() {
    if (!released_) owner_.leave(*this);
  }

 private:
  friend class wire;
  bool enqueue() override;
  bool withdraw() noexcept override;

  // Guarded by the wire's mutex.
  wire& owner_;
  redis_reply* into_;
  std::uint32_t wanted_;          // replies that it waits for
  std::uint64_t number_ = 0;      // of its entry
  std::uint64_t begin_ = 0;       // of its bytes among all that were ever sent
  ticket* next_woken_ = nullptr;  // in a list of threads to wake
  bool queued_ = false;           // has an entry
  bool pushes_ = false;           // waits for what the server says by itself
  bool parked_ = false;
  bool done_ = false;
  bool failed_ = false;
  bool released_ = true;  // has neither an entry nor a duty; its owner's own
};

}  // namespace polypool::redis
