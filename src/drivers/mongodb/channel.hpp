// SPDX-License-Identifier: Apache-2.0
// One connection to one server, and how libmongoc gets at it: as a mongoc_stream_t whose waits are ours.
#pragma once

#include "drivers/mongodb/native.hpp"
#include "drivers/mongodb/network.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <netdb.h>
#include <span>
#include <string>
#include <sys/uio.h>
#include <vector>

namespace polypool::mongodb {

/// A socket that connects, makes its TLS handshake, and then moves bytes. Never blocks.
class channel {
 public:
  enum class progress : std::uint8_t { ready, waits, failed };

  /// Looks the name up (which does block). Throws connect_failed.
  channel(network& owner, const mongoc_host_list_t& host);
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  ~channel();

  network& owner() const noexcept { return owner_; }
  int descriptor() const noexcept { return descriptor_; }
  /// The events to wait for before trying again.
  short wanted() const noexcept { return wanted_; }
  /// Connects as far as it goes without waiting.
  progress advance() noexcept;
  /// When advance() has to be called again though nothing has come.
  time_point gives_up() const noexcept { return gives_up_; }
  /// Bytes that poll(2) knows nothing of.
  bool has_input() const noexcept;
  /// Moves some bytes. @return how many; 0 when it would have to wait; negative when the connection is over
  std::ptrdiff_t receive(void* into, std::size_t size) noexcept;
  std::ptrdiff_t send(std::span<const iovec> parts) noexcept;
  /// Whether the server has closed it, as far as can be seen without waiting.
  bool closed_by_peer() noexcept;
  /// The connection is over, and why.
  void fail(std::string_view why, network::problem_kind kind = network::problem_kind::broken) noexcept;

 private:
  struct address {
    sockaddr_storage where{};
    socklen_t size = 0;
    int family = 0;
  };
  enum class state_type : std::uint8_t { connecting, handshaking, open, over };

  void look_up(const mongoc_host_list_t& host);
  void start_next() noexcept;
  void next_address(int problem) noexcept;
  void connected() noexcept;
  void shake_hands() noexcept;
  void close_socket() noexcept;
  std::ptrdiff_t receive_raw(void* into, std::size_t size) noexcept;
  std::ptrdiff_t send_encrypted(std::span<const iovec> parts) noexcept;
  std::ptrdiff_t tls_outcome(int outcome) noexcept;

  network& owner_;
  std::string host_;
  std::string name_;  // host:port
  std::vector<address> addresses_;
  std::size_t tried_ = 0;
  int descriptor_ = -1;
  short wanted_ = 0;
  state_type state_ = state_type::connecting;
  time_point gives_up_ = no_deadline;
  tls_connection tls_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::array<char, 16384> buffer_;  // spares a call for the length of each message; left as it is, on purpose
};

/// Makes a channel and wraps it for libmongoc. The result owns it.
mongoc_stream_t* make_stream(network& owner, const mongoc_host_list_t& host);

}  // namespace polypool::mongodb
