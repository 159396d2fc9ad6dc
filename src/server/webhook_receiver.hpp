// SPDX-License-Identifier: Apache-2.0
// One webhook: what waits for it, and how it is sent. Sees Asio: for webhooks.cpp and webhook_receiver.cpp only.
#pragma once

#include "server/event_stream.hpp"
#include "server/name_lookup.hpp"
#include "server/webhook_post.hpp"

#include <polypool/log.hpp>
#include <polypool/webhooks.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>

namespace polypool::server {

/// What a webhook's configuration comes to; as a whole in force or not.
struct webhook_setup {
  /// Throws invalid_configuration.
  explicit webhook_setup(config::webhook what);
  const config::webhook how;
  const webhook_address where;
  event_filter filter;
  boost::asio::ssl::context tls;
};

/// An event on its way.
struct letter {
  std::uint64_t id = 0;
  std::string kind;
  std::string body;
};

/// Sends one letter after the other. But for its numbers it belongs to the context's thread.
class webhook_receiver {
 public:
  webhook_receiver(boost::asio::io_context& io, std::shared_ptr<webhook_setup> with, log::logger log);

  bool wants(const connection_event& what) const { return now_->filter.takes(what); }
  /// Puts a letter behind the others; the oldest goes when there are too many.
  void keep(letter what);
  /// Wakes it when it has nothing to do: there is something to send.
  void wake();
  /// Works by this from the next attempt on, which comes at once when it is about to be another.
  void change(std::shared_ptr<webhook_setup> with);
  const config::webhook& how() const noexcept { return now_->how; }
  /// Nothing will come any more: what waits is sent as long as that works at the first attempt, and dropped else.
  void leave();
  /// The same for a program that ends: what waits is sent with all its attempts.
  void finish();
  /// Events that nobody could look at any more.
  void count_lost(std::uint64_t count);
  bool idle() const noexcept { return !busy_ && waiting_.empty(); }
  /// Sends what there is until leave() or finish(); it outlives this.
  boost::asio::awaitable<void> serve();
  /// From any thread.
  webhook_statistics numbers() const;

 private:
  boost::asio::awaitable<void> deliver(const letter& what);
  bool settle(const post_result& result, const letter& what, std::uint32_t attempt);
  header_list headers_for(const letter& what) const;
  void drop_all(std::size_t with_this);
  void note_pending();

  std::shared_ptr<webhook_setup> now_;
  const log::logger log_;
  boost::asio::steady_timer wake_;  // something to send, or a pause between attempts to cut short
  std::minstd_rand random_;
  std::deque<letter> waiting_;
  bool busy_ = false;
  bool leaving_ = false;
  bool finishing_ = false;
  mutable std::mutex mutex_;  // guards the numbers
  webhook_statistics numbers_;
  name_lookup names_;
};

}  // namespace polypool::server
