// SPDX-License-Identifier: Apache-2.0
// What the connections of one session have in common.
#pragma once

#include "drivers/mongodb/native.hpp"
#include "drivers/mongodb/tls.hpp"
#include "drivers/mongodb/watch.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace polypool::mongodb {

class network {
 public:
  /// What went wrong with a server.
  enum class problem_kind : std::uint8_t { unknown_name, unreachable, tls, broken, silent };
  struct problem {
    problem_kind kind;
    std::string words;
  };

  /// Throws invalid_configuration when TLS cannot be set up.
  explicit network(const tls_settings& settings) : settings_(settings) {
    if (settings.mode != tls_mode::disable) tls_.emplace(settings);
  }
  network(const network&) = delete;
  network& operator=(const network&) = delete;

  /// Makes a client's connections ours. The client must not outlive this.
  void attach(mongoc_client_t* client) noexcept;
  watch& waits() noexcept { return waits_; }
  const watch& waits() const noexcept { return waits_; }

  /// Null: no TLS at this time.
  const tls_context* tls() const noexcept { return encrypts_ ? &*tls_ : nullptr; }
  void encrypt(bool yes) noexcept { encrypts_ = yes && tls_.has_value(); }

  /// How long a server may say nothing.
  /// @param always also when the caller set a deadline, which is the only limit otherwise
  void limit_silence(duration limit, bool always) noexcept {
    silence_limit_ = limit;
    silence_limit_always_ = always;
  }
  /// When a server that says nothing from now on is given up.
  time_point silence_ends() const noexcept;

  /// Whether the server may send what is compressed.
  bool compresses() const noexcept { return compresses_; }
  void compress(bool yes) noexcept { compresses_ = yes; }

  /// How long a server may take for its part of a TLS handshake; for as long as nobody else has a limit unless set.
  void limit_handshake(duration limit) noexcept { handshake_limit_ = limit; }
  duration handshake_limit() const noexcept { return handshake_limit_; }

  void note(const std::string& server, problem_kind kind, std::string_view words);
  void forget_problems() noexcept { problems_.clear(); }
  const std::map<std::string, problem>& problems() const noexcept { return problems_; }
  /// "127.0.0.1:27017: Connection refused; …"
  std::string describe_problems() const;

  /// Whether bytes went out since the last call of reset_sent().
  bool sent() const noexcept { return sent_; }
  void mark_sent() noexcept { sent_ = true; }
  void reset_sent() noexcept { sent_ = false; }

 private:
  watch waits_;
  tls_settings settings_;
  std::optional<tls_context> tls_;
  duration handshake_limit_ = duration::max();
  duration silence_limit_ = std::chrono::seconds(30);
  bool silence_limit_always_ = false;
  bool encrypts_ = false;
  bool compresses_ = false;
  bool sent_ = false;
  std::map<std::string, problem> problems_;
};

}  // namespace polypool::mongodb
