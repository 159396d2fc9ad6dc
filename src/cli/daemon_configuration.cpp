// SPDX-License-Identifier: Apache-2.0
#include "cli/daemon_configuration.hpp"

#include "cli/exit_codes.hpp"

#include <charconv>
#include <utility>

namespace polypool::cli {
namespace {

// `host:port`, `[::1]:port`, `:port` or a host alone, over what the file says.
void listen_on(std::string_view where, config::server_settings& into) {
  const auto wrong = [&] {
    return command_error(usage, "--listen: '" + std::string(where) + "' is not HOST:PORT", "such as 127.0.0.1:8080");
  };
  const auto colon = where.rfind(':');
  const bool has_port = colon != where.npos && where.find(']', colon) == where.npos;
  std::string_view host = has_port ? where.substr(0, colon) : where;
  if (has_port) {
    const std::string_view port = where.substr(colon + 1);
    const auto [end, status] = std::from_chars(port.data(), port.data() + port.size(), into.port);
    if (status != std::errc{} || end != port.data() + port.size()) throw wrong();
  }
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) throw wrong();
    host = host.substr(1, host.size() - 2);
  }
  if (!host.empty()) into.host = host;
  into.enabled = true;
}

void log_as(const arguments& given, config::logging_settings& into) {
  if (!given.log_level.empty()) {
    const auto level = log::parse_level(given.log_level);
    if (!level) {
      throw command_error(usage, "'" + given.log_level + "' is no log level",
                          "use trace, debug, info, warning, error or off");
    }
    into.level = log::to_string(*level);
  }
  if (given.log_format.empty()) return;
  if (!log::parse_format(given.log_format)) {
    throw command_error(usage, "'" + given.log_format + "' is no log format", "use text or json");
  }
  into.format = given.log_format;
}

// The variable DEBUG and the file add up.
std::string debug_of(const config::logging_settings& settings) {
  return log::debug_from_environment() + "," + settings.debug;
}

// They were checked when they were read.
log::level level_of(const config::logging_settings& settings) {
  return log::parse_level(settings.level).value_or(log::level::info);
}
log::format format_of(const config::logging_settings& settings) {
  return log::parse_format(settings.format).value_or(log::format::text);
}

}  // namespace

found_configuration configuration_of_daemon(const arguments& given, const std::string& environment) {
  auto found = find_configuration(given.config, environment);
  if (!given.listen.empty()) listen_on(given.listen, found.settings.server);
  log_as(given, found.settings.logging);
  return found;
}

std::shared_ptr<log::adjustable_sink> make_sink(const config::logging_settings& settings) {
  log::sink_options options;
  options.least = level_of(settings);
  options.format = format_of(settings);
  options.debug = debug_of(settings);
  return log::make_log_sink(std::move(options));
}

config::settings daemon_configuration::read(const std::string& environment) {
  std::string wanted = environment;
  if (wanted.empty()) {
    const std::scoped_lock lock(mutex_);
    wanted = environment_;
  }
  return configuration_of_daemon(given_, wanted).settings;
}

void daemon_configuration::adopt(const std::string& environment) {
  const std::scoped_lock lock(mutex_);
  environment_ = environment;
}

std::function<void()> daemon_configuration::prepare(const config::settings& next) {
  return [this, hooks = webhook_sender::prepare(next.webhooks), server = next.server, logging = next.logging] {
    put_in_force(hooks, server, logging);
  };
}

void daemon_configuration::attach(webhook_sender* hooks, http_server* server) {
  const std::scoped_lock lock(mutex_);
  hooks_ = hooks;
  server_ = server;
}

void daemon_configuration::put_in_force(webhook_sender::plan hooks, const config::server_settings& server,
                                        const config::logging_settings& logging) {
  const std::scoped_lock lock(mutex_);
  if (hooks_) hooks_->replace(std::move(hooks));
  if (server_) server_->adjust(server);
  lines_->adjust(level_of(logging), format_of(logging), debug_of(logging));
}

}  // namespace polypool::cli
