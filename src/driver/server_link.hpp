// SPDX-License-Identifier: Apache-2.0
// The socket between a session and its server, seen from beside the library that talks over it.
#pragma once

#include "driver/patient_socket.hpp"

#include <polypool/environment.hpp>
#include <polypool/error.hpp>
#include <polypool/waits.hpp>

#include <atomic>
#include <string>
#include <string_view>

namespace polypool {

/// Waits for the socket, breaks it off, and knows how to say so. One caller at a time; interrupt() may come from
/// another thread.
class server_link {
 public:
  /// @param product such as "PostgreSQL" @param place such as "127.0.0.1:5432"
  server_link(std::string_view product, std::string_view place);
  server_link(const server_link&) = delete;
  ~server_link();

  /// Takes a duplicate of the library's descriptor: a library closes its own whenever it likes, and this one is what
  /// the event loop knows and what interrupt() shuts down. Throws std::system_error.
  void attach(int descriptor);
  int descriptor() const noexcept { return descriptor_; }
  /// "PostgreSQL at 127.0.0.1:5432".
  const std::string& name() const noexcept { return name_; }

  [[nodiscard]] socket_ready ready(socket_interest interest) noexcept { return {descriptor_, slot_, interest}; }

  /// Whether the library's next read may wait inside of recv(2); makes the socket so.
  bool let_reads_wait(const environment& env) noexcept {
    return may_wait_inside_call(env, longest_read) && patience_.let_reads_wait(descriptor_, slot_);
  }
  /// A read that might have waited gave nothing.
  void read_in_vain() noexcept { patience_.doubt(); }

  /// Ends the conversation, also one that a thread waits in, and every later one. Thread-safe.
  void interrupt() noexcept;
  bool interrupted() const noexcept { return interrupted_.load(std::memory_order_relaxed); }
  bool broken() const noexcept { return broken_ || interrupted(); }
  void break_off() noexcept { broken_ = true; }

  /// Before an operation: throws when the session or the task is at its end.
  void check_usable(const environment& env) const;
  /// Why a wait that did not end as ready ends the operation.
  error gave_up(wait_result how) const;
  /// The session broke; it is broken from now on. @param words what the library or the server said last
  error lost(std::string_view words, std::string_view sqlstate = {});

 private:
  std::string name_;
  int descriptor_ = -1;
  socket_slot slot_;
  patient_socket patience_;
  bool broken_ = false;
  std::atomic<bool> interrupted_ = false;
};

/// A library's message on one line.
std::string one_line(std::string_view text);

}  // namespace polypool
