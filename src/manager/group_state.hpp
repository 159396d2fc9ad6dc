// SPDX-License-Identifier: Apache-2.0
// A group at work: looks at its members now and then, and sends calls to them.
#pragma once

#include "manager/connection_state.hpp"
#include "manager/group_balance.hpp"
#include "manager/group_failover.hpp"
#include "manager/read_positions.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace polypool::detail {

/// Both types of group. Calls read what was decided from atomics; deciding is done under a lock, by whoever has looked.
///
/// One task looks at all members every role_check_interval, at least each second while something is wrong, and soon
/// after a call has failed in a way that smells of a change. It starts with the first call, so a group that is not used
/// costs nothing.
class group_state final : public group_router, public std::enable_shared_from_this<group_state> {
 public:
  group_state(config::group configuration, std::vector<std::shared_ptr<connection_state>> members);

  /// The connection that stands for it; told before anybody else knows the group.
  void belongs_to(const std::shared_ptr<connection_state>& host) noexcept { host_ = host; }

  std::shared_ptr<connection_state> choose(const call* how, const connection_state* avoid) override;
  bool still_takes(const call* how, const connection_state& member) const noexcept override;
  void succeeded(const connection_state& member, duration took) noexcept override;
  void failed(const connection_state& member, const error& why) noexcept override;
  std::shared_ptr<const void> note_write(const call* how) override;
  task<void> look() override;
  void stop() noexcept override;
  task<void> connect() override;
  group_status status() const override;
  const config::group& configuration() const noexcept override { return config_; }
  task<void> fail_over(std::string to) override;
  task<void> fail_back() override;
  const std::vector<std::shared_ptr<connection_state>>& members() const noexcept override { return members_; }
  void inherit(const group_router& before) override;

 private:
  struct answer {
    std::optional<server_info> said;  // nothing: it did not answer
    std::string problem;
    bool news = true;  // false: nothing was learnt, such as when all its sessions are busy
    time_point asked{};
  };
  using answers = std::vector<answer>;
  bool failover() const noexcept { return config_.type == config::group_type::failover; }
  std::size_t index_of(const connection_state& member) const noexcept;
  std::size_t choose_any(std::size_t avoid) noexcept;
  std::size_t choose_reader(const call* how, std::size_t avoid);
  std::shared_ptr<consistency::state> token_of(const call* how) const noexcept;
  [[noreturn]] void refuse();

  // looking
  /// @return false when the group is closed
  bool start() noexcept;
  void look_soon() noexcept;
  duration pause() const;
  static task<void> watch(std::shared_ptr<group_state> self, std::stop_token stop);
  static task<void> ask(std::shared_ptr<group_state> self, std::shared_ptr<answers> into, std::size_t index);
  static task<server_info> ask_once(std::shared_ptr<connection_state> member);
  static task<void> look_at_all(std::shared_ptr<group_state> self);

  // deciding; those marked (lock) expect the mutex
  struct news {
    bool happened = false;
    std::shared_ptr<connection_state> retired;  // its sessions lead to a server that is not the primary any more
    std::string from, to, detail;
  };
  void learn(answers& heard);
  void choose_by_hand(const std::function<std::string(time_point)>& choice);
  void compare_positions(answers& heard) const;  // (lock)
  void take_in(const answers& heard);            // (lock)
  news decide(time_point now);                   // (lock)
  bool serves() const;                           // (lock)
  void act_on(news happened);
  void report_health(connection_state& host);

  const config::group config_;
  const std::vector<std::shared_ptr<connection_state>> members_;
  std::vector<std::pair<const connection_state*, std::size_t>> order_;  // by address
  clock& time_;
  std::weak_ptr<connection_state> host_;
  balancer balance_;                                      // over all members, or over those that are read from
  const std::shared_ptr<consistency::state> all_writes_;  // with read_your_writes; else null
  std::vector<std::atomic<duration::rep>> has_until_;     // see read_positions
  static constexpr int nobody = -1;
  std::atomic<int> primary_;
  std::atomic<bool> watching_{false};
  std::atomic<std::uint64_t> failovers_{0};
  event poke_;

  struct sighting {
    server_info said;
    std::string problem;
    time_point asked{};
  };
  mutable std::mutex mutex_;  // guards what follows
  failover_machine machine_;
  read_positions positions_;
  std::vector<sighting> seen_;
  int before_;    // the primary that was decided on last, or nobody
  int last_ = 0;  // the last primary there was
  std::chrono::system_clock::time_point changed_at_{};
  std::stop_source stop_{std::nostopstate};
};

}  // namespace polypool::detail
