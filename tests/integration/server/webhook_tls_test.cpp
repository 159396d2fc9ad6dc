// SPDX-License-Identifier: Apache-2.0
// Webhooks over TLS: whom they trust.
#include "support/process.hpp"
#include "support/temporary_folder.hpp"

#include <polypool/webhooks.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace polypool::test {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

// A web server with a certificate of its own making, for localhost.
class tls_receiver {
 public:
  explicit tls_receiver(const std::string& folder)
      : context_(asio::ssl::context::tls_server), acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    const auto made = shell(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
        "/CN=localhost -addext subjectAltName=DNS:localhost -keyout " +
        folder + "/key.pem -out " + folder + "/cert.pem");
    if (made.second != 0) throw std::runtime_error(made.first);
    context_.use_certificate_file(folder + "/cert.pem", asio::ssl::context::pem);
    context_.use_private_key_file(folder + "/key.pem", asio::ssl::context::pem);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ~tls_receiver() {
    thread_.request_stop();
    boost::system::error_code ignored;
    tcp::socket knock(io_);
    knock.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  std::string url(const std::string& host) const {
    return "https://" + host + ":" + std::to_string(acceptor_.local_endpoint().port()) + "/hook";
  }
  std::atomic<int> served{0};
  std::atomic<int> refused{0};  // clients that did not like the certificate

 private:
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      boost::system::error_code ec;
      asio::ssl::stream<tcp::socket> client(io_, context_);
      acceptor_.accept(client.next_layer(), ec);
      if (ec || stop.stop_requested()) continue;
      client.handshake(asio::ssl::stream_base::server, ec);
      asio::streambuf text;
      if (!ec) asio::read_until(client, text, "}", ec);
      if (ec) {
        ++refused;
        continue;
      }
      ++served;
      const std::string answer = "HTTP/1.1 204 No Content\r\n\r\n";
      asio::write(client, asio::buffer(answer), ec);
    }
  }
  asio::io_context io_;
  asio::ssl::context context_;
  tcp::acceptor acceptor_;
  std::jthread thread_;
};

TEST(webhook_tls, only_a_trusted_certificate_of_the_right_name) {
  const temporary_folder folder;
  tls_receiver receiver(folder.path().string());
  const auto send_to = [&](const std::string& host, const std::string& ca_file) {
    event_bus bus;
    config::webhook hook;
    hook.url = receiver.url(host);
    hook.ca_file = ca_file;
    hook.attempts = 1;
    webhook_sender sender(bus, {hook});
    bus.publish(event_kind::failover, "orders", config::database_type::postgres, "a", "b", "");
    sender.stop(30s);
    return sender.statistics().front();
  };
  const auto own = folder.path().string() + "/cert.pem";
  EXPECT_EQ(send_to("localhost", own).sent, 1U);
  EXPECT_EQ(receiver.served, 1);
  EXPECT_EQ(send_to("localhost", "").refused, 1U);   // nobody vouches for it
  EXPECT_EQ(send_to("127.0.0.1", own).refused, 1U);  // it is another's
  EXPECT_EQ(receiver.served, 1);
}

}  // namespace
}  // namespace polypool::test
