// SPDX-License-Identifier: Apache-2.0
// Looking a host name up without holding anybody else up. Sees Asio.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace polypool::server {

/// Looks names up on a thread of its own: the C library's call may take half a minute, can neither be limited nor
/// cancelled, and Asio's resolver makes all of a context one after the other. One at a time; of one thread.
class name_lookup {
 public:
  explicit name_lookup(boost::asio::any_io_executor executor);
  /// Waits for a call that is under way.
  ~name_lookup() = default;
  name_lookup(const name_lookup&) = delete;

  /// What a name stands for; an address stands for itself. Gives up at once while an earlier call still runs.
  /// @param found empty when it failed
  boost::asio::awaitable<boost::system::error_code> resolve(const std::string& host, const std::string& port,
                                                            std::vector<boost::asio::ip::tcp::endpoint>& found);
  /// Ends the wait of resolve().
  void give_up() noexcept;

 private:
  struct call;
  boost::asio::any_io_executor executor_;
  std::shared_ptr<call> latest_;
  std::jthread thread_;
};

}  // namespace polypool::server
