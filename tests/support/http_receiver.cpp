// SPDX-License-Identifier: Apache-2.0
#include "support/http_receiver.hpp"

#include <algorithm>
#include <cctype>
#include <poll.h>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace polypool::test {
namespace {

bool readable(int socket, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd entry{socket, POLLIN, 0};
    if (::poll(&entry, 1, 20) == 1) return true;
  }
  return false;
}

received_request parse(const std::string& head) {
  received_request out;
  std::size_t at = head.find("\r\n");
  out.line = head.substr(0, at);
  while (at != std::string::npos && at + 2 < head.size()) {
    const auto end = std::min(head.find("\r\n", at + 2), head.size());
    const auto line = head.substr(at + 2, end - at - 2);
    if (const auto colon = line.find(':'); colon != std::string::npos) {
      std::string name = line.substr(0, colon);
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      out.headers[name] = line.substr(std::min(line.find_first_not_of(' ', colon + 1), line.size()));
    }
    at = end == head.size() ? std::string::npos : end;
  }
  return out;
}

}  // namespace

http_receiver::http_receiver() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

http_receiver::~http_receiver() {
  thread_.request_stop();
  thread_.join();
  for (const int each : silent_) ::close(each);
}

void http_receiver::answer_with(std::vector<int> statuses) {
  const std::scoped_lock lock(mutex_);
  statuses_.assign(statuses.begin(), statuses.end());
}

void http_receiver::decorate(std::string before, std::string headers) {
  const std::scoped_lock lock(mutex_);
  before_ = std::move(before);
  headers_ = std::move(headers);
}

std::vector<received_request> http_receiver::received() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

std::size_t http_receiver::count() const { return received().size(); }

void http_receiver::run(const std::stop_token& stop) {
  while (readable(listener_.get(), stop)) {
    const int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) serve(client, stop);
  }
}

void http_receiver::serve(int client, const std::stop_token& stop) {
  std::string text;
  std::size_t end = std::string::npos;
  std::size_t whole = 0;
  received_request request;
  while (end == std::string::npos || text.size() < whole) {
    char bytes[4096];
    const auto got = readable(client, stop) ? ::recv(client, bytes, sizeof bytes, 0) : 0;
    if (got <= 0) break;
    text.append(bytes, static_cast<std::size_t>(got));
    if (end != std::string::npos) continue;
    end = text.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    request = parse(text.substr(0, end));
    whole = end + 4 + std::stoul("0" + request.headers["content-length"]);
  }
  if (end != std::string::npos) request.body = text.substr(end + 4);
  int status = 200;
  std::string before, headers;
  {
    const std::scoped_lock lock(mutex_);
    before = before_;
    headers = headers_;
    requests_.push_back(std::move(request));
    if (!statuses_.empty()) {
      status = statuses_.front();
      statuses_.pop_front();
    }
    if (status < 0) silent_.push_back(client);
  }
  if (status < 0) return;
  if (status > 0) {
    const auto answer =
        before + "HTTP/1.1 " + std::to_string(status) + " As told\r\n" + headers + "Content-Length: 0\r\n\r\n";
    static_cast<void>(!::send(client, answer.data(), answer.size(), MSG_NOSIGNAL));
  }
  ::close(client);
}

}  // namespace polypool::test
