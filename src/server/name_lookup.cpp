// SPDX-License-Identifier: Apache-2.0
#include "server/name_lookup.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <charconv>
#include <netdb.h>
#include <utility>

namespace polypool::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// But for `answer`, which the thread fills before it posts, of the thread of the context.
struct name_lookup::call {
  explicit call(const asio::any_io_executor& executor) : done(executor) {
    done.expires_at(asio::steady_timer::time_point::max());
  }
  asio::steady_timer done;
  bool finished = false;
  std::vector<tcp::endpoint> answer;
};

namespace {

std::vector<tcp::endpoint> ask(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* first = nullptr;
  std::vector<tcp::endpoint> out;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &first) != 0) return out;
  for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(each->ai_addr);
      out.emplace_back(asio::ip::address_v4(ntohl(address->sin_addr.s_addr)), port);
    } else if (each->ai_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(each->ai_addr);
      asio::ip::address_v6::bytes_type bytes;
      std::copy_n(std::begin(address->sin6_addr.s6_addr), bytes.size(), bytes.begin());
      out.emplace_back(asio::ip::address_v6(bytes, address->sin6_scope_id), port);
    }
  }
  ::freeaddrinfo(first);
  return out;
}

}  // namespace

name_lookup::name_lookup(asio::any_io_executor executor) : executor_(std::move(executor)) {}

asio::awaitable<error_code> name_lookup::resolve(const std::string& host, const std::string& port,
                                                 std::vector<tcp::endpoint>& found) {
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) co_return asio::error::service_not_found;
  error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (!ec) {
    found.emplace_back(address, number);
    co_return error_code();
  }
  if (latest_ && !latest_->finished) co_return asio::error::host_not_found_try_again;
  if (thread_.joinable()) thread_.join();  // it has posted its answer already
  const auto mine = std::make_shared<call>(executor_);
  latest_ = mine;
  thread_ = std::jthread([mine, host, number, executor = executor_] {
    mine->answer = ask(host, number);
    asio::post(executor, [mine] {
      mine->finished = true;
      mine->done.cancel();
    });
  });
  co_await mine->done.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (!mine->finished) co_return asio::error::timed_out;
  found = mine->answer;
  co_return found.empty() ? error_code(asio::error::host_not_found) : error_code();
}

void name_lookup::give_up() noexcept {
  if (latest_) latest_->done.cancel();
}

}  // namespace polypool::server
