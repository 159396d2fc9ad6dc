// SPDX-License-Identifier: Apache-2.0
// A channel as libmongoc sees it.
#include "drivers/mongodb/channel.hpp"
#include "drivers/mongodb/wire.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <utility>

namespace polypool::mongodb {
namespace {

constexpr int stream_type = 4711;  // told apart from libmongoc's own ones, which have small numbers

struct stream {
  mongoc_stream_t base{};  // first: libmongoc's pointer is to this
  std::unique_ptr<channel> body;
  bool timed_out = false;
  bool would_wait = false;
  // libmongoc asks for the length of a message, then for the rest of it.
  std::string message;           // what was received of one, while nothing may be waited for
  std::size_t given = 0;         // what libmongoc has of it
  std::array<char, 4> length{};  // what it has of one that it waits for
  bool inside_message = false;
};

stream& of(mongoc_stream_t* base) noexcept { return *reinterpret_cast<stream*>(base); }

void destroy(mongoc_stream_t* base) { const std::unique_ptr<stream> owned(&of(base)); }
int close(mongoc_stream_t*) { return 0; }
int flush(mongoc_stream_t*) { return 0; }
int set_option(mongoc_stream_t*, int, int, void*, mongoc_socklen_t) { return 0; }
bool check_closed(mongoc_stream_t* base) { return of(base).body->closed_by_peer(); }
bool timed_out(mongoc_stream_t* base) { return of(base).timed_out; }
bool should_retry(mongoc_stream_t* base) { return of(base).would_wait; }

// Waits until the channel can go on. False when it is time to give up.
bool await(stream& self, time_point limit) noexcept {
  auto& waits = self.body->owner().waits();
  pollfd descriptors[2] = {{self.body->descriptor(), self.body->wanted(), 0}, {}};
  const auto own_limit = self.body->gives_up();
  const int ready = waits.wait(descriptors, std::min(limit, own_limit));
  if (ready > 0 || (ready == 0 && own_limit < limit && !waits.leaving())) return true;
  self.timed_out = true;
  errno = ETIMEDOUT;
  if (ready == 0 && !waits.leaving()) {
    self.body->fail("the server said nothing for too long", network::problem_kind::silent);
  }
  return false;
}

// Connects and shakes hands, as far as that is not done. False when it failed or is not over, and may not wait.
bool make_ready(stream& self, bool may_wait, time_point limit) noexcept {
  for (;;) {
    const auto now = self.body->advance();
    if (now == channel::progress::ready) return true;
    if (now == channel::progress::failed) return false;
    if (!may_wait) {
      self.would_wait = true;
      return false;
    }
    if (!await(self, limit)) return false;
  }
}

time_point limit_of(const stream& self, bool may_wait) noexcept {
  return may_wait ? self.body->owner().silence_ends() : no_deadline;
}

ssize_t refuse_message(stream& self) noexcept {
  self.body->fail("the server sent something that is not an answer");
  errno = EPROTO;
  return -1;
}

// Gives a message only once it is whole and sound: libmongoc reads hello in pieces, as they come.
ssize_t read_what_is_there(stream& self, mongoc_iovec_t& into) {
  auto size = message_size(self.message);
  while (self.given == 0 && (size == 0 || self.message.size() < size)) {
    const auto before = self.message.size();
    self.message.resize(size == 0 ? 4 : *size);
    const auto received = self.body->receive(self.message.data() + before, self.message.size() - before);
    self.message.resize(before + static_cast<std::size_t>(std::max<std::ptrdiff_t>(received, 0)));
    if (received < 0) return -1;
    if (received == 0) {
      self.would_wait = true;
      return -1;
    }
    size = message_size(self.message);
    if (!size) return refuse_message(self);
  }
  if (self.given == 0 && !is_sound_answer(self.message, self.body->owner().compresses())) return refuse_message(self);
  const auto some = std::min(into.iov_len, self.message.size() - self.given);
  std::memcpy(into.iov_base, self.message.data() + self.given, some);
  self.given += some;
  if (self.given == self.message.size()) {
    self.message = {};
    self.given = 0;
  }
  return static_cast<ssize_t>(some);
}

// Reads until the buffer is full.
bool read_whole(stream& self, char* at, std::size_t left) noexcept {
  auto limit = self.body->owner().silence_ends();
  while (left > 0) {
    const auto received = self.body->receive(at, left);
    if (received < 0) return false;
    if (received == 0) {
      if (!await(self, limit)) return false;
      continue;
    }
    at += received;
    left -= static_cast<std::size_t>(received);
    limit = self.body->owner().silence_ends();
  }
  return true;
}

// The length of a message is kept until the rest comes, so that the whole can be looked at where libmongoc has it.
bool check_message(stream& self, const char* data, std::size_t size) {
  if (!self.inside_message) {
    if (size != self.length.size()) return false;  // not how libmongoc reads
    std::memcpy(self.length.data(), data, size);
    self.inside_message = true;
    return message_size({data, size}).has_value();
  }
  self.inside_message = false;
  return is_sound_rest({self.length.data(), self.length.size()}, {data, size}, self.body->owner().compresses());
}

// Libmongoc's own limit is none (see settings.cpp); zero means that nothing may be waited for. It always reads into one
// buffer.
ssize_t read(mongoc_stream_t* base, mongoc_iovec_t* parts, size_t count, size_t, int32_t timeout) {
  auto& self = of(base);
  const bool may_wait = timeout != 0;
  self.would_wait = false;
  if (count != 1 || !make_ready(self, may_wait, limit_of(self, may_wait))) return -1;
  try {
    if (!may_wait) return read_what_is_there(self, parts[0]);
    if (!read_whole(self, static_cast<char*>(parts[0].iov_base), parts[0].iov_len)) return -1;
    if (!check_message(self, static_cast<const char*>(parts[0].iov_base), parts[0].iov_len))
      return refuse_message(self);
    return static_cast<ssize_t>(parts[0].iov_len);
  } catch (const std::exception&) {  // out of memory
    errno = ENOMEM;
    return -1;
  }
}

// Takes what was sent off the front.
std::span<iovec> without(std::span<iovec> parts, std::size_t sent) noexcept {
  while (!parts.empty() && sent >= parts.front().iov_len) {
    sent -= parts.front().iov_len;
    parts = parts.subspan(1);
  }
  if (!parts.empty()) {
    parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + sent;
    parts.front().iov_len -= sent;
  }
  return parts;
}

ssize_t write_parts(stream& self, std::span<iovec> parts, bool may_wait) noexcept {
  ssize_t total = 0;
  auto limit = limit_of(self, may_wait);
  for (parts = without(parts, 0); !parts.empty();) {
    const auto sent = self.body->send(parts);
    if (sent < 0) return -1;
    if (sent > 0) {
      parts = without(parts, static_cast<std::size_t>(sent));
      total += sent;
      limit = limit_of(self, may_wait);
    } else if (!may_wait) {
      self.would_wait = true;
      return total > 0 ? total : -1;
    } else if (!await(self, limit)) {
      return -1;
    }
  }
  return total;
}

ssize_t write(mongoc_stream_t* base, mongoc_iovec_t* parts, size_t count, int32_t timeout) {
  auto& self = of(base);
  const bool may_wait = timeout != 0;
  self.would_wait = false;
  if (!make_ready(self, may_wait, limit_of(self, may_wait))) return -1;
  self.body->owner().mark_sent();
  constexpr std::size_t usual = 16;
  if (count <= usual) {
    std::array<iovec, usual> own;
    std::copy_n(parts, count, own.begin());
    return write_parts(self, std::span(own).first(count), may_wait);
  }
  try {
    std::vector<iovec> own(parts, parts + count);
    return write_parts(self, own, may_wait);
  } catch (const std::exception&) {  // out of memory
    errno = ENOMEM;
    return -1;
  }
}

// Looks at each stream without waiting; notes those that something can be done with, and what the others wait for.
int look(mongoc_stream_poll_t* streams, size_t count, pollfd* descriptors) noexcept {
  int ready = 0;
  for (size_t i = 0; i < count; ++i) {
    auto& body = *of(streams[i].stream).body;
    streams[i].revents = 0;
    const auto now = body.advance();
    short events = body.wanted();
    if (now == channel::progress::failed) streams[i].revents = POLLERR;
    if (now == channel::progress::ready) {
      events = static_cast<short>(streams[i].events);
      if ((events & POLLIN) != 0 && (body.has_input() || of(streams[i].stream).given != 0)) streams[i].revents = POLLIN;
    }
    descriptors[i] = {body.descriptor(), events, 0};
    if (streams[i].revents != 0) ++ready;
  }
  return ready;
}

ssize_t poll_all(mongoc_stream_poll_t* streams, size_t count, int32_t timeout) {
  auto& waits = of(streams[0].stream).body->owner().waits();
  const auto limit =
      timeout < 0 ? no_deadline : saturating_add(std::chrono::steady_clock::now(), std::chrono::milliseconds(timeout));
  std::vector<pollfd> descriptors(count + 1);
  for (;;) {
    if (const int ready = look(streams, count, descriptors.data()); ready > 0) return ready;
    auto until = limit;
    for (size_t i = 0; i < count; ++i) until = std::min(until, of(streams[i].stream).body->gives_up());
    const int woken = waits.wait(descriptors, until);
    if (woken == 0 && until < limit && !waits.leaving()) continue;
    if (woken == 0 && !waits.leaving()) return 0;
    if (woken <= 0) {
      for (size_t i = 0; i < count; ++i) streams[i].revents = POLLERR;
      return static_cast<ssize_t>(count);
    }
    ssize_t ready = 0;
    for (size_t i = 0; i < count; ++i) {
      // One that is still connecting goes on in look().
      if (of(streams[i].stream).body->advance() != channel::progress::ready) continue;
      streams[i].revents = descriptors[i].revents & (streams[i].events | POLLERR | POLLHUP);
      if (streams[i].revents != 0) ++ready;
    }
    if (ready > 0) return ready;
  }
}

}  // namespace

mongoc_stream_t* make_stream(network& owner, const mongoc_host_list_t& host) {
  auto made = std::make_unique<stream>();
  made->body = std::make_unique<channel>(owner, host);
  auto& base = made->base;
  base.type = stream_type;
  base.destroy = destroy;
  base.failed = destroy;
  base.close = close;
  base.flush = flush;
  base.writev = write;
  base.readv = read;
  base.setsockopt = set_option;
  base.check_closed = check_closed;
  base.poll = poll_all;
  base.timed_out = timed_out;
  base.should_retry = should_retry;
  return &made.release()->base;
}

}  // namespace polypool::mongodb
