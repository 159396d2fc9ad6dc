// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"
#include "cli/daemon_configuration.hpp"
#include "cli/exit_codes.hpp"

#include <polypool/manager.hpp>
#include <polypool/server.hpp>
#include <polypool/signals.hpp>
#include <polypool/telemetry.hpp>
#include <polypool/webhooks.hpp>

#include <algorithm>
#include <iostream>
#include <malloc.h>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stop_token>
#include <unistd.h>

namespace polypool::cli {
namespace {

// For webhooks to send what closing has brought: so much of the time until everything is to have ended.
constexpr duration most_for_last_news = std::chrono::seconds(5);
constexpr duration least_for_last_news = std::chrono::seconds(1);
constexpr duration most_for_last_requests = std::chrono::seconds(2);  // which have no database any more

// What a signal asks for; lives on the stack of serve().
struct shutdown_request {
  std::stop_source stop;
  std::binary_semaphore asked{0};
  void operator()() {
    stop.request_stop();  // also ends what still connects
    asked.release();
  }
};

// What SIGHUP asks for. Whatever is wrong with the file, the daemon goes on with what it has.
class reloads {
 public:
  reloads(std::shared_ptr<configuration_source> source, std::stop_token stop, log::logger log)
      : source_(std::move(source)), stop_(std::move(stop)), log_(std::move(log)) {}
  void ask() {
    const std::scoped_lock lock(mutex_);
    if (served_) {
      make();
    } else {
      early_ = true;
      log_.info("serve", "SIGHUP came early; the configuration is read again once the daemon has started");
    }
  }
  // From now on; what was asked for while the daemon started is done now.
  void begin(manager& served) {
    const std::scoped_lock lock(mutex_);
    served_ = &served;
    if (early_) make();
  }
  // Waits for one at work, which a shutdown interrupts.
  void end() {
    const std::scoped_lock lock(mutex_);
    served_ = nullptr;
    early_ = false;
  }

 private:
  void make() {
    try {
      environment env;
      env.stop = stop_;
      const auto changes = run(async_reload(*served_, source_), env);
      log_.info("serve", "reloaded the configuration", {{"changes", std::to_string(changes.size())}});
    } catch (const std::exception& wrong) {
      log_.error("serve", "the configuration was not reloaded; nothing was changed", {{"error", wrong.what()}});
    }
  }

  const std::shared_ptr<configuration_source> source_;
  const std::stop_token stop_;
  const log::logger log_;
  std::mutex mutex_;  // guards what follows
  manager* served_ = nullptr;
  bool early_ = false;
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
  auto found = configuration_of_daemon(given);
  const auto lines = make_sink(found.settings.logging);
  const log::logger log(lines);

  shutdown_request shutdown;
  const termination_signals signals([&](int signal) {
    log.info("serve", "stopping; a second signal ends the daemon at once", {{"signal", std::to_string(signal)}});
    shutdown();
  });
  const auto source = std::make_shared<daemon_configuration>(given, lines);
  reloads reloading(source, shutdown.stop.get_token(), log);
  const hangup_signal hangup([&] { reloading.ask(); });
  const auto server_settings = found.settings.server;
  const auto count = found.settings.connections.size();
  auto targets = found.settings.webhooks;
  manager mgr(std::move(found.settings), log);
  ::malloc_trim(0);  // reading a large configuration takes memory that a daemon has no use for later
  webhook_sender hooks(mgr.events(), std::move(targets), log);  // before connecting: that is news already
  // Before connecting, which may take a while: a taken port is told at once, and probes see that the daemon lives.
  std::optional<http_server> server;
  if (server_settings.enabled) server.emplace(mgr, server_settings, log, server_limits(), source, &hooks, true);
  log.info("serve", "connecting", {{"connections", std::to_string(count)}});
  if (!connect_all(mgr, shutdown)) return success;
  source->attach(&hooks, server ? &*server : nullptr);  // before anybody can ask for a reload
  if (server) server->announce_started();
  reloading.begin(mgr);
  greet(given, found, count, server ? "http://" + server->address() : std::string(), mgr.active());
  shutdown.asked.acquire();

  const auto stopping_since = clock::system().now();
  // The server answers until the databases are drained, so that its probes can say that the daemon stops.
  if (server) server->announce_shutdown();
  reloading.end();
  mgr.close();
  const auto left = [&] { return mgr.force_timeout() - (clock::system().now() - stopping_since); };
  hooks.stop(std::clamp(left(), least_for_last_news, most_for_last_news));
  source->attach(nullptr, nullptr);
  if (server) server->stop(std::clamp(left(), duration::zero(), most_for_last_requests));
  log.info("serve", "stopped");
  return success;
}

}  // namespace polypool::cli
