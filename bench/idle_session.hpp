// SPDX-License-Identifier: Apache-2.0
// A session that does nothing, so that a benchmark measures the pool alone.
#pragma once

#include <polypool/driver.hpp>
#include <polypool/pool.hpp>

#include <memory>

namespace polypool::bench {

class idle_session final : public session {
 public:
  task<void> probe() override { co_return; }
  task<void> reset() override { co_return; }
  bool dirty() const noexcept override { return false; }
  bool broken() const noexcept override { return false; }
  void interrupt() noexcept override {}
  native_handle native() noexcept override { return {typeid(idle_session*), this}; }
  task<server_info> describe() override { co_return server_info{}; }
};

inline task<std::unique_ptr<session>> open_idle() { co_return std::make_unique<idle_session>(); }

inline std::unique_ptr<pool> make_pool(std::uint32_t size, const std::shared_ptr<background>& work) {
  pool_options options;
  options.name = "bench";
  options.max_open = options.max_idle = size;
  return std::make_unique<pool>(std::move(options), open_idle, work);
}

}  // namespace polypool::bench
