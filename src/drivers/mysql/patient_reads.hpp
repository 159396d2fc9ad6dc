// SPDX-License-Identifier: Apache-2.0
// Reads of the library that wait inside of recv(2).
#pragma once

#include "drivers/mysql/native.hpp"

#include <cstddef>
#include <ma_pvio.h>
#include <sys/types.h>

namespace polypool::mysql {

/// The library's non-blocking calls always ask the socket first, find nothing, and give the wait to their caller. This
/// stands in for the function of its transport that reads, and lets that one read wait which has the permission. When
/// nothing comes in time, all goes on as if it had not waited. One thread at a time.
class patient_reads {
 public:
  patient_reads() = default;
  patient_reads(const patient_reads&) = delete;

  /// @param connection over plain TCP or a Unix socket, since OpenSSL reads by itself; it has to be closed before this
  /// object goes
  void attach(MYSQL* connection) noexcept;

  /// For the first read in its lifetime.
  class permission {
   public:
    permission(patient_reads& to, bool given) noexcept : to_(to) { to_.next_may_wait_ = given; }
    ~permission() { to_.next_may_wait_ = false; }
    permission(const permission&) = delete;

   private:
    patient_reads& to_;
  };

  /// Whether a read has waited and found nothing since this was asked last.
  bool waited_in_vain() noexcept;

 private:
  static ssize_t read(MARIADB_PVIO* transport, unsigned char* buffer, std::size_t length) noexcept;

  PVIO_METHODS methods_{};  // the library's own but for one; its transport points here
  ssize_t (*impatient_)(MARIADB_PVIO*, unsigned char*, std::size_t) = nullptr;
  bool next_may_wait_ = false;
  bool in_vain_ = false;
};

}  // namespace polypool::mysql
