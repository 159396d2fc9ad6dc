// SPDX-License-Identifier: Apache-2.0
// A server that speaks MongoDB's wire protocol and answers as a test tells it: for what no server here can do (replica
// sets, transactions, sessions), and for errors and delays on demand.
#pragma once

#include "support/listening_socket.hpp"

#include <polypool/document.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace polypool::test {

/// A command as it arrived, in canonical extended JSON; a sequence of documents stands in it as an array.
struct script_request {
  std::string name;      ///< the first member's
  std::string database;  ///< `$db`
  document body;
  int connection = 0;  ///< counted from 1
};

/// What happens to a command.
struct script_answer {
  enum class what_type : std::uint8_t {
    reply,      ///< with this document
    silence,    ///< nothing, for ever
    close,      ///< the connection ends
    encoded,    ///< with these bytes, which are a document already
    raw_bytes,  ///< these bytes instead of a message
  };
  what_type what = what_type::reply;
  document reply;
  std::string bytes;

  static script_answer with(document reply) { return {what_type::reply, std::move(reply), {}}; }
  /// The same, encoded once for many.
  static script_answer encoded(const document& reply);
  static script_answer ok() { return with({{"ok", 1.0}}); }
  /// A failure as MongoDB writes it.
  static script_answer failure(int code, std::string_view words, std::vector<std::string> labels = {});
  /// An answer with a cursor. @param id 0: that is all
  static script_answer batch(std::string_view name_space, std::vector<document> documents, std::int64_t id = 0,
                             bool first = true);
  static script_answer silent() { return {what_type::silence, {}, {}}; }
  static script_answer closing() { return {what_type::close, {}, {}}; }
};

/// Listens on a free port of 127.0.0.1 until it is destroyed. Thread-safe.
class mongodb_script {
 public:
  /// Decides what happens to a command; nothing: the usual answer (hello, ping, buildInfo, the end of sessions …).
  using decision = std::function<std::optional<script_answer>(const script_request&)>;

  /// Stands alone, and has no sessions.
  mongodb_script();
  ~mongodb_script();
  mongodb_script(const mongodb_script&) = delete;

  std::uint16_t port() const noexcept { return listener_.port(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  endpoint where() const;

  void on_command(decision decide);
  /// Says from now on that it is a member of a set, with sessions and so with transactions.
  void join_set(std::string name, std::vector<std::string> members, bool primary);
  /// Its last operation, and that of the set's log which it has: when, and in which term.
  void wrote_at(std::int64_t seconds, int increment = 1, int term = 1);
  /// Ends all connections. New ones are served, or closed at once.
  void cut_all();
  void refuse(bool yes);

  /// All commands that came but hello, in order.
  std::vector<script_request> requests() const;
  /// Those of this name.
  std::vector<script_request> requests(std::string_view name) const;
  int connections() const;       ///< so far
  int open_connections() const;  ///< now

 private:
  struct connection;
  void accept_all();
  void serve(connection& self);
  bool answer_one(connection& self);
  script_answer decide(const script_request& request);
  script_answer usual(const script_request& request) const;
  document hello() const;

  listening_socket listener_;
  int wake_[2] = {-1, -1};
  mutable std::mutex mutex_;
  decision decide_;
  std::string set_name_;
  std::vector<std::string> members_;
  bool primary_ = true;
  document last_write_;
  bool refuses_ = false;
  bool stopping_ = false;
  int accepted_ = 0;
  std::vector<script_request> requests_;
  std::list<connection> connections_;
  std::jthread thread_;
};

}  // namespace polypool::test
