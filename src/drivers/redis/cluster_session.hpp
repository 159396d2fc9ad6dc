// SPDX-License-Identifier: Apache-2.0
// A session with a Redis cluster: one connection to each node that it has talked to.
#pragma once

#include "drivers/redis/cluster_map.hpp"
#include "drivers/redis/session.hpp"

#include <polypool/waits.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace polypool::redis {

/// Sends each command where its key lives, follows MOVED and ASK, learns the cluster anew when it has changed, and
/// opens connections to nodes as they are needed. So a pool's limits count sessions, and hold for each node: a pool of
/// ten sessions makes at most ten connections to any node.
class cluster_session final : public key_value_session {
 public:
  cluster_session(std::shared_ptr<const session_settings> settings, duration connect_timeout)
      : settings_(std::move(settings)), connect_timeout_(connect_timeout) {}

  /// Learns where the slots are, from the first seed that answers. Throws connect_failed.
  task<void> start();

  task<void> probe() override;
  task<void> reset() override;
  bool dirty() const noexcept override;
  bool broken() const noexcept override { return interrupted_.load(std::memory_order_relaxed); }
  void interrupt() noexcept override;
  native_handle native() noexcept override;
  task<server_info> describe() override;

  task<redis_reply> execute(const redis_command& what) override;
  task<std::vector<redis_reply>> pipeline(const redis_batch& what) override;
  task<void> send(const redis_command& what) override;
  task<redis_reply> next_push() override;
  std::size_t outstanding() const noexcept override;
  std::size_t abandoned() const noexcept override;
  int protocol() const noexcept override { return settings_->protocol; }

 private:
  using words = std::vector<std::string_view>;
  using session_pointer = std::shared_ptr<redis::session>;  // not the base class
  struct node {
    server_address where;
    session_pointer open;
    std::shared_ptr<event> opening;  // set when whoever opens it is done
  };
  class opener;
  struct unit;   // of a pipeline: a command, or a whole transaction
  struct share;  // of a pipeline: what one node gets

  // cluster_routing.cpp
  task<session_pointer> session_to(server_address where);
  task<redis_reply> route(const redis_command& what, std::optional<std::uint16_t> slot);
  task<redis_reply> ask(const redis_command& what, server_address where);
  task<bool> recover(error failure, server_address asked, int attempt);
  task<void> refresh();
  task<bool> learn_from(server_address where);
  server_address place_of(std::optional<std::uint16_t> slot);
  std::vector<server_address> primaries();
  std::vector<session_pointer> open_sessions() const;

  // cluster_pipeline.cpp
  task<redis_reply> run_split(words what);
  task<redis_reply> run_on_all(const redis_command& what);
  task<redis_reply> run_scan(words what);
  task<redis_reply> run_alone(const redis_command& what, std::string_view wire);
  task<void> run_unit(const redis_batch& all, unit one, std::vector<redis_reply>& into);
  task<void> run_share(const redis_batch& all, const share& part, std::vector<redis_reply>& into,
                       std::vector<std::size_t>& elsewhere);
  task<void> run_row(const redis_batch& all, const std::vector<unit>& row, std::vector<redis_reply>& into);
  static std::vector<unit> units_of(const redis_batch& all);

  const std::shared_ptr<const session_settings> settings_;
  const duration connect_timeout_;
  mutable std::mutex mutex_;
  cluster_map map_;
  std::map<std::string, node> nodes_;
  std::atomic<bool> refreshing_{false};
  std::atomic<bool> interrupted_{false};
  std::size_t turn_ = 0;
  // Only for whoever has the session alone.
  std::optional<std::uint16_t> watched_;  // the slot of what is watched
  session_pointer listener_;              // the node that sends messages
};

}  // namespace polypool::redis
