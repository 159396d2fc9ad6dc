// SPDX-License-Identifier: Apache-2.0
#include "drivers/mysql/connect.hpp"

#include "drivers/mysql/errors.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

namespace polypool::mysql {
namespace {

constexpr std::string_view silent = "the server accepted the connection and says nothing";

// The library makes its TLS handshake in one go and asks this function whenever that has to wait. It tells neither
// whose handshake it is nor takes anything for us along; hence a variable of the thread that is inside of the call.
struct blocking_wait {
  const environment* env = nullptr;
  wait_result ended = wait_result::ready;
};
thread_local blocking_wait* current_wait = nullptr;

task<wait_result> wait_once(int descriptor, socket_interest interest) {
  socket_slot slot;
  co_return co_await socket_ready(descriptor, slot, interest);
}

int wait_in_library(my_socket descriptor, my_bool is_read, int timeout) {
  blocking_wait* const mine = current_wait;
  if (mine == nullptr) {  // the native handle's blocking calls
    pollfd one{descriptor, static_cast<short>(is_read ? POLLIN : POLLOUT), 0};
    return ::poll(&one, 1, timeout > 0 ? timeout : -1);
  }
  try {
    mine->ended = run(wait_once(descriptor, is_read ? socket_interest::read : socket_interest::write), *mine->env);
  } catch (...) {
    return -1;
  }
  return mine->ended == wait_result::ready ? 1 : 0;
}

class wait_scope {
 public:
  explicit wait_scope(blocking_wait& wait) noexcept : before_(std::exchange(current_wait, &wait)) {}
  ~wait_scope() { current_wait = before_; }
  wait_scope(const wait_scope&) = delete;

