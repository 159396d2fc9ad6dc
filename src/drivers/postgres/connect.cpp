// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/connect.hpp"

#include "drivers/postgres/errors.hpp"

#include <polypool/duration.hpp>

#include <arpa/inet.h>
#include <memory>
#include <netdb.h>
#include <new>
#include <sys/socket.h>

namespace polypool::postgres {
namespace {

struct address_deleter {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

struct resolution {
  int problem = 0;
  std::string addresses;  // numeric, separated by commas
};

resolution look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  resolution out;
  out.problem = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, address_deleter> owned(out.problem == 0 ? found : nullptr);
  for (const auto* item = owned.get(); item != nullptr; item = item->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(item->ai_addr, item->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (!out.addresses.empty()) out.addresses += ',';
    out.addresses += text;
  }
  return out;
}

bool is_numeric(const std::string& host) {
  in6_addr ignored;
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

std::string_view stage_of(const PGconn* connection) {
  if (connection == nullptr) return "the name is not resolved";
  switch (PQstatus(connection)) {
    case CONNECTION_STARTED:
      return "the network connection is not made";
    case CONNECTION_SSL_STARTUP:
      return "TLS is not set up";
    default:
      return "the server accepted the connection and says nothing";
  }
}

}  // namespace

// libpq would look the name up itself, and block. Lists of hosts are left to it.
task<std::string> connector::resolve() {
  const std::string host = where_.host.empty() ? "localhost" : where_.host;
  if (host.starts_with('/') || host.contains(',') || is_numeric(host)) co_return std::string();
  auto work = [&host] { return look_up(host); };
  resolution found = co_await offload(std::move(work));
  if (found.problem != 0 || found.addresses.empty()) {
    const char* why = found.problem != 0 ? ::gai_strerror(found.problem) : "it has no address";
    error problem(errc::connect_failed,
                  "cannot connect to PostgreSQL at " + place_ + ": the name '" + host + "' cannot be resolved: " + why);
    problem.with_hint("check `host`");
    throw problem;
  }
  co_return std::move(found.addresses);
}

void connector::start(connect_settings settings) {
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : settings) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  if (!where_.password.empty()) {
    keys.push_back("password");
    values.push_back(where_.password.reveal().c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(keys.data(), values.data(), 0));
  if (!connection_) throw std::bad_alloc();
  PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);  // the only way to learn a failure's SQLSTATE
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
}

error connector::hung(wait_result how, PGconn* connection) const {
  const std::string at = "cannot connect to PostgreSQL at " + place_ + ": ";
  if (how == wait_result::stopped) return error(errc::cancelled, at + "the caller asked to stop");
  const std::string stage(stage_of(connection));
  if (!own_limit_) return error(errc::deadline_exceeded, at + "the deadline passed, and " + stage);
  error problem(errc::connect_failed,
                at + "it hung for connect_timeout (" + format_duration_short(where_.connect_timeout) + "): " + stage);
  problem.with_hint("check the address, the network and firewalls, and whether the server is frozen");
  return problem;
}

// The descriptor may change with every step (several addresses, TLS and then not), so none is kept registered.
task<void> connector::complete(PGconn* connection) {
  auto wanted = socket_interest::write;
  for (;;) {
    const auto how = co_await socket_ready(PQsocket(connection), slot_, wanted);
    slot_.reset();
    if (how != wait_result::ready) throw hung(how, connection);
    const auto step = PQconnectPoll(connection);
    if (step == PGRES_POLLING_OK) co_return;
    if (step == PGRES_POLLING_FAILED) break;
    wanted = step == PGRES_POLLING_READING ? socket_interest::read : socket_interest::write;
  }
  throw connect_error(PQerrorMessage(connection), place_, where_.password, PQconnectionNeedsPassword(connection) != 0);
}

task<connection_ptr> connector::run() {
  auto settings = settings_for(where_);
  std::string addresses = co_await resolve();
  const environment& env = co_await this_environment();
  if (env.expired() || env.stop.stop_requested()) {
    throw hung(env.expired() ? wait_result::timed_out : wait_result::stopped, nullptr);
  }
  if (!addresses.empty()) {
    // One name per address: libpq tries them in turn, and TLS verifies the name.
    std::string names;
    for (auto& [key, value] : settings) {
      if (key != "host") continue;
      for (const char c : addresses) names += c == ',' ? value + ',' : std::string();
      value = names + value;
    }
    settings.emplace_back("hostaddr", std::move(addresses));
  }
  start(std::move(settings));
  PGconn* connection = connection_.get();
  if (PQstatus(connection) == CONNECTION_BAD) {
    throw connect_error(PQerrorMessage(connection), place_, where_.password, false);
  }
  co_await complete(connection);
  co_return std::move(connection_);
}

}  // namespace polypool::postgres
