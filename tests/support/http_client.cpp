// SPDX-License-Identifier: Apache-2.0
#include "support/http_client.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace polypool::test {
namespace {

constexpr int patience_ms = 10000;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  });
  return out;
}

void wait_for(int socket, short what) {
  pollfd entry{socket, what, 0};
  if (::poll(&entry, 1, patience_ms) != 1) throw std::runtime_error("the server did nothing for ten seconds");
}

http_reply parse_head(std::string_view head) {
  http_reply reply;
  reply.status = std::stoi(std::string(head.substr(head.find(' ') + 1, 3)));
  for (auto at = head.find("\r\n"); at != std::string_view::npos && at + 2 < head.size();) {
    const auto end = std::min(head.find("\r\n", at + 2), head.size());
    const auto line = head.substr(at + 2, end - at - 2);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
      const auto value = line.substr(std::min(line.find_first_not_of(' ', colon + 1), line.size()));
      reply.headers[lower(line.substr(0, colon))] = value;
    }
    at = end == head.size() ? std::string_view::npos : end;
  }
  return reply;
}

}  // namespace

http_client::http_client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    ::close(socket_);
    throw std::runtime_error("cannot connect to 127.0.0.1:" + std::to_string(port));
  }
}

http_client::~http_client() { ::close(socket_); }

bool http_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    wait_for(socket_, POLLOUT);
    const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void http_client::finish_sending() { ::shutdown(socket_, SHUT_WR); }

bool http_client::read_more() {
  wait_for(socket_, POLLIN);
  char bytes[16384];
  const auto got = ::recv(socket_, bytes, sizeof bytes, 0);
  if (got <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::optional<http_reply> http_client::receive(bool to_head) {
  std::size_t end = std::string::npos;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more()) return std::nullopt;
  }
  auto reply = parse_head(std::string_view(buffer_).substr(0, end));
  buffer_.erase(0, end + 4);
  const auto length = reply.headers.contains("content-length") ? std::stoul(reply.headers["content-length"]) : 0;
  if (to_head) return reply;
  while (buffer_.size() < length) {
    if (!read_more()) return std::nullopt;
  }
  reply.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return reply;
}

bool http_client::closed_by_server() { return buffer_.empty() && !read_more(); }

bool http_client::wait_for_text(std::string_view text) {
  while (buffer_.find(text) == std::string::npos) {
    if (!read_more()) return false;
  }
  return true;
}

std::string http_client::receive_all() {
  while (read_more()) {
  }
  return std::exchange(buffer_, {});
}

std::string http_request(std::string_view method, std::string_view path, std::string_view body,
                         std::string_view extra_headers) {
  std::string text = std::string(method) + ' ' + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n";
  if (!body.empty() || method == "POST") {
    text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  return text + std::string(extra_headers) + "\r\n" + std::string(body);
}

http_reply http_exchange(std::uint16_t port, std::string_view method, std::string_view path, std::string_view body) {
  http_client client(port);
  client.send(http_request(method, path, body));
  auto reply = client.receive(method == "HEAD");
  if (!reply) throw std::runtime_error("no reply to " + std::string(method) + ' ' + std::string(path));
  return *reply;
}

}  // namespace polypool::test
