// SPDX-License-Identifier: Apache-2.0
#include "support/tds_server.hpp"

#include "support/tds_session.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace polypool::test {

struct tds_server::connection {
  explicit connection(int descriptor) : channel(descriptor) {}
  tds_channel channel;
  std::atomic<bool> over = false;
  std::jthread thread;
};

tds_server::tds_server() {
  acceptor_ = std::jthread([this] { accept_all(); });
}

tds_server::~tds_server() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  end_all();
}

polypool::endpoint tds_server::endpoint() const {
  polypool::endpoint out;
  out.host = "127.0.0.1";
  out.port = port();
  out.user = user;
  out.password = secret(password);
  out.database = "test";
  return out;
}

void tds_server::accept_all() {
  for (;;) {
    const int descriptor = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const std::scoped_lock lock(mutex_);
    std::erase_if(connections_, [](const auto& each) { return each->over.load(); });
    if (refusing_) {
      ::close(descriptor);
      continue;
    }
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto& fresh = *connections_.emplace_back(std::make_unique<connection>(descriptor));
    fresh.thread = std::jthread([this, &fresh] {
      try {
        tds_session(*this, fresh.channel).serve();
      } catch (const std::exception&) {
        // The client is gone, or talks nonsense: either way it is over.
      }
      fresh.channel.shut_down();
      fresh.over = true;
    });
  }
}

void tds_server::end_all() {
  std::list<std::unique_ptr<connection>> ended;
  {
    const std::scoped_lock lock(mutex_);
    for (auto& each : connections_) each->channel.shut_down();
    ended.swap(connections_);
  }
  ended.clear();  // joins their threads, without the lock
}

void tds_server::stop() {
  {
    const std::scoped_lock lock(mutex_);
    refusing_ = true;
  }
  end_all();
}

void tds_server::start() {
  const std::scoped_lock lock(mutex_);
  refusing_ = false;
}

}  // namespace polypool::test
