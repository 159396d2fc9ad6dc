// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/dial.hpp"

#include <polypool/duration.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>

namespace polypool::redis {
namespace {

std::string words_of(int problem) { return std::generic_category().message(problem); }

struct list_deleter {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

// A dead peer shows within a minute, also while nothing is sent.
void set_options(int descriptor) {
  const auto set = [descriptor](int level, int name, int value) {
    ::setsockopt(descriptor, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
}

}  // namespace

struct dialer::socket_address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

struct dialer::resolution {
  std::string problem;
  std::vector<socket_address> addresses;
};

dialer::resolution dialer::look_up(const server_address& where) {
  resolution out;
  if (where.host.starts_with('/')) {
    socket_address local;
    auto& place = reinterpret_cast<sockaddr_un&>(local.storage);
    if (where.host.size() >= sizeof place.sun_path) {
      out.problem = "the path of its socket is too long";
      return out;
    }
    place.sun_family = AF_UNIX;
    std::memcpy(place.sun_path, where.host.c_str(), where.host.size() + 1);
    local.size = sizeof place;
    out.addresses.push_back(local);
    return out;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int problem = ::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, list_deleter> owned(problem == 0 ? found : nullptr);
  if (problem != 0) out.problem = ::gai_strerror(problem);
  for (const auto* item = owned.get(); item != nullptr; item = item->ai_next) {
    socket_address one;
    std::memcpy(&one.storage, item->ai_addr, item->ai_addrlen);
    one.size = item->ai_addrlen;
    out.addresses.push_back(one);
  }
  if (out.addresses.empty() && out.problem.empty()) out.problem = "it has no address";
  return out;
}

error dialer::refused(std::string_view why) const {
  return {errc::connect_failed, "cannot connect to Redis at " + to_.text() + ": " + std::string(why)};
}

error dialer::hung(wait_result how) const {
  if (how == wait_result::stopped) {
    return {errc::cancelled, "cannot connect to Redis at " + to_.text() + ": the caller asked to stop"};
  }
  const std::string_view hint =
      stage_.contains("TLS") ? "does the server speak TLS at this port? `redis://` and sslmode=disable are without"
                             : "check the address, the network and firewalls, and whether the server is frozen";
  if (!own_limit_) {
    error late(errc::deadline_exceeded,
               "cannot connect to Redis at " + to_.text() + ": the deadline passed, and " + std::string(stage_));
    return late.with_hint(hint);
  }
  error problem =
      refused("it hung for connect_timeout (" + format_duration_short(connect_timeout_) + "): " + std::string(stage_));
  return problem.with_hint(hint);
}

error dialer::explained(error failure) const {
  switch (failure.portable_code()) {
    case errc::deadline_exceeded:
      return hung(wait_result::timed_out);
    case errc::cancelled:
      return hung(wait_result::stopped);
    case errc::connection_lost: {
      error problem = refused(failure.cause());
      return problem.with_hint("is this a Redis server, and does it want TLS?");
    }
    default:
      return failure;
  }
}

// @return 0, or why not (errno)
task<int> dialer::try_one(const socket_address& where, socket_descriptor& socket) {
  const int family = where.storage.ss_family;
  socket = socket_descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) co_return errno;
  if (family != AF_UNIX) set_options(socket.get());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where.storage), where.size) == 0) co_return 0;
  if (errno != EINPROGRESS) co_return errno;
  socket_slot slot;
  const wait_result how = co_await socket_ready(socket.get(), slot, socket_interest::write);
  slot.reset();
  if (how != wait_result::ready) throw hung(how);
  int problem = 0;
  socklen_t size = sizeof problem;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
  co_return problem;
}

task<socket_descriptor> dialer::reach() {
  const server_address& where = to_;
  auto work = [&where] { return look_up(where); };
  resolution found = co_await offload(std::move(work));
  if (!found.problem.empty()) {
    throw refused("the name '" + to_.host + "' cannot be resolved: " + found.problem).with_hint("check `host`");
  }
  stage("the network connection is not made");
  int problem = 0;
  socket_descriptor socket;
  for (const auto& address : found.addresses) {
    task<int> trying = try_one(address, socket);
    problem = co_await std::move(trying);
    if (problem == 0) co_return std::move(socket);
  }
  error failure = refused(words_of(problem));
  if (problem == ECONNREFUSED || problem == ENOENT) failure.with_hint("is the server running, and listening there?");
  throw failure;
}

task<std::unique_ptr<tls_stream>> dialer::set_up_tls(int descriptor) {
  tls_settings how{settings_.tls, settings_.server_name.empty() ? to_.host : settings_.server_name,
                   settings_.root_certificates, settings_.certificate, settings_.key};
  auto tls = std::make_unique<tls_stream>(how);
  stage("TLS is not set up");
  socket_slot slot;
  std::string out;
  std::array<char, 4096> in;
  for (bool done = false;;) {
    done = tls->handshake();
    out.clear();
    tls->encrypt({}, out);
    for (std::string_view rest = out; !rest.empty();) {
      const auto count = ::send(descriptor, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN) throw refused(words_of(errno));
      if (count > 0) rest.remove_prefix(static_cast<std::size_t>(count));
      if (rest.empty()) break;
      const wait_result how_long = co_await socket_ready(descriptor, slot, socket_interest::write);
      if (how_long != wait_result::ready) throw hung(how_long);
    }
    if (done) break;
    const wait_result how_long = co_await socket_ready(descriptor, slot, socket_interest::read);
    if (how_long != wait_result::ready) throw hung(how_long);
    const auto count = ::recv(descriptor, in.data(), in.size(), 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) {
      throw refused(count == 0 ? "it ended the connection while TLS was set up" : words_of(errno))
          .with_hint("does the server speak TLS on this port?");
    }
    if (count > 0) tls->feed(std::string_view(in.data(), static_cast<std::size_t>(count)));
  }
  co_return std::move(tls);
}

task<std::unique_ptr<wire>> dialer::dial_with(tls_mode mode) {
  wire_parts parts;
  parts.place = to_.text();
  parts.limits = settings_.limits;
  task<socket_descriptor> reaching = reach();
  parts.socket = co_await std::move(reaching);
  if (mode != tls_mode::disable) {
    std::optional<error> failure;
    try {
      task<std::unique_ptr<tls_stream>> securing = set_up_tls(parts.socket.get());
      parts.tls = co_await std::move(securing);
    } catch (const error& problem) {
      failure = problem;
    }
    if (failure) {
      if (failure->cause().starts_with("cannot connect") || failure->portable_code() != errc::connect_failed)
        throw *failure;
      error refusal = refused("TLS: " + failure->cause());
      const bool certificate = failure->cause().contains("certificate");
      refusal.with_disposition(disposition::permanent);
      throw refusal.with_hint(certificate ? "check sslrootcert and the host's name"
                                          : "does the server speak TLS on this port?");
    }
  }
  stage("the server accepted the connection and says nothing");
  auto made = std::make_unique<wire>(std::move(parts));
  co_return std::move(made);
}

task<std::unique_ptr<wire>> dialer::dial() {
  const bool local = to_.host.starts_with('/');
  task<std::unique_ptr<wire>> dialing = dial_with(local ? tls_mode::disable : settings_.tls);
  co_return co_await std::move(dialing);
}

}  // namespace polypool::redis
