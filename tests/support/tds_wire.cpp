// SPDX-License-Identifier: Apache-2.0
#include "support/tds_wire.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace polypool::test {
namespace {

constexpr std::size_t header_size = 8;
constexpr std::size_t packet_size = 4096;

}  // namespace

std::u16string utf16_of(std::string_view text) {
  std::u16string out;
  while (!text.empty()) {
    const auto next = first_character(text);
    text.remove_prefix(next.length);
    if (next.point < 0x10000) {
      out.push_back(static_cast<char16_t>(next.point));
    } else {
      out.push_back(static_cast<char16_t>(0xD800 + ((next.point - 0x10000) >> 10)));
      out.push_back(static_cast<char16_t>(0xDC00 + ((next.point - 0x10000) & 0x3FF)));
    }
  }
  return out;
}

std::string utf8_of(std::u16string_view text) {
  std::string out;
  const auto put = [&](char32_t point, int shift, unsigned mark) {
    out.push_back(static_cast<char>(mark | ((point >> shift) & 0x3F)));
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    char32_t point = text[i];
    if ((point & 0xFC00) == 0xD800 && i + 1 < text.size()) {
      point = 0x10000 + ((point & 0x3FF) << 10) + (text[++i] & 0x3FFU);
    }
    if (point < 0x80) {
      out.push_back(static_cast<char>(point));
    } else if (point < 0x800) {
      put(point, 6, 0xC0);
      put(point, 0, 0x80);
    } else if (point < 0x10000) {
      out.push_back(static_cast<char>(0xE0 | (point >> 12)));
      put(point, 6, 0x80);
      put(point, 0, 0x80);
    } else {
      out.push_back(static_cast<char>(0xF0 | (point >> 18)));
      put(point, 12, 0x80);
      put(point, 6, 0x80);
      put(point, 0, 0x80);
    }
  }
  return out;
}

std::string_view tds_reader::bytes(std::size_t size) {
  if (size > data_.size() - at_) throw tds_broken("the message is too short");
  const auto out = data_.substr(at_, size);
  at_ += size;
  return out;
}

std::uint64_t tds_reader::unsigned_number(std::size_t size) {
  const auto data = bytes(size);
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < size; ++i) out |= std::uint64_t{static_cast<std::uint8_t>(data[i])} << (8 * i);
  return out;
}

std::string tds_reader::text(std::size_t units) {
  const auto data = bytes(2 * units);
  std::u16string wide(units, u'\0');
  for (std::size_t i = 0; i < units; ++i) {
    wide[i] =
        static_cast<char16_t>(static_cast<std::uint8_t>(data[2 * i]) | static_cast<std::uint8_t>(data[2 * i + 1]) << 8);
  }
  return utf8_of(wide);
}

void tds_writer::number(std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) byte(static_cast<std::uint8_t>(value >> (8 * i)));
}

void tds_writer::text(std::string_view utf8) {
  for (const char16_t unit : utf16_of(utf8)) number(unit, 2);
}
void tds_writer::short_text(std::string_view utf8) {
  byte(static_cast<std::uint8_t>(utf16_of(utf8).size()));
  text(utf8);
}
void tds_writer::long_text(std::string_view utf8) {
  number(utf16_of(utf8).size(), 2);
  text(utf8);
}

tds_channel::~tds_channel() { ::close(descriptor_); }

void tds_channel::shut_down() noexcept { ::shutdown(descriptor_, SHUT_RDWR); }

std::string tds_channel::receive_raw(std::size_t most) {
  std::string out(most, '\0');
  for (;;) {
    const auto count = ::recv(descriptor_, out.data(), most, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw tds_gone();
    out.resize(static_cast<std::size_t>(count));
    return out;
  }
}

std::string tds_channel::receive_some(std::size_t most) {
  if (!tls_) return receive_raw(most);
  for (;;) {
    if (auto plain = tls_->read(most)) return std::move(*plain);
    tls_->feed(receive_raw(packet_size));
  }
}

std::string tds_channel::receive_exactly(std::size_t size) {
  std::string out;
  while (out.size() < size) out += receive_some(size - out.size());
  return out;
}

void tds_channel::start_tls(const tds_certificate& with) {
  auto fresh = std::make_unique<tds_tls>(with);
  for (bool done = false; !done;) {
    const auto message = receive();
    if (message.type != tds_packet::prelogin) throw tds_broken("no handshake");
    fresh->feed(message.data);
    done = fresh->handshake();
    if (const auto out = fresh->drain(); !out.empty()) send_packet(tds_packet::prelogin, out, true);
  }
  sequence_ = 0;
  tls_ = std::move(fresh);
}

tds_message tds_channel::receive() {
  tds_message out{tds_packet::batch, {}};
  for (bool last = false; !last;) {
    const std::string header = receive_exactly(header_size);
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(header[i]); };
    const std::size_t size = std::size_t{at(2)} << 8 | at(3);
    if (size < header_size) throw tds_broken("a packet is shorter than its header");
    out.type = static_cast<tds_packet>(at(0));
    out.data += receive_exactly(size - header_size);
    last = (at(1) & 1) != 0;
  }
  return out;
}

void tds_channel::send(std::string_view data) {
  pending_ += data;
  while (pending_.size() > packet_size - header_size) send_next(false);
}

void tds_channel::finish() {
  send_next(true);
  sequence_ = 0;
}

void tds_channel::send_next(bool last) {
  const std::size_t size = std::min(pending_.size(), packet_size - header_size);
  send_packet(tds_packet::answer, std::string_view(pending_).substr(0, size), last);
  pending_.erase(0, size);
}

void tds_channel::send_packet(tds_packet type, std::string_view body, bool last) {
  const std::size_t size = body.size() + header_size;
  std::string packet;
  packet.push_back(static_cast<char>(type));
  packet.push_back(static_cast<char>(last ? 1 : 0));
  packet.push_back(static_cast<char>(size >> 8));
  packet.push_back(static_cast<char>(size));
  packet.append(2, '\0');
  packet.push_back(static_cast<char>(++sequence_));
  packet.push_back('\0');
  packet.append(body);
  if (!tls_) return send_raw(packet);
  tls_->write(packet);
  send_raw(tls_->drain());
}

void tds_channel::send_raw(std::string_view data) {
  while (!data.empty()) {
    const auto count = ::send(descriptor_, data.data(), data.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw tds_gone();
    data.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool tds_channel::attention_within(int milliseconds) {
  pollfd waited{descriptor_, POLLIN, 0};
  if (::poll(&waited, 1, milliseconds) <= 0) return false;
  char type = 0;
  if (tls_) {
    auto first = tls_->read(1, true);
    if (!first) {
      tls_->feed(receive_raw(packet_size));
      first = tls_->read(1, true);
    }
    if (!first) return false;
    type = first->front();
  } else if (::recv(descriptor_, &type, 1, MSG_PEEK) <= 0) {
    throw tds_gone();
  }
  if (static_cast<tds_packet>(type) != tds_packet::attention) return false;
  receive();
  return true;
}

}  // namespace polypool::test
