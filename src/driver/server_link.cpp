// SPDX-License-Identifier: Apache-2.0
#include "driver/server_link.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace polypool {

server_link::server_link(std::string_view product, std::string_view place) : name_(product) {
  name_.append(" at ").append(place);
}

server_link::~server_link() {
  slot_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
}

void server_link::attach(int descriptor) {
  descriptor_ = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "duplicating a session's descriptor");
}

void server_link::interrupt() noexcept {
  interrupted_.store(true);
  ::shutdown(descriptor_, SHUT_RDWR);
  // A server that waits for us to read does not see that, but a reset it does. (Unix sockets refuse this; there it
  // sees.)
  sockaddr nothing{};
  nothing.sa_family = AF_UNSPEC;
  ::connect(descriptor_, &nothing, sizeof nothing);
}

void server_link::check_usable(const environment& env) const {
  if (interrupted()) {
    throw error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
  }
  if (broken_) {
    throw error(errc::connection_lost, "the session with " + name_ + " broke earlier")
        .with_poisoned_session()
        .with_disposition(disposition::retryable);
  }
  if (env.stop.stop_requested()) {
    throw error(errc::cancelled, "the caller asked to stop before anything was sent")
        .with_disposition(disposition::retryable);
  }
  if (env.expired()) {
    throw error(errc::deadline_exceeded, "the deadline passed before anything was sent")
        .with_disposition(disposition::retryable);
  }
}

error server_link::gave_up(wait_result how) const {
  if (how == wait_result::stopped) {
    return {errc::cancelled, "the caller asked to stop while " + name_ + " was at work"};
  }
  return {errc::deadline_exceeded, name_ + " did not answer before the deadline"};
}

error server_link::lost(std::string_view words, std::string_view sqlstate) {
  broken_ = true;
  if (interrupted_.load()) {
    error closed(errc::connection_closed, "the session was closed by force");
    closed.with_poisoned_session();
    return closed;
  }
  const std::string clean = one_line(words);
  error problem(errc::connection_lost, "the session with " + name_ + " broke: " + clean);
  problem.with_sqlstate(sqlstate).with_server_message(clean).with_poisoned_session();
  return problem;
}

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == '\n' || c == '\t' || c == ' ';
    if (!space) out += c;
    if (space && !out.empty() && out.back() != ' ') out += ' ';
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

}  // namespace polypool
