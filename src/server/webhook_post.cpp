// SPDX-License-Identifier: Apache-2.0
#include "server/webhook_post.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace polypool::server {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace ssl = asio::ssl;
using asio::awaitable;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::uint32_t most_header_bytes = 16 * 1024;  // of the answer, of which nothing but the status is read
constexpr int most_interim_answers = 8;                 // such as 103 Early Hints

// The sockets of one request, so that its time limit can end it wherever it is.
struct exchange {
  exchange(const asio::any_io_executor& executor, ssl::context& tls, name_lookup& lookup)
      : names(lookup), stream(executor, tls), limit(executor) {}
  name_lookup& names;
  ssl::stream<tcp::socket> stream;
  asio::steady_timer limit;
  bool late = false;
  bool over = false;  // what it refers to may be gone
};

template <class Stream>
awaitable<error_code> talk(Stream& stream, http::request<http::string_body>& asked, unsigned& status) {
  error_code ec;
  co_await http::async_write(stream, asked, redirect_error(use_awaitable, ec));
  if (ec) co_return ec;
  boost::beast::flat_buffer buffer;
  for (int i = 0; i < most_interim_answers; ++i) {
    http::response_parser<http::empty_body> answer;
    answer.header_limit(most_header_bytes);
    co_await http::async_read_header(stream, buffer, answer, redirect_error(use_awaitable, ec));
    if (ec) co_return ec;
    const unsigned said = answer.get().result_int();
    if (said >= 100 && said < 200 && said != 101) continue;  // the real one follows
    status = said;
    co_return ec;
  }
  co_return make_error_code(http::error::bad_status);
}

awaitable<error_code> run(exchange& on, const webhook_address& where, http::request<http::string_body>& asked,
                          unsigned& status) {
  std::vector<tcp::endpoint> found;
  error_code ec = co_await on.names.resolve(where.host, where.port, found);
  if (on.late) co_return asio::error::timed_out;
  if (ec) co_return ec;
  auto& socket = on.stream.next_layer();
  co_await asio::async_connect(socket, found, redirect_error(use_awaitable, ec));
  if (ec) co_return ec;
  if (!where.tls) co_return co_await talk(socket, asked, status);
  asio::ip::make_address(where.host, ec);
  if (ec) {  // names only: servers may refuse a client that sends an address (RFC 6066)
    // What the macro SSL_set_tlsext_host_name does, without its cast.
    ::SSL_ctrl(on.stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(where.host.c_str()));
  }
  on.stream.set_verify_mode(ssl::verify_peer);
  on.stream.set_verify_callback(ssl::host_name_verification(where.host));
  co_await on.stream.async_handshake(ssl::stream_base::client, redirect_error(use_awaitable, ec));
  if (ec) co_return ec;
  co_return co_await talk(on.stream, asked, status);
}

}  // namespace

awaitable<post_result> post_json(const webhook_address& where, const header_list& headers, const std::string& body,
                                 std::chrono::nanoseconds timeout, ssl::context& tls, name_lookup& names) {
  http::request<http::string_body> asked(http::verb::post, where.target, 11);
  asked.set(http::field::host, where.authority);
  asked.set(http::field::user_agent, "polypool");
  asked.set(http::field::content_type, "application/json");
  asked.set(http::field::connection, "close");
  for (const auto& [name, value] : headers) asked.set(name, value);
  asked.body() = body;
  asked.prepare_payload();
  const auto executor = co_await asio::this_coro::executor;
  const auto on = std::make_shared<exchange>(executor, tls, names);
  on->limit.expires_after(std::min(timeout, longest_wait));
  on->limit.async_wait([on](error_code ec) {
    if (ec || on->over) return;
    on->late = true;
    error_code ignored;
    on->names.give_up();
    on->stream.next_layer().close(ignored);
  });
  unsigned status = 0;
  const error_code ec = co_await run(*on, where, asked, status);
  on->over = true;
  on->limit.cancel();
  error_code ignored;
  on->stream.next_layer().close(ignored);
  post_result out;
  out.status = status;
  if (status == 0) out.trouble = on->late ? "it did not answer in time" : ec.message();
  co_return out;
}

}  // namespace polypool::server
