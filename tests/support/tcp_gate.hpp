// SPDX-License-Identifier: Apache-2.0
// A TCP proxy in front of a server that misbehaves on demand.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace polypool::test {

/// Listens on a free port of 127.0.0.1 and forwards to host:port from a thread of its own. The faults can be switched
/// at any time from any thread; each call returns once it is in force.
class tcp_gate {
 public:
  /// @param at an address of this machine to listen at @param at_port 0: a free one. Throws std::system_error.
  tcp_gate(std::string host, std::uint16_t port, const std::string& at = "127.0.0.1", std::uint16_t at_port = 0);
  ~tcp_gate();
  tcp_gate(const tcp_gate&) = delete;

  std::uint16_t port() const noexcept { return port_; }

  /// Forwards everything, and ends all faults (what is stalled flows again).
  void pass();
  /// New connections go to another server.
  void redirect(std::string host, std::uint16_t port);
  /// New connections are closed as soon as they are accepted.
  void refuse();
  /// Nobody listens any more: the kernel refuses new connections. The port stays ours until pass().
  void close_port();
  /// New connections are accepted, and then nothing: not read, not answered.
  void blackhole();
  /// Nothing is forwarded any more, in either direction; new connections neither.
  void stall();
  /// Ends all connections now. New ones are served.
  enum class ending { fin, rst };
  void cut(ending how);
  /// Every new connection ends after so many bytes from the server; all before them arrive.
  void cut_after(std::uint64_t bytes_from_server, ending how = ending::fin);
  /// After so many bytes from the server on a new connection, the rest is swallowed; the connection stays open.
  void truncate_after(std::uint64_t bytes_from_server);
  /// Each chunk waits that long before it is forwarded.
  void delay(std::chrono::milliseconds per_chunk);
  /// The byte at this offset of what the server sends on a new connection is inverted.
  void corrupt_at(std::uint64_t offset_from_server);

  /// Connections accepted so far.
  int accepted() const noexcept { return accepted_; }
  /// Connections open now.
  int open() const noexcept { return open_; }
  /// Bytes forwarded from the server so far, over all connections.
  std::uint64_t bytes_from_server() const noexcept { return from_server_; }

 private:
  struct faults;
  struct connection;
  struct channel;
  void apply(std::function<void()> change);
  void take_port();
  void run();
  void accept_one();
  void forward(connection& c);
  void close(connection& c, ending how);

  std::string host_;
  std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  std::string at_;
  int listener_ = -1;
  bool listening_ = true;
  int wake_[2] = {-1, -1};
  std::atomic<int> accepted_ = 0;
  std::atomic<int> open_ = 0;
  std::atomic<std::uint64_t> from_server_ = 0;

  std::mutex mutex_;  // guards changes_ and stopping_; everything else is the thread's own
  std::vector<std::function<void()>> changes_;
  bool stopping_ = false;
  std::unique_ptr<faults> faults_;
  std::vector<std::unique_ptr<connection>> connections_;
  std::thread thread_;
};

}  // namespace polypool::test
