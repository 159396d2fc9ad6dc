// SPDX-License-Identifier: Apache-2.0
// One session with a Redis server.
#pragma once

#include "drivers/redis/hello.hpp"
#include "drivers/redis/settings.hpp"
#include "drivers/redis/wire.hpp"

#include <polypool/key_value.hpp>

#include <atomic>
#include <memory>

namespace polypool::redis {

class session final : public key_value_session {
 public:
  /// @param line introduced already @param must_be_primary a probe fails once the server is not (sentinels chose it)
  session(std::unique_ptr<wire> line, server_facts facts, std::shared_ptr<const session_settings> settings,
          bool must_be_primary);

  task<void> probe() override;
  task<void> reset() override;
  bool dirty() const noexcept override;
  bool broken() const noexcept override;
  void interrupt() noexcept override { wire_->interrupt(); }
  native_handle native() noexcept override;
  task<server_info> describe() override;

  task<redis_reply> execute(const redis_command& what) override;
  task<std::vector<redis_reply>> pipeline(const redis_batch& what) override;
  /// The same for what leaves nothing behind although it looks like it: ASKING before a command, whole transactions.
  task<std::vector<redis_reply>> pipeline_of_cluster(const redis_batch& what);
  task<void> send(const redis_command& what) override;
  task<redis_reply> next_push() override { return wire_->next_push(); }
  std::size_t outstanding() const noexcept override { return wire_->outstanding(); }
  std::size_t abandoned() const noexcept override { return wire_->abandoned(); }
  int protocol() const noexcept override { return facts_.protocol; }

 private:
  class blocking_guard;
  task<redis_reply> execute_special(const redis_command& what, redis_effect effect);
  task<redis_reply> execute_blocking(const redis_command& what);
  redis_batch reset_commands() const;
  task<void> tidy_up();

  std::unique_ptr<wire> wire_;
  server_facts facts_;
  std::shared_ptr<const session_settings> settings_;
  // Only whoever has the session alone leaves traces.
  redis_traces traces_;
  bool must_be_primary_;
  std::atomic<bool> doomed_{false};  // a blocking command runs on that nobody waits for
};

/// The role in what ROLE answered.
server_info::role_type role_of(const redis_value& role) noexcept;

}  // namespace polypool::redis
