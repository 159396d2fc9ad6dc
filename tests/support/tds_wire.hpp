// SPDX-License-Identifier: Apache-2.0
// The bytes of TDS, the protocol of SQL Server: packets, numbers, text.
#pragma once

#include "support/tds_tls.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace polypool::test {

/// What a client sends that is no TDS.
struct tds_broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The other end is gone, or the server is stopped.
struct tds_gone : std::runtime_error {
  tds_gone() : std::runtime_error("the connection is gone") {}
};

std::u16string utf16_of(std::string_view text);
std::string utf8_of(std::u16string_view text);

/// Reads what a message has, from its front. Throws tds_broken where there is too little.
class tds_reader {
 public:
  explicit tds_reader(std::string_view data) : data_(data) {}
  bool at_end() const noexcept { return at_ >= data_.size(); }
  std::size_t position() const noexcept { return at_; }
  std::string_view bytes(std::size_t size);
  template <class Number>
  Number number() {
    std::uint64_t out = unsigned_number(sizeof(Number));
    return static_cast<Number>(out);
  }
  std::uint64_t unsigned_number(std::size_t size);
  /// UTF-16 of so many units, as UTF-8.
  std::string text(std::size_t units);
  std::string short_text() { return text(number<std::uint8_t>()); }

 private:
  std::string_view data_;
  std::size_t at_ = 0;
};

/// Builds a message.
class tds_writer {
 public:
  void number(std::uint64_t value, std::size_t size);
  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void bytes(std::string_view data) { out_.append(data); }
  void text(std::string_view utf8);
  /// With the number of its units before it, in one byte or in two.
  void short_text(std::string_view utf8);
  void long_text(std::string_view utf8);
  std::string take() { return std::exchange(out_, {}); }
  std::size_t size() const noexcept { return out_.size(); }

 private:
  std::string out_;
};

enum class tds_packet : std::uint8_t { batch = 1, rpc = 3, answer = 4, attention = 6, login = 16, prelogin = 18 };

struct tds_message {
  tds_packet type;
  std::string data;
};

/// Packets over a socket. Blocks; everything throws tds_gone when the other end is gone.
class tds_channel {
 public:
  explicit tds_channel(int descriptor) noexcept : descriptor_(descriptor) {}
  ~tds_channel();
  tds_channel(const tds_channel&) = delete;
  tds_channel& operator=(const tds_channel&) = delete;

  tds_message receive();
  /// Encrypts everything from here on; the handshake goes in packets. Throws tds_broken.
  void start_tls(const tds_certificate& with);
  /// No more encryption, as where only the login is to be hidden.
  void stop_tls() noexcept { tls_.reset(); }
  /// Appends to the answer, which goes out whenever a packet is full.
  void send(std::string_view data);
  /// Sends what is left as the answer's last packet.
  void finish();
  /// Whether an attention has come; taken out when it has. Waits for it for that long.
  bool attention_within(int milliseconds);
  /// Ends both directions, from any thread.
  void shut_down() noexcept;

 private:
  std::string receive_exactly(std::size_t size);
  std::string receive_some(std::size_t most);
  std::string receive_raw(std::size_t most);
  void send_packet(tds_packet type, std::string_view body, bool last);
  void send_next(bool last);
  void send_raw(std::string_view data);
  int descriptor_;
  std::unique_ptr<tds_tls> tls_;
  std::string pending_;
  std::uint8_t sequence_ = 0;
};

}  // namespace polypool::test
