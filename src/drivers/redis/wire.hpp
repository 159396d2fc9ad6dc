// SPDX-License-Identifier: Apache-2.0
// One connection to a Redis server, shared by any number of callers at once.
#pragma once

#include "driver/patient_socket.hpp"
#include "driver/resp_parser.hpp"
#include "drivers/redis/tls.hpp"

#include <polypool/key_value.hpp>
#include <polypool/waits.hpp>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::redis {

/// A socket that closes itself.
class socket_descriptor {
 public:
  socket_descriptor() noexcept = default;
  explicit socket_descriptor(int value) noexcept : value_(value) {}
  socket_descriptor(socket_descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  socket_descriptor& operator=(socket_descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~socket_descriptor();
  int get() const noexcept { return value_; }

 private:
  int value_ = -1;
};

/// What a wire begins with.
struct wire_parts {
  socket_descriptor socket;         ///< connected
  std::unique_ptr<tls_stream> tls;  ///< after its handshake, or null
  std::string place;                ///< for messages, such as "127.0.0.1:6379"
  resp_limits limits;
};

/// Sends commands and matches replies to them, by flat combining: a caller puts its encoded command behind the others'
/// and takes a ticket. Whoever finds nobody writing writes for all; whoever finds nobody reading reads for all, hands
/// each ticket its reply, and passes the reading on once its own has come. So a lone thread writes and reads by itself,
/// and a hundred tasks share one write. The bytes of a ticket whose caller has left are sent and its replies read all
/// the same: replies never shift.
///
/// The mutex guards who waits and who has which duty; never is it held while a socket is used.
class wire {
 public:
  explicit wire(wire_parts parts);
  ~wire();
  wire(const wire&) = delete;

  /// Sends one command and reads its reply. Throws what the server complains about.
  task<redis_reply> exchange(const redis_command& what);
  /// Sends so many commands and reads their replies, which may be errors.
  task<void> exchange(std::string_view commands, std::span<redis_reply> into);
  /// Sends a command that has no reply of its own.
  task<void> send(const redis_command& what);
  task<redis_reply> next_push();
  void forget_pushes() noexcept;
  /// From now on arrays that look like messages are taken for such, as RESP2 has them.
  void expect_messages(bool on) noexcept;

  std::size_t outstanding() const noexcept;
  std::size_t abandoned() const noexcept;
  bool broken() const noexcept { return broken_.load(std::memory_order_acquire); }
  /// The error that a complaint stands for; one that poisons the session makes this wire broken for those to come.
  error complaint(const redis_value& reply) noexcept;
  /// Makes every running and later operation fail. Thread-safe.
  void interrupt() noexcept;
  /// Ends it for good with this error.
  void fail(const error& why) noexcept { fail(why, std::nullopt); }
  const std::string& place() const noexcept { return place_; }
  int descriptor() const noexcept { return socket_.get(); }
  bool encrypted() const noexcept { return tls_ != nullptr; }

 private:
  class ticket;
  enum class step : std::uint8_t { done, yield, write, read, park };
  enum class outcome : std::uint8_t { done, would_block, failed };
  struct entry {
    ticket* who;  // null: its caller has left
    std::uint32_t replies;
  };
  // The entries in the order of their commands; a ring, so that a busy wire allocates nothing.
  class entry_ring {
   public:
    void push(entry added);
    entry& front() noexcept { return slots_[head_ & (slots_.size() - 1)]; }
    void pop() noexcept { ++head_; }
    entry& at(std::uint64_t number) noexcept { return slots_[number & (slots_.size() - 1)]; }
    bool empty() const noexcept { return head_ == tail_; }
    std::size_t size() const noexcept { return tail_ - head_; }
    std::uint64_t begin() const noexcept { return head_; }
    std::uint64_t end() const noexcept { return tail_; }

   private:
    std::vector<entry> slots_ = std::vector<entry>(16);
    std::uint64_t head_ = 0;
    std::uint64_t tail_ = 0;
  };

  // wire.cpp: tickets and duties; those marked (lock) expect the mutex
  step submit(ticket& mine, const redis_command* what, std::string_view commands, const environment& env);
  void put(ticket& mine, const redis_command* what, std::string_view commands);  // (lock)
  task<void> drive(ticket& mine, step now, bool late = false);
  step after_parking(ticket& mine, wait_result how);
  step next_step(ticket& mine);
  step step_for(ticket& mine, ticket*& threads);                // (lock)
  step released(ticket& mine, ticket*& threads) noexcept;       // (lock)
  void pass_duties(ticket*& threads) noexcept;                  // (lock)
  ticket* parked_ticket() noexcept;                             // (lock)
  static void rouse(ticket& whose, ticket*& threads) noexcept;  // (lock)
  static void wake_all(ticket* first) noexcept;
  bool may_read_too(ticket& mine) noexcept;
  bool is_done(const ticket& mine) const noexcept;
  void leave(ticket& leaving) noexcept;
  bool batch_sent() const noexcept;
  bool unsent() const noexcept;  // (lock)
  void take_batch() noexcept;    // (lock)
  void fail(const error& why, std::optional<std::uint64_t> unsent_from) noexcept;
  error failure_for(const ticket& whose) const;
  error gave_up(wait_result how) const;
  void require_usable(const environment& env, time_point now) const;  // (lock)

  // wire_replies.cpp: what has been read, to whom it belongs
  step deliver(ticket& mine);
  void hand_out(redis_reply&& arrived, ticket*& threads);    // (lock)
  void give_push(ticket& whose, ticket*& threads) noexcept;  // (lock)
  bool is_push(const redis_reply& arrived) const noexcept;   // (lock)

  // wire_io.cpp: the socket; only for whoever has the duty
  outcome write_some() noexcept;
  outcome read_some(int flags) noexcept;
  outcome read_plain(int flags);
  outcome read_encrypted(int flags);
  bool parse(std::string_view input);
  void look_for_goodbye() noexcept;
  error broke(std::string_view why) const;
  int writer_descriptor() noexcept;

  const socket_descriptor socket_;
  const std::unique_ptr<tls_stream> tls_;
  const std::string place_;

  mutable std::mutex mutex_;
  std::string out_;             // encoded, and not yet taken by a writer
  std::uint64_t accepted_ = 0;  // bytes of commands ever put into out_
  std::uint64_t taken_ = 0;     // of them, those that a writer has taken
  entry_ring waiting_;
  std::deque<redis_reply> pushes_;
  ticket* push_reader_ = nullptr;
  ticket* writer_ = nullptr;
  ticket* reader_ = nullptr;
  std::size_t abandoned_ = 0;
  std::size_t push_bytes_ = 0;
  std::optional<error> failure_;
  std::uint64_t unsent_from_ = 0;  // commands from here on were never sent, when it failed
  time_point last_used_{};
  bool tls_output_ = false;
  bool messages_expected_ = false;
  bool crowded_ = false;   // several callers of late: a task that writes lets the others of its event loop go first
  bool yielding_ = false;  // the writer does so just now
  std::atomic<bool> broken_{false};
  std::atomic<bool> interrupted_{false};

  // the writer's own
  std::string plain_;     // TLS: to be encrypted
  bool sealing_ = false;  // TLS: it is still to be done
  std::string sending_;   // as it goes to the socket
  std::size_t sent_ = 0;
  std::uint64_t batch_begin_ = 0;
  socket_descriptor writer_socket_;  // a duplicate, so that an event loop can wait for both directions apart
  socket_slot writer_slot_;

  // the reader's own
  resp_parser parser_;
  std::vector<char> buffer_;
  std::vector<char> plain_buffer_;  // TLS: decrypted
  std::vector<redis_reply> arrived_;
  std::optional<error> reading_failed_;
  bool more_likely_ = false;  // the last read filled its buffer
  patient_socket patience_;
  socket_slot reader_slot_;
};

}  // namespace polypool::redis
