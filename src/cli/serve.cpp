// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"
#include "cli/configuration.hpp"
#include "cli/exit_codes.hpp"

#include <polypool/manager.hpp>
#include <polypool/server.hpp>
#include <polypool/signals.hpp>
#include <polypool/telemetry.hpp>
#include <polypool/webhooks.hpp>

#include <charconv>
#include <iostream>
#include <malloc.h>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <unistd.h>

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

log::logger make_logger(const arguments& given, const config::logging_settings& settings) {
  const std::string& level = given.log_level.empty() ? settings.level : given.log_level;
  const std::string& format = given.log_format.empty() ? settings.format : given.log_format;
  log::sink_options options;
  const auto least = log::parse_level(level);
  if (!least) {
    throw command_error(usage, "'" + level + "' is no log level", "use trace, debug, info, warning, error or off");
  }
  const auto form = log::parse_format(format);
  if (!form) throw command_error(usage, "'" + format + "' is no log format", "use text or json");
  options.least = *least;
  options.format = *form;
  options.debug = log::debug_from_environment();
  return log::logger(log::make_log_sink(std::move(options)));
}

// The file that the daemon was started with, in the environment that was switched to last.
class same_configuration final : public configuration_source {
 public:
  explicit same_configuration(const arguments& given) : file_(given.config), listen_(given.listen) {}
  config::settings read(const std::string& environment) override {
    auto found = find_configuration(file_, environment.empty() ? in_force() : environment);
    if (!listen_.empty()) listen_on(listen_, found.settings.server);
    return std::move(found.settings);
  }
  void adopt(const std::string& environment) override {
    const std::scoped_lock lock(mutex_);
    environment_ = environment;
  }

 private:
  std::string in_force() const {
    const std::scoped_lock lock(mutex_);
    return environment_;
  }
  const std::string file_;
  const std::string listen_;
  mutable std::mutex mutex_;
  std::string environment_;
};

// What SIGHUP asks for. Whatever is wrong with the file, the daemon goes on with what it has.
void reload(manager& mgr, configuration_source& source, const log::logger& log) {
  try {
    const auto changes = mgr.apply(source.read({}));
    log.info("serve", "reloaded the configuration", {{"changes", std::to_string(changes.size())}});
  } catch (const std::exception& wrong) {
    log.error("serve", "the configuration was not reloaded; nothing was changed", {{"error", wrong.what()}});
  }
}

constexpr auto last_news_limit = std::chrono::seconds(5);  // for webhooks to send what closing has brought

// What a signal asks for; lives on the stack of serve().
struct shutdown_request {
  std::stop_source stop;
  std::binary_semaphore asked{0};
  void operator()() {
    stop.request_stop();  // also ends what still connects
    asked.release();
  }
};

// @return false when a signal came while it connected
bool connect_all(manager& mgr, const shutdown_request& shutdown) {
  environment env;
  env.stop = shutdown.stop.get_token();
  try {
    run(mgr.async_connect(), env);  // logs which connections failed
    return true;
  } catch (const error&) {
    if (shutdown.stop.stop_requested()) return false;
    throw;
  }
}

void greet(const arguments& given, const found_configuration& found, std::size_t count, const std::string& url,
           const std::string& active) {
  const auto out = terminal::of(STDOUT_FILENO);
  std::cout << out.paint("polypool " + std::string(build_version()), style::bold) << " serves " << count
            << (count == 1 ? " connection" : " connections") << " from " << found.origin << "\n\n";
  if (!url.empty()) {
    std::cout << "  " << url << "/health    how the databases are\n"
              << "  " << url << "/metrics   for Prometheus\n\n"
              << "Try in another terminal:\n"
              << "  " << given.program << " list --url " << url << '\n'
              << "  " << given.program << " health --url " << url << '\n';
  } else {
    std::cout << "The HTTP server is switched off in the configuration.\n\nTry in another terminal:\n";
  }
  if (!active.empty()) {
    std::cout << "  " << given.program << " query " << active << " 'SELECT 42 AS answer'"
              << (found.file.empty() ? "" : " --config " + found.file.string()) << '\n';
  }
  std::cout << "\nCtrl-C stops.\n" << std::flush;
}

}  // namespace

int serve(const arguments& given) {
  auto found = find_configuration(given.config);
  if (!given.listen.empty()) listen_on(given.listen, found.settings.server);
  const auto log = make_logger(given, found.settings.logging);

  shutdown_request shutdown;
  const termination_signals signals([&](int signal) {
    log.info("serve", "stopping; a second signal ends the daemon at once", {{"signal", std::to_string(signal)}});
    shutdown();
  });
  const auto source = std::make_shared<same_configuration>(given);
  manager* served = nullptr;
  std::mutex serving;  // guards `served`
  const hangup_signal hangup([&] {
    const std::scoped_lock lock(serving);
    if (served) {
      reload(*served, *source, log);
    } else {
      log.warning("serve", "SIGHUP was ignored: the daemon is starting or stopping");
    }
  });
  const auto server_settings = found.settings.server;
  const auto count = found.settings.connections.size();
  auto webhooks = std::move(found.settings.webhooks);
  manager mgr(std::move(found.settings), log);
  ::malloc_trim(0);                     // reading a large configuration takes memory that a daemon has no use for later
  std::optional<webhook_sender> hooks;  // before connecting: that is news already
  if (!webhooks.empty()) hooks.emplace(mgr.events(), std::move(webhooks), log);
  // Before connecting, which may take a while: a taken port is told at once, and probes see that the daemon lives.
  std::optional<http_server> server;
  if (server_settings.enabled) server.emplace(mgr, server_settings, log, server_limits(), source, true);
  log.info("serve", "connecting", {{"connections", std::to_string(count)}});
  if (!connect_all(mgr, shutdown)) return success;
  if (server) server->announce_started();
  const auto serve_reloads = [&](manager* whom) {
    const std::scoped_lock lock(serving);
    served = whom;
  };
  serve_reloads(&mgr);
  greet(given, found, count, server ? "http://" + server->address() : std::string(), mgr.active());
  shutdown.asked.acquire();

  serve_reloads(nullptr);
  // The server answers until the databases are drained, so that its probes can say that the daemon stops.
  if (server) server->announce_shutdown();
  mgr.close();
  if (hooks) hooks->stop(last_news_limit);
  server.reset();
  log.info("serve", "stopped");
  return success;
}

}  // namespace polypool::cli
