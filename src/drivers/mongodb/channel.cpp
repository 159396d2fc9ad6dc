// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/channel.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace polypool::mongodb {
namespace {

struct address_deleter {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

std::string words_of(int problem) { return std::generic_category().message(problem); }

}  // namespace

channel::channel(network& owner, const mongoc_host_list_t& host)
    : owner_(owner), host_(host.host), name_(host.host_and_port) {
  look_up(host);
  start_next();
}

channel::~channel() { close_socket(); }

void channel::close_socket() noexcept {
  tls_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void channel::look_up(const mongoc_host_list_t& host) {
  if (host.family == AF_UNIX) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    const auto size = std::min(host_.size(), sizeof path.sun_path - 1);
    std::memcpy(path.sun_path, host_.data(), size);
    address& made = addresses_.emplace_back();
    made.family = AF_UNIX;
    made.size = sizeof path;
    std::memcpy(&made.where, &path, sizeof path);
    return;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int problem = ::getaddrinfo(host_.c_str(), std::to_string(host.port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, address_deleter> owned(problem == 0 ? found : nullptr);
  for (const auto* each = owned.get(); each; each = each->ai_next) {
    address& made = addresses_.emplace_back();
    made.family = each->ai_family;
    made.size = each->ai_addrlen;
    std::memcpy(&made.where, each->ai_addr, each->ai_addrlen);
  }
  if (!addresses_.empty()) return;
  const std::string why =
      "the name cannot be resolved: " + std::string(problem != 0 ? ::gai_strerror(problem) : "it has no address");
  owner_.note(name_, network::problem_kind::unknown_name, why);
  throw error(errc::connect_failed, why);
}

void channel::fail(std::string_view why, network::problem_kind kind) noexcept {
  if (state_ == state_type::over) return;
  state_ = state_type::over;
  gives_up_ = no_deadline;
  wanted_ = 0;
  try {
    owner_.note(name_, kind, why);
  } catch (...) {  // out of memory: there will be fewer words
  }
}

void channel::start_next() noexcept {
  const auto& next = addresses_[tried_++];
  state_ = state_type::connecting;
  wanted_ = POLLOUT;
  descriptor_ = ::socket(next.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor_ < 0) return next_address(errno);
  if (next.family != AF_UNIX) {
    const int yes = 1;
    const int idle = 30;
    const int interval = 10;
    const int count = 3;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  }
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&next.where), next.size) == 0) return connected();
  if (errno != EINPROGRESS) next_address(errno);
}

void channel::next_address(int problem) noexcept {
  close_socket();
  if (tried_ < addresses_.size()) return start_next();
  const bool closed_at_once = problem == ECONNRESET || problem == EPIPE;
  fail(words_of(problem), closed_at_once ? network::problem_kind::broken : network::problem_kind::unreachable);
}

void channel::connected() noexcept {
  const auto* tls = owner_.tls();
  if (!tls) {
    state_ = state_type::open;
    return;
  }
  try {
    tls_ = tls->start(descriptor_, host_);
    state_ = state_type::handshaking;
    gives_up_ = saturating_add(std::chrono::steady_clock::now(), owner_.handshake_limit());
    shake_hands();
  } catch (...) {
    fail("out of memory");
  }
}

void channel::shake_hands() noexcept {
  errno = 0;
  const int outcome = SSL_do_handshake(tls_.get());
  if (outcome == 1) {
    state_ = state_type::open;
    gives_up_ = no_deadline;
    return;
  }
  const int problem = SSL_get_error(tls_.get(), outcome);
  const bool waits = problem == SSL_ERROR_WANT_READ || problem == SSL_ERROR_WANT_WRITE;
  if (waits && std::chrono::steady_clock::now() >= gives_up_) {
    fail("the TLS handshake got no answer", network::problem_kind::tls);
  } else if (problem == SSL_ERROR_WANT_READ) {
    wanted_ = POLLIN;
  } else if (problem == SSL_ERROR_WANT_WRITE) {
    wanted_ = POLLOUT;
  } else {
    const bool cut = problem == SSL_ERROR_SYSCALL;
    const auto why = !cut ? tls_problem(tls_.get()) : errno != 0 ? words_of(errno) : "the server closed the connection";
    fail("the TLS handshake failed: " + why, network::problem_kind::tls);
  }
}

channel::progress channel::advance() noexcept {
  if (state_ == state_type::connecting) {
    pollfd now{descriptor_, POLLOUT, 0};
    if (::poll(&now, 1, 0) <= 0) return progress::waits;
    int problem = 0;
    socklen_t size = sizeof problem;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) {
      next_address(problem);
    } else {
      connected();
    }
  } else if (state_ == state_type::handshaking) {
    shake_hands();
  }
  switch (state_) {
    case state_type::open:
      return progress::ready;
    case state_type::over:
      return progress::failed;
    default:
      return progress::waits;
  }
}

