// SPDX-License-Identifier: Apache-2.0
// The configuration of a daemon at work: where it comes from, and what of it is in force beside the manager.
#pragma once

#include "cli/commands.hpp"
#include "cli/configuration.hpp"

#include <polypool/server.hpp>
#include <polypool/telemetry.hpp>
#include <polypool/webhooks.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace polypool::cli {

// What the command line and the file say together; the command line wins. Throws command_error and
// configuration_error.
found_configuration configuration_of_daemon(const arguments& given, const std::string& environment = {});

// What log lines go through, as configured.
std::shared_ptr<log::adjustable_sink> make_sink(const config::logging_settings& settings);

// The file that the daemon was started with, in the environment that was switched to last.
class daemon_configuration final : public configuration_source {
 public:
  daemon_configuration(const arguments& given, std::shared_ptr<log::adjustable_sink> lines)
      : given_(given), lines_(std::move(lines)) {}
  config::settings read(const std::string& environment) override;
  void adopt(const std::string& environment) override;
  std::function<void()> prepare(const config::settings& next) override;
  // What reloads change from now on; null for what there is not, or not any more.
  void attach(webhook_sender* hooks, http_server* server);

 private:
  void put_in_force(webhook_sender::plan hooks, const config::server_settings& server,
                    const config::logging_settings& logging);

  const arguments given_;
  const std::shared_ptr<log::adjustable_sink> lines_;
  std::mutex mutex_;  // guards what follows
  std::string environment_;
  webhook_sender* hooks_ = nullptr;
  http_server* server_ = nullptr;
};

}  // namespace polypool::cli
