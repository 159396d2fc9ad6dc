// SPDX-License-Identifier: Apache-2.0
// Connector/C's objects as resources, and its calls that wait.
#pragma once

#include <polypool/environment.hpp>

#include <cstdint>
#include <errmsg.h>
#include <memory>
#include <mysql.h>
#include <openssl/err.h>
#include <type_traits>

namespace polypool::mysql {

struct native_deleter {
  void operator()(MYSQL* connection) const noexcept { mysql_close(connection); }
  void operator()(MYSQL_RES* rows) const noexcept { mysql_free_result(rows); }
  /// Only after its connection was closed or reset: before, it talks to the server and may block.
  void operator()(MYSQL_STMT* prepared) const noexcept { mysql_stmt_close(prepared); }
};
using connection_ptr = std::unique_ptr<MYSQL, native_deleter>;
using rows_ptr = std::unique_ptr<MYSQL_RES, native_deleter>;
using prepared_ptr = std::unique_ptr<MYSQL_STMT, native_deleter>;

/// One call of the library that may have to wait: `mysql_NAME_start` begins it, `mysql_NAME_cont` goes on with it when
/// the socket is ready. The library keeps it on a stack of its own, so what it was given has to stay until its end.
class library_call {
 public:
  library_call() = default;
  library_call(const library_call&) = delete;

  /// For connections with TLS. OpenSSL keeps its errors by thread, and takes an old one of another connection for one
  /// of this; the library does not clear them.
  void expect_tls() noexcept { tls_ = true; }

  /// Begins a call: `start<mysql_ping_start, mysql_ping_cont>(connection)`.
  template <auto Start, auto Continue, class Subject, class... Arguments>
  void start(Subject* subject, Arguments... arguments) {
    using outcome = typename shape<decltype(Continue)>::outcome;
    subject_ = subject;
    proceed_ = [](library_call& self, int ready) {
      outcome out{};
      const int wanted = Continue(&out, static_cast<Subject*>(self.subject_), ready);
      self.note(wanted, out);
    };
    outcome out{};
    forget_old_errors();
    const int wanted = Start(&out, subject, arguments...);
    note(wanted, out);
  }

  /// The same for a call that gives nothing back.
  template <int (*Start)(MYSQL_RES*), int (*Continue)(MYSQL_RES*, int)>
  void start(MYSQL_RES* subject) {
    subject_ = subject;
    proceed_ = [](library_call& self, int ready) {
      self.note(Continue(static_cast<MYSQL_RES*>(self.subject_), ready), 0);
    };
    forget_old_errors();
    note(Start(subject), 0);
  }

  /// A call that was made the plain way, since it had nothing to wait for.
  void done_at_once(int outcome) noexcept { note(0, outcome); }

  /// True when it waits for the socket.
  bool waiting() const noexcept { return wanted_ != 0; }
  bool writing() const noexcept { return (wanted_ & MYSQL_WAIT_WRITE) != 0; }
  socket_interest interest() const noexcept {
    const auto wanted = wanted_ & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
    return wanted == MYSQL_WAIT_WRITE  ? socket_interest::write
           : wanted == MYSQL_WAIT_READ ? socket_interest::read
                                       : socket_interest::read_or_write;
  }
  /// Goes on as if the socket were ready; where it is not, the call goes on waiting.
  void proceed() {
    forget_old_errors();
    proceed_(*this, wanted_ & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE));
  }
  /// Goes on as if the time were over: the call fails, once its socket is shut down.
  void give_up() {
    forget_old_errors();
    proceed_(*this, MYSQL_WAIT_TIMEOUT);
  }

  /// What the finished call returned.
  template <class T = int>
  T outcome() const noexcept {
    if constexpr (std::is_pointer_v<T>) {
      return reinterpret_cast<T>(outcome_);
    } else {
      return static_cast<T>(outcome_);
    }
  }

 private:
  template <class Function>
  struct shape;
  template <class Outcome, class Subject>
  struct shape<int (*)(Outcome*, Subject*, int)> {
    using outcome = Outcome;
  };
  template <class Outcome>
  void note(int wanted, Outcome out) noexcept {
    wanted_ = wanted;
    if (wanted != 0) return;
    if constexpr (std::is_pointer_v<Outcome>) {
      outcome_ = reinterpret_cast<std::intptr_t>(out);
    } else {
      outcome_ = out;
    }
  }

  void forget_old_errors() const noexcept {
    if (tls_) ::ERR_clear_error();
  }

  void (*proceed_)(library_call&, int) = nullptr;
  void* subject_ = nullptr;
  int wanted_ = 0;
  std::intptr_t outcome_ = 0;
  bool tls_ = false;
};

/// Ends a call that nobody waits for any more: shuts its socket down, so that it fails and gives back what it holds.
void finish_abandoned(library_call& call, MYSQL* connection) noexcept;

/// The next packet is in the library's memory as a whole, so that a call that reads one packet waits for nothing.
bool packet_is_here(const MYSQL* connection) noexcept;

}  // namespace polypool::mysql