bool channel::has_input() const noexcept { return begin_ != end_ || (tls_ && SSL_pending(tls_.get()) > 0); }

// What an operation of OpenSSL gave, in our terms.
std::ptrdiff_t channel::tls_outcome(int outcome) noexcept {
  if (outcome > 0) return outcome;
  switch (SSL_get_error(tls_.get(), outcome)) {
    case SSL_ERROR_WANT_READ:
      wanted_ = POLLIN;
      return 0;
    case SSL_ERROR_WANT_WRITE:
      wanted_ = POLLOUT;
      return 0;
    case SSL_ERROR_ZERO_RETURN:
      fail("the server closed the connection");
      return -1;
    case SSL_ERROR_SYSCALL:
      fail(errno != 0 ? words_of(errno) : "the server closed the connection");
      return -1;
    default:
      fail("TLS: " + tls_problem(tls_.get()));
      return -1;
  }
}

std::ptrdiff_t channel::receive_raw(void* into, std::size_t size) noexcept {
  wanted_ = POLLIN;
  errno = 0;
  if (tls_) {
    ERR_clear_error();
    return tls_outcome(SSL_read(tls_.get(), into, static_cast<int>(std::min<std::size_t>(size, 1 << 30))));
  }
  const auto received = ::recv(descriptor_, into, size, 0);
  if (received > 0) return received;
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  fail(received == 0 ? "the server closed the connection" : words_of(errno));
  return -1;
}

std::ptrdiff_t channel::receive(void* into, std::size_t size) noexcept {
  if (begin_ != end_) {
    const auto some = std::min(size, end_ - begin_);
    std::memcpy(into, buffer_.data() + begin_, some);
    begin_ += some;
    return static_cast<std::ptrdiff_t>(some);
  }
  if (state_ != state_type::open) return -1;
  if (size >= buffer_.size()) return receive_raw(into, size);
  const auto received = receive_raw(buffer_.data(), buffer_.size());
  if (received <= 0) return received;
  begin_ = std::min(size, static_cast<std::size_t>(received));
  end_ = static_cast<std::size_t>(received);
  std::memcpy(into, buffer_.data(), begin_);
  return static_cast<std::ptrdiff_t>(begin_);
}

// A message comes in many small parts, which have to go out together: each alone would be a packet, and a system call.
std::ptrdiff_t channel::send(std::span<const iovec> parts) noexcept {
  constexpr std::size_t most_parts = 64;
  if (state_ != state_type::open) return -1;
  wanted_ = POLLOUT;
  errno = 0;
  if (tls_) return send_encrypted(parts);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = std::min(parts.size(), most_parts);
  const auto sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
  if (sent >= 0) return sent;
  if (errno == EAGAIN || errno == EINTR) return 0;
  fail(words_of(errno));
  return -1;
}

std::ptrdiff_t channel::send_encrypted(std::span<const iovec> parts) noexcept {
  constexpr std::size_t record = 16384;
  ERR_clear_error();
  if (parts.front().iov_len >= record) {
    return tls_outcome(SSL_write(tls_.get(), parts.front().iov_base,
                                 static_cast<int>(std::min<std::size_t>(parts.front().iov_len, 1 << 30))));
  }
  std::array<char, record> together;
  std::size_t size = 0;
  for (const auto& each : parts) {
    const auto some = std::min(each.iov_len, together.size() - size);
    std::memcpy(together.data() + size, each.iov_base, some);
    size += some;
    if (size == together.size()) break;
  }
  return tls_outcome(SSL_write(tls_.get(), together.data(), static_cast<int>(size)));
}

bool channel::closed_by_peer() noexcept {
  if (state_ == state_type::over) return true;
  if (state_ != state_type::open || begin_ != end_) return false;
  char byte = 0;
  const auto seen = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return seen == 0 || (seen < 0 && errno != EAGAIN && errno != EINTR);
}

}  // namespace polypool::mongodb
