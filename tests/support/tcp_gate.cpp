// SPDX-License-Identifier: Apache-2.0
#include "support/tcp_gate.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <future>
#include <limits>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace polypool::test {
namespace {

using time_point = std::chrono::steady_clock::time_point;
constexpr auto never = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t high_water = 256 * 1024;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

int connect_to(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return -1;
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = fd >= 0 && ::connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  ::freeaddrinfo(found);
  if (!connected) {
    if (fd >= 0) ::close(fd);
    return -1;
  }
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

void set_no_delay(int fd) {
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

}  // namespace

struct tcp_gate::faults {
  enum class entry { serve, refuse, blackhole };
  entry at_entry = entry::serve;
  bool stalled = false;
  std::chrono::milliseconds delay{0};
  std::uint64_t cut_after = never;
  std::uint64_t truncate_after = never;
  std::uint64_t corrupt_at = never;
  ending how = ending::fin;
};

// One direction of a connection.
struct tcp_gate::channel {
  struct chunk {
    std::string data;
    time_point due;
  };
  int from = -1;
  int to = -1;
  std::deque<chunk> queue;
  std::size_t queued = 0;
  std::uint64_t seen = 0;
  bool ended = false;     // the sender has closed
  bool finished = false;  // and the receiver knows

  bool wants_read() const { return !ended && queued < high_water; }
  bool wants_write(time_point now) const { return !queue.empty() && queue.front().due <= now; }
};

struct tcp_gate::connection {
  int client = -1;
  int server = -1;  // -1: a black hole
  channel up, down;
  faults rules;  // as they were when it was accepted
  bool over = false;
};

tcp_gate::tcp_gate(std::string host, std::uint16_t port, const std::string& at, std::uint16_t at_port)
    : host_(std::move(host)), server_port_(port), port_(at_port), at_(at), faults_(std::make_unique<faults>()) {
  take_port();
  if (::listen(listener_, 512) != 0) fail("gate: listen");
  if (::pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) fail("gate: pipe");
  thread_ = std::thread([this] { run(); });
}

// A socket on our port that does not listen yet.
void tcp_gate::take_port() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  ::inet_pton(AF_INET, at_.c_str(), &address.sin_addr);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const int one = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0) fail("gate: bind");
  if (::getsockname(listener_, generic, &size) != 0) fail("gate: getsockname");
  port_ = ntohs(address.sin_port);
}

tcp_gate::~tcp_gate() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  (void)!::write(wake_[1], "x", 1);
  thread_.join();
  for (auto& c : connections_) close(*c, ending::fin);
  ::close(listener_);
  ::close(wake_[0]);
  ::close(wake_[1]);
}

void tcp_gate::apply(std::function<void()> change) {
  std::promise<void> done;
  {
    const std::scoped_lock lock(mutex_);
    changes_.emplace_back([&] {
      change();
      done.set_value();
    });
  }
  (void)!::write(wake_[1], "x", 1);
  done.get_future().wait();
}

void tcp_gate::redirect(std::string host, std::uint16_t port) {
  apply([this, host, port] {
    host_ = host;
    server_port_ = port;
  });
}

void tcp_gate::pass() {
  apply([this] {
    *faults_ = {};
    if (!std::exchange(listening_, true)) ::listen(listener_, 512);
    for (auto& c : connections_) c->rules = {};
  });
}
void tcp_gate::refuse() {
  apply([this] { faults_->at_entry = faults::entry::refuse; });
}
void tcp_gate::close_port() {
  apply([this] {
    if (!std::exchange(listening_, false)) return;
    ::close(listener_);
    take_port();
  });
}
void tcp_gate::blackhole() {
  apply([this] { faults_->at_entry = faults::entry::blackhole; });
}
void tcp_gate::stall() {
  apply([this] { faults_->stalled = true; });
}
void tcp_gate::cut(ending how) {
  apply([this, how] {
    for (auto& c : connections_) close(*c, how);
  });
}
void tcp_gate::cut_after(std::uint64_t bytes_from_server, ending how) {
  apply([this, bytes_from_server, how] {
    faults_->cut_after = bytes_from_server;
    faults_->how = how;
  });
}
void tcp_gate::truncate_after(std::uint64_t bytes_from_server) {
  apply([this, bytes_from_server] { faults_->truncate_after = bytes_from_server; });
}
void tcp_gate::delay(std::chrono::milliseconds per_chunk) {
  apply([this, per_chunk] { faults_->delay = per_chunk; });
}
void tcp_gate::corrupt_at(std::uint64_t offset_from_server) {
  apply([this, offset_from_server] { faults_->corrupt_at = offset_from_server; });
}

