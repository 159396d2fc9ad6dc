// SPDX-License-Identifier: Apache-2.0
// What a server says of itself.
#include "drivers/mysql/session.hpp"

#include <polypool/error.hpp>

#include <array>
#include <optional>
#include <utility>

namespace polypool::mysql {

// Hostname and port are not enough: containers like to be alike.
task<void> session::learn_identity() {
  task<result> asking =
      query("SELECT CONCAT_WS('|', @@hostname, @@port, @@server_id, @@datadir), @@max_allowed_packet");
  const result answer = co_await std::move(asking);
  identity_ = answer.front().get<std::string>(0);
  max_packet_ = answer.front().get<std::size_t>(1);
}

task<void> session::settle() {
  task<void> learning = learn_identity();
  co_await std::move(learning);
  const std::string text = session_statement(how_);
  task<result> setting = query(text);
  co_await std::move(setting);
  utc_ = how_.utc();
  touched_ = other_database_ = false;
}

task<server_info> session::describe() {
  link_.check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  task<result> asking = query(
      "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'read_only', 'super_read_only', 'innodb_read_only', "
      "'transaction_read_only', 'gtid_executed', 'gtid_current_pos')");
  const result answer = co_await std::move(asking);
  server_info out;
  bool read_only = false;
  for (const row each : answer) {
    const auto value = each.get<std::string>(1);
    const auto name = each.get<std::string>(0);
    if (name == "version") {
      out.version = value;
    } else if (name.starts_with("gtid")) {
      out.position = value;  // MySQL has the one, MariaDB the other
    } else if (value == "ON" || value == "1") {
      read_only = true;
    }
  }
  task<bool> learning = replicates(out.lag);
  const bool replica = co_await std::move(learning);
  using role = server_info::role_type;
  out.role = replica ? role::replica : read_only ? role::read_only : role::primary;
  co_return out;
}

namespace {

// NULL while it is not connected to its source, or does not apply what it gets.
std::optional<duration> lag_of(const row& status) {
  for (const auto* name : {"Seconds_Behind_Source", "Seconds_Behind_Master"}) {
    try {
      if (const auto seconds = status.get<std::optional<std::int64_t>>(name)) return std::chrono::seconds(*seconds);
      return std::nullopt;
    } catch (const error& e) {
      if (e.portable_code() != errc::column_not_found) throw;
    }
  }
  return std::nullopt;
}

}  // namespace

// Each server knows one of these, and not every user may ask; the last one everybody may, but it tells only of a
// replication that runs.
task<bool> session::replicates(std::optional<duration>& lag) {
  static constexpr std::array<std::string_view, 3> questions{"SHOW REPLICA STATUS", "SHOW SLAVE STATUS",
                                                             "SHOW GLOBAL STATUS LIKE 'Slaves_running'"};
  for (const auto question : questions) {
    std::optional<error> problem;
    try {
      task<result> asking = query(question);
      const result answer = co_await std::move(asking);
      if (question != questions.back()) {
        if (!answer.empty()) lag = lag_of(answer.front());
        co_return !answer.empty();
      }
      co_return !answer.empty() && answer.front().get<std::string>(1) != "0";
    } catch (const error& e) {
      problem.emplace(e);
    }
    const auto code = problem->portable_code();
    if (code != errc::syntax_error && code != errc::permission_denied) throw error(*problem);
  }
  co_return false;
}

}  // namespace polypool::mysql