 private:
  blocking_wait* before_;
};

// The library reads with MSG_DONTWAIT, but OpenSSL does not; and the library makes the socket block once it is
// connected. Then a short timeout brings it to the function above.
void make_patient(int descriptor, bool connected) {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  const timeval limit{0, connected ? 0 : 1000};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

enum class greeting { incomplete, offers_tls, no_tls, something_else };

// What the server says first, without taking it from the library: version 10, the server's version and a NUL, 4 bytes
// of a number, 8 and 1 of a challenge, and 2 of what it can do.
greeting peek_greeting(int descriptor) {
  std::array<unsigned char, 512> seen;
  const auto count = ::recv(descriptor, seen.data(), seen.size(), MSG_PEEK | MSG_DONTWAIT);
  if (count <= 0) return count < 0 && errno == EAGAIN ? greeting::incomplete : greeting::something_else;
  const auto end = seen.begin() + count;
  if (count > 4 && seen[4] != 10) return greeting::something_else;
  const auto nul = count > 5 ? std::find(seen.begin() + 5, end, 0) : end;
  constexpr std::ptrdiff_t to_capabilities = 1 + 4 + 8 + 1;
  if (end - nul < to_capabilities + 2) {
    pollfd one{descriptor, POLLRDHUP, 0};
    return ::poll(&one, 1, 0) > 0 ? greeting::something_else : greeting::incomplete;  // no more of it will come
  }
  return (nul[to_capabilities + 1] & (CLIENT_SSL >> 8)) != 0 ? greeting::offers_tls : greeting::no_tls;
}

bool is_connected(int descriptor) {
  sockaddr_storage peer;
  socklen_t size = sizeof peer;
  return ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

bool is_numeric(const std::string& host) {
  in6_addr ignored;
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

}  // namespace

connector::connector(const settings& how, const endpoint& where, bool own_limit)
    : how_(how), where_(where), place_(place_of(where)), own_limit_(own_limit) {}

connector::~connector() { discard(); }

void connector::discard() noexcept {
  if (!connection_) return;
  finish_abandoned(call_, connection_.get());
  connection_.reset();
}

// A name is looked up, a handshake made in the library's own time.
bool connector::may_block() const noexcept { return with_tls_ || (how_.unix_socket.empty() && !is_numeric(how_.host)); }

// One step of the library's, on a worker thread when it may block one that must not.
template <class Work>
task<void> connector::step(Work work) {
  const environment& env = co_await this_environment();
  blocking_wait wait{&env, wait_result::ready};
  const auto doing = [&] {
    const wait_scope scope(wait);
    work();
  };
  if (may_block()) {
    co_await offload(doing);
  } else {
    doing();
  }
  if (wait.ended != wait_result::ready) {
    stage_ = "TLS is not set up";
    throw hung(wait.ended);
  }
}

error connector::hung(wait_result how) const {
  const std::string at = "cannot connect to MySQL at " + place_ + ": ";
  if (how == wait_result::stopped) return error(errc::cancelled, at + "the caller asked to stop");
  const std::string stage(stage_);
  if (!own_limit_) return error(errc::deadline_exceeded, at + "the deadline passed, and " + stage);
  error problem(errc::connect_failed,
                at + "it hung for connect_timeout (" + format_duration_short(where_.connect_timeout) + "): " + stage);
  problem.with_hint("check the address, the network and firewalls, and whether the server is frozen");
  return problem;
}

// The descriptor may change with every address, so none is kept registered.
task<void> connector::ready(int descriptor, socket_interest interest) {
  const auto how = co_await socket_ready(descriptor, slot_, interest);
  slot_.reset();
  if (how != wait_result::ready) throw hung(how);
}

// The library logs in without TLS, whatever it was told, where a server (or somebody in between) offers none. So the
// greeting is looked at before the library gets it.
task<void> connector::require_tls_offer(int descriptor) {
  stage_ = silent;
  for (auto seen = greeting::incomplete; seen == greeting::incomplete;) {
    task<void> waiting = ready(descriptor, socket_interest::read);
    co_await std::move(waiting);
    seen = peek_greeting(descriptor);
    if (seen == greeting::no_tls) throw no_tls_error(place_);
    if (seen != greeting::incomplete) break;
    const auto how = co_await sleep_for(std::chrono::milliseconds(1));  // what came already stays readable
    if (how != wait_result::ready) throw hung(how);
  }
}

task<void> connector::attempt(bool with_tls) {
  with_tls_ = with_tls;
  connection_.reset(mysql_init(nullptr));
  if (!connection_) throw std::bad_alloc();
  MYSQL* const raw = connection_.get();
  apply(how_, with_tls, raw);
  if (with_tls) call_.expect_tls();
  mysql_optionsv(raw, MARIADB_OPT_IO_WAIT, reinterpret_cast<void*>(&wait_in_library));
  stage_ = how_.unix_socket.empty() ? "the name is not resolved" : "the network connection is not made";
  const unsigned long flags = CLIENT_MULTI_RESULTS | (how_.found_rows ? CLIENT_FOUND_ROWS : 0UL);
  const auto start = [&] {
    call_.start<mysql_real_connect_start, mysql_real_connect_cont>(
        raw, how_.unix_socket.empty() ? how_.host.c_str() : static_cast<const char*>(nullptr), where_.user.c_str(),
        where_.password.reveal().c_str(), where_.database.empty() ? nullptr : where_.database.c_str(),
        static_cast<unsigned int>(how_.port), how_.unix_socket.empty() ? nullptr : how_.unix_socket.c_str(), flags);
  };
  task<void> first = step(start);
  co_await std::move(first);
  while (call_.waiting()) {
    const int descriptor = mysql_get_socket(raw);
    make_patient(descriptor, false);
    stage_ = call_.writing() ? "the network connection is not made" : silent;
    task<void> waiting = ready(descriptor, call_.interest());
    co_await std::move(waiting);
    if (call_.writing() && with_tls && is_connected(descriptor)) {
      task<void> looking = require_tls_offer(descriptor);
      co_await std::move(looking);
    }
    const auto next_step = [&] { call_.proceed(); };
    task<void> next = step(next_step);
    co_await std::move(next);
  }
  if (call_.outcome<MYSQL*>() == nullptr)
    throw connect_error(raw, place_, where_, with_tls, with_tls && verifies(how_));
  if (with_tls && mysql_get_ssl_cipher(raw) == nullptr) throw no_tls_error(place_);
}

// libpq's meaning of the modes: prefer tries without TLS where the server has none, allow with it where the server (or
// this user) wants it.
bool connector::another_way(bool with_tls, const error& why) const {
  if (how_.tls == tls_mode::prefer) return with_tls && why.native_code() == CR_SSL_CONNECTION_ERROR;
  const bool refused = is_access_denied(why.native_code()) || is_tls_required(why.native_code());
  return how_.tls == tls_mode::allow && !with_tls && refused;
}

error connector::login_failed(const error& why) {
  stage_ = "the session's settings are not made";
  const auto code = why.portable_code();
  if (code == errc::deadline_exceeded) return hung(wait_result::timed_out);
  if (code == errc::cancelled && why.native_code() == 0) return hung(wait_result::stopped);
  error problem(errc::connect_failed,
                "cannot connect to MySQL at " + place_ + ": " + redact(why.cause(), where_.password));
  problem.with_sqlstate(why.sqlstate()).with_server_message(why.server_message()).with_native_code(why.native_code());
  problem.with_hint(why.hint());
  problem.with_disposition(code == errc::connection_lost ? disposition::retryable_elsewhere : disposition::permanent);
  return problem;
}

task<connection_ptr> connector::run() {
  const environment& env = co_await this_environment();
  if (env.expired() || env.stop.stop_requested()) {
    stage_ = "nothing was begun";
    throw hung(env.expired() ? wait_result::timed_out : wait_result::stopped);
  }
  const bool tls_first = how_.tls >= tls_mode::prefer;
  std::optional<error> failure;
  try {
    task<void> first = attempt(tls_first);
    co_await std::move(first);
  } catch (const error& problem) {
    if (!another_way(tls_first, problem)) throw;
    failure.emplace(problem);
  }
  if (failure) {
    discard();
    try {
      task<void> second = attempt(!tls_first);
      co_await std::move(second);
      failure.reset();
    } catch (const error&) {
      if (how_.tls != tls_mode::allow) throw;  // else the first refusal says more
    }
    if (failure) throw error(*failure);
  }
  make_patient(mysql_get_socket(connection_.get()), true);
  co_return std::move(connection_);
}

}  // namespace polypool::mysql