void tcp_gate::accept_one() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  ++accepted_;
  auto fresh = std::make_unique<connection>();
  fresh->client = client;
  fresh->rules = *faults_;
  ++open_;
  if (faults_->at_entry == faults::entry::refuse) return close(*fresh, ending::rst);
  if (faults_->at_entry == faults::entry::serve) {
    fresh->server = connect_to(host_, server_port_);
    if (fresh->server < 0) return close(*fresh, ending::rst);
    set_no_delay(client);
    set_no_delay(fresh->server);
    fresh->up.from = fresh->down.to = client;
    fresh->up.to = fresh->down.from = fresh->server;
  }
  connections_.push_back(std::move(fresh));
}

void tcp_gate::close(connection& c, ending how) {
  if (c.over) return;
  c.over = true;
  --open_;
  for (const int fd : {c.client, c.server}) {
    if (fd < 0) continue;
    const linger abort{1, 0};
    if (how == ending::rst) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    ::close(fd);
  }
}

void tcp_gate::forward(connection& c) {
  const auto now = std::chrono::steady_clock::now();
  for (channel* way : {&c.up, &c.down}) {
    const bool down = way == &c.down;
    if (way->wants_read()) {
      char buffer[65536];
      const auto count = ::recv(way->from, buffer, sizeof buffer, 0);
      if (count == 0) way->ended = true;
      if (count < 0 && errno != EAGAIN && errno != EINTR) return close(c, ending::rst);
      if (count > 0) {
        std::string data(buffer, static_cast<std::size_t>(count));
        const auto start = way->seen;
        way->seen += data.size();
        if (down) {
          if (c.rules.corrupt_at >= start && c.rules.corrupt_at < way->seen) {
            auto& victim = data[c.rules.corrupt_at - start];
            victim = static_cast<char>(~victim);
          }
          const auto limit = std::min(c.rules.cut_after, c.rules.truncate_after);
          if (way->seen > limit) data.resize(limit > start ? limit - start : 0);
        }
        if (!data.empty()) {
          way->queued += data.size();
          way->queue.push_back({std::move(data), now + faults_->delay});
        }
      }
    }
    while (way->wants_write(now)) {
      auto& data = way->queue.front().data;
      // Counted before it is sent: whoever has received something finds it counted.
      if (down) from_server_ += data.size();
      const auto count = ::send(way->to, data.data(), data.size(), MSG_NOSIGNAL);
      const int why = errno;
      if (down) from_server_ -= data.size() - static_cast<std::size_t>(std::max<ssize_t>(count, 0));
      if (count < 0 && (why == EAGAIN || why == EINTR)) break;
      if (count < 0) return close(c, ending::rst);
      way->queued -= static_cast<std::size_t>(count);
      data.erase(0, static_cast<std::size_t>(count));
      if (data.empty()) way->queue.pop_front();
    }
    if (way->ended && way->queue.empty() && !way->finished) {
      way->finished = true;
      ::shutdown(way->to, SHUT_WR);
    }
  }
  if (c.down.seen >= c.rules.cut_after && c.down.queue.empty()) return close(c, c.rules.how);
  if (c.up.finished && c.down.finished) close(c, ending::fin);
}

void tcp_gate::run() {
  for (;;) {
    {
      const std::scoped_lock lock(mutex_);
      for (auto& change : changes_) change();
      changes_.clear();
      if (stopping_) return;
    }
    std::erase_if(connections_, [](const auto& c) { return c->over; });
    std::vector<pollfd> waits{{listening_ ? listener_ : -1, POLLIN, 0}, {wake_[0], POLLIN, 0}};
    const auto now = std::chrono::steady_clock::now();
    int timeout = -1;
    for (const auto& c : connections_) {
      if (c->server < 0 || faults_->stalled) continue;
      for (const channel* way : {&c->up, &c->down}) {
        if (way->wants_read()) waits.push_back({way->from, POLLIN, 0});
        if (way->wants_write(now)) {
          waits.push_back({way->to, POLLOUT, 0});
        } else if (!way->queue.empty()) {
          const auto left = std::chrono::ceil<std::chrono::milliseconds>(way->queue.front().due - now).count();
          if (timeout < 0 || left < timeout) timeout = static_cast<int>(std::max<long>(left, 0));
        }
      }
    }
    ::poll(waits.data(), waits.size(), timeout);
    char drained[64];
    while (::read(wake_[0], drained, sizeof drained) > 0) continue;
    if (waits[0].revents != 0) accept_one();
    if (faults_->stalled) continue;
    for (auto& c : connections_) {
      if (!c->over && c->server >= 0) forward(*c);
    }
  }
}

}  // namespace polypool::test
