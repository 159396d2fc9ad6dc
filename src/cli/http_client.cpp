// SPDX-License-Identifier: Apache-2.0
#include "cli/http_client.hpp"

#include "cli/exit_codes.hpp"

#include <polypool/secret.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <array>
#include <chrono>
#include <optional>

namespace polypool::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

struct address {
  std::string host, port, path;
};

address parse_address(std::string_view url, std::string_view path) {
  const auto parsed = boost::urls::parse_uri(boost::core::string_view(url.data(), url.size()));
  const std::string hint = "it looks like http://127.0.0.1:8080";
  if (!parsed || parsed->host().empty()) {
    throw command_error(usage, "'" + redact_url(url) + "' is not the URL of a daemon", hint);
  }
  if (parsed->scheme() != "http") {
    throw command_error(usage, "only http:// is spoken here, not " + std::string(parsed->scheme()) + "://", hint);
  }
  std::string base(parsed->encoded_path());
  while (base.ends_with('/')) base.pop_back();
  return {.host = std::string(parsed->host_address()),
          .port = parsed->has_port() ? std::string(parsed->port()) : "80",
          .path = base.append(path)};
}

// One request on an executor of its own; each step runs until it is done or the stream's time is over.
class exchange {
 public:
  explicit exchange(std::chrono::seconds limit) : stream_(context_) { stream_.expires_after(limit); }

  http_reply ask(const address& where, http::verb method, std::string body) {
    boost::system::error_code status;
    connect(where, status);
    http::request<http::string_body> request(method, where.path, 11);
    request.set(http::field::host, where.host + ":" + where.port);
    request.set(http::field::accept, "application/json");
    request.set(http::field::connection, "close");
    if (method != http::verb::get) {
      request.set(http::field::content_type, "application/json");
      request.body() = std::move(body);
      request.prepare_payload();
    }
    if (!status) step([&](auto done) { http::async_write(stream_, request, done); }, status);
    http::response_parser<http::string_body> parser;
    parser.body_limit(std::uint64_t{64} << 20);
    if (!status) step([&](auto done) { http::async_read(stream_, buffer_, parser, done); }, status);
    if (status) throw_unreachable(where, status);
    return {.status = parser.get().result_int(), .body = std::move(parser.get().body())};
  }

  void follow(const address& where, const std::string& last_event, const std::function<void(std::string_view)>& take) {
    boost::system::error_code status;
    connect(where, status);
    http::request<http::empty_body> request(http::verb::get, where.path, 11);
    request.set(http::field::host, where.host + ":" + where.port);
    request.set(http::field::accept, "text/event-stream");
    if (!last_event.empty()) request.set("Last-Event-ID", last_event);
    if (!status) step([&](auto done) { http::async_write(stream_, request, done); }, status);
    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    if (!status) step([&](auto done) { http::async_read_header(stream_, buffer_, parser, done); }, status);
    if (status) throw_unreachable(where, status);
    if (parser.get().result_int() != 200) {
      throw command_error(failed, "the daemon gives no events: HTTP " + std::to_string(parser.get().result_int()));
    }
    while (!status && !parser.is_done()) {
      std::array<char, 4096> piece{};
      parser.get().body().data = piece.data();
      parser.get().body().size = piece.size();
      stream_.expires_after(std::chrono::minutes(1));  // it sends a sign of life every 15 seconds
      step([&](auto done) { http::async_read_some(stream_, buffer_, parser, done); }, status);
      if (status == http::error::need_buffer) status = {};
      take({piece.data(), piece.size() - parser.get().body().size});
    }
  }

 private:
  [[noreturn]] static void throw_unreachable(const address& where, boost::system::error_code status) {
    throw command_error(failed, "cannot reach the daemon at " + where.host + ":" + where.port + ": " + status.message(),
                        "is it running? start it with: polypool serve");
  }
  void connect(const address& where, boost::system::error_code& status) {
    const auto found = asio::ip::tcp::resolver(context_).resolve(where.host, where.port, status);
    if (!status) step([&](auto done) { stream_.async_connect(found, done); }, status);
  }
  template <class Start>
  void step(Start start, boost::system::error_code& status) {
    start([&](boost::system::error_code outcome, auto&&...) { status = outcome; });
    context_.restart();
    context_.run();
  }

  asio::io_context context_{1};
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
};

}  // namespace

http_reply http_get(std::string_view url, std::string_view path) {
  return exchange(std::chrono::seconds(10)).ask(parse_address(url, path), http::verb::get, {});
}

http_reply http_post(std::string_view url, std::string_view path, std::string body) {
  return exchange(std::chrono::minutes(2)).ask(parse_address(url, path), http::verb::post, std::move(body));
}

void http_follow(std::string_view url, std::string_view path, const std::string& last_event,
                 const std::function<void(std::string_view)>& take) {
  exchange(std::chrono::seconds(10)).follow(parse_address(url, path), last_event, take);
}

}  // namespace polypool::cli
