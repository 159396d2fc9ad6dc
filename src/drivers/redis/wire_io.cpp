// SPDX-License-Identifier: Apache-2.0
// A wire's socket. Only whoever has the duty to write or to read comes here, and none of these waits.
#include "drivers/redis/ticket.hpp"
#include "drivers/redis/wire.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>

namespace polypool::redis {
namespace {

constexpr std::size_t first_buffer = std::size_t{16} << 10;
constexpr std::size_t largest_buffer = std::size_t{64} << 10;

std::string words_of(int problem) { return std::generic_category().message(problem); }

}  // namespace

socket_descriptor::~socket_descriptor() {
  if (value_ >= 0) ::close(value_);
}

wire::wire(wire_parts parts)
    : socket_(std::move(parts.socket)),
      tls_(std::move(parts.tls)),
      place_(std::move(parts.place)),
      parser_(parts.limits) {}

wire::~wire() {
  // Event loops let go of a descriptor before it is closed.
  reader_slot_.reset();
  writer_slot_.reset();
}

error wire::broke(std::string_view why) const {
  if (interrupted_.load()) {
    return error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
  }
  return error(errc::connection_lost, "the session with Redis at " + place_ + " broke: " + std::string(why))
      .with_poisoned_session();
}

// Sends the batch, or as much of it as the socket takes.
wire::outcome wire::write_some() noexcept {
  try {
    if (sealing_) {
      sending_.clear();
      sent_ = 0;
      tls_->encrypt(plain_, sending_);
      sealing_ = false;
    }
  } catch (const error& problem) {
    fail(problem);
    return outcome::failed;
  }
  while (sent_ < sending_.size()) {
    const auto count =
        ::send(descriptor(), sending_.data() + sent_, sending_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return outcome::would_block;
    } else if (errno != EINTR) {
      // What the kernel has taken may have been executed; the rest has not.
      const std::uint64_t unsent_from = tls_ ? (sent_ == 0 ? batch_begin_ : taken_) : batch_begin_ + sent_;
      fail(broke(words_of(errno)), unsent_from);
      return outcome::failed;
    }
  }
  return outcome::done;
}

// Reads what is there, up to a buffer full, and parses it.
wire::outcome wire::read_some(int flags) noexcept {
  try {
    if (buffer_.empty()) buffer_.resize(first_buffer);
    return tls_ ? read_encrypted(flags) : read_plain(flags);
  } catch (const error& problem) {
    reading_failed_ = problem;
  } catch (const std::exception& problem) {
    reading_failed_ = broke(problem.what());
  }
  return outcome::failed;
}

// A long string goes to its place at once, what follows it into the buffer.
wire::outcome wire::read_plain(int flags) {
  const std::span<char> place = parser_.place();
  std::array<iovec, 2> parts{iovec{place.data(), place.size()}, iovec{buffer_.data(), buffer_.size()}};
  msghdr both{};
  both.msg_iov = parts.data();
  both.msg_iovlen = parts.size();
  ssize_t count = 0;
  do {
    count = place.empty() ? ::recv(descriptor(), buffer_.data(), buffer_.size(), flags)
                          : ::recvmsg(descriptor(), &both, flags);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return outcome::would_block;
  if (count <= 0) {
    reading_failed_ = broke(count == 0 ? "the server closed the connection" : words_of(errno));
    return outcome::failed;
  }
  const auto all = static_cast<std::size_t>(count);
  const auto in_place = std::min(all, place.size());
  if (in_place > 0) parser_.placed(in_place);
  more_likely_ = all == place.size() + buffer_.size();
  const bool whole = parse(std::string_view(buffer_.data(), all - in_place));
  if (more_likely_ && buffer_.size() < largest_buffer) buffer_.resize(largest_buffer);
  return whole ? outcome::done : outcome::failed;
}

wire::outcome wire::read_encrypted(int flags) {
  if (plain_buffer_.empty()) plain_buffer_.resize(largest_buffer);
  ssize_t count = 0;
  do {
    count = ::recv(descriptor(), buffer_.data(), buffer_.size(), flags);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return outcome::would_block;
  if (count <= 0) {
    reading_failed_ = broke(count == 0 ? "the server closed the connection" : words_of(errno));
    return outcome::failed;
  }
  more_likely_ = static_cast<std::size_t>(count) == buffer_.size();
  tls_->feed(std::string_view(buffer_.data(), static_cast<std::size_t>(count)));
  for (;;) {
    const std::span<char> place = parser_.place();
    const std::size_t read = tls_->read(place.empty() ? std::span<char>(plain_buffer_) : place);
    if (read == 0) break;
    if (!place.empty()) {
      parser_.placed(read);
    } else if (!parse(std::string_view(plain_buffer_.data(), read))) {
      return outcome::failed;
    }
  }
  if (tls_->has_output()) {
    const std::scoped_lock lock(mutex_);
    tls_output_ = true;
  }
  return outcome::done;
}

// @return false when it is not RESP
bool wire::parse(std::string_view input) {
  while (!input.empty()) {
    switch (parser_.feed(input)) {
      case resp_parser::outcome::more:
        break;
      case resp_parser::outcome::complete:
        arrived_.push_back(parser_.take());
        break;
      case resp_parser::outcome::malformed:
        reading_failed_ = broke("what it sent is not RESP: " + parser_.problem());
        return false;
      case resp_parser::outcome::too_large:
        reading_failed_ = broke("its reply is over a limit: " + parser_.problem());
        reading_failed_->with_hint("see max_reply_bytes and max_reply_depth").with_disposition(disposition::permanent);
        return false;
    }
  }
  return true;
}

// A server that was stopped or restarted has closed an idle session long since. Seen before anything is sent, that
// leaves nobody in doubt.
void wire::look_for_goodbye() noexcept {
  char first = 0;
  const auto count = ::recv(descriptor(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count > 0 || (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))) return;
  fail(broke(count == 0 ? "the server closed the connection while it was idle" : words_of(errno)));
}

int wire::writer_descriptor() noexcept {
  if (writer_socket_.get() < 0) writer_socket_ = socket_descriptor(::fcntl(descriptor(), F_DUPFD_CLOEXEC, 0));
  return writer_socket_.get() >= 0 ? writer_socket_.get() : descriptor();
}

}  // namespace polypool::redis
