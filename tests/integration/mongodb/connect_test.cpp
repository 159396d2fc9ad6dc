// SPDX-License-Identifier: Apache-2.0
// Opening sessions: what works, and what each failure says.
#include "fixture.hpp"
#include "support/mongodb_script.hpp"
#include "support/tcp_gate.hpp"

#include <filesystem>
#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

class mongodb_connect : public mongodb_ways {
 protected:
  error refused(const endpoint& where) {
    auto problem = failure_of(go_, mongodb::make_driver()->connect(where));
    if (!where.password.empty()) {
      EXPECT_EQ(std::string(problem.what()).find(where.password.reveal()), std::string::npos) << problem.what();
      EXPECT_EQ(problem.server_message().find(where.password.reveal()), std::string::npos);
    }
    return problem;
  }
  endpoint through(const tcp_gate& gate) {
    auto where = playground_->endpoint();
    where.host = "127.0.0.1";
    where.port = gate.port();
    return where;
  }
  // The server's port with TLS, when the fixture has started it.
  std::optional<endpoint> encrypted() {
    if (shared_mongodb::folder().empty()) return std::nullopt;
    auto where = playground_->endpoint();
    where.port = static_cast<std::uint16_t>(std::stoi(first_line(shared_mongodb::folder() + "/tls_port")));
    where.tls = tls_mode::require;
    return where;
  }
};
POLYPOOL_BOTH_WAYS(mongodb_connect);

std::string port_text(const endpoint& where) { return where.host + ":" + std::to_string(where.port); }

TEST_P(mongodb_connect, wrong_password_and_user) {
  auto where = playground_->endpoint();
  if (where.user.empty()) GTEST_SKIP() << "this server asks for no password (mongod started by the tests has none)";
  where.password = "not the password";
  auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::authentication_failed) << problem.what();
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_NE(problem.cause().find(port_text(where)), std::string::npos) << problem.what();
  EXPECT_FALSE(problem.hint().empty());
  where = playground_->endpoint();
  where.user = "nobody of this name";
  EXPECT_EQ(refused(where).portable_code(), errc::authentication_failed);
  where = playground_->endpoint();
  where.user.clear();
  where.password = "";
  mongodb_client anonymous(go_, where);  // the server has no objection yet
  problem = anonymous.failure(R"({"find": "things"})");
  EXPECT_EQ(problem.portable_code(), errc::authentication_failed) << problem.what();
}

TEST_P(mongodb_connect, nobody_listens) {
  auto where = playground_->endpoint();
  {
    const tcp_gate gate(where.host, where.port);
    where.port = gate.port();
  }
  where.host = "127.0.0.1";
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
  EXPECT_NE(problem.cause().find("refused"), std::string::npos) << problem.what();
  EXPECT_NE(problem.cause().find(port_text(where)), std::string::npos) << problem.what();
}

TEST_P(mongodb_connect, unknown_host) {
  auto where = playground_->endpoint();
  where.host = "no-such-host.invalid";
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("no-such-host.invalid"), std::string::npos);
  EXPECT_NE(problem.cause().find("resolved"), std::string::npos) << problem.what();
  where.host = "no.such-cluster.invalid";
  where.options["srv"] = "true";
  const auto cluster = refused(where);
  EXPECT_EQ(cluster.portable_code(), errc::connect_failed) << cluster.what();
}

TEST_P(mongodb_connect, names_and_unix_sockets) {
  auto where = playground_->endpoint();
  if (where.host != "127.0.0.1") GTEST_SKIP() << "the server is not on this machine";
  where.host = "localhost";
  mongodb_client by_name(go_, where);
  EXPECT_EQ(by_name.run(R"({"ping": 1})").at("ok"), 1.0);
  const auto socket = shared_mongodb::folder() + "/mongodb.sock";
  if (!std::filesystem::exists(socket)) GTEST_SKIP() << "the server has no Unix socket";
  where.host = socket;
  mongodb_client by_path(go_, where);
  EXPECT_EQ(by_path.run(R"({"ping": 1})").at("ok"), 1.0);
}

TEST_P(mongodb_connect, a_server_that_hangs_is_named) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  gate.blackhole();
  auto where = through(gate);
  where.connect_timeout = 100ms;
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("hung"), std::string::npos) << problem.what();
  EXPECT_NE(problem.cause().find("100ms"), std::string::npos) << problem.what();
  where.connect_timeout = 1h;
  auto attempt = with_timeout(50ms, mongodb::make_driver()->connect(where));
  EXPECT_EQ(failure_of(go_, std::move(attempt)).portable_code(), errc::deadline_exceeded);
  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(wait_until([&] { return gate.accepted() == 3; }));
    stop.request_stop();
  });
  auto stopped = with_stop(stop.get_token(), mongodb::make_driver()->connect(where));
  EXPECT_EQ(failure_of(go_, std::move(stopped)).portable_code(), errc::cancelled);
}

TEST_P(mongodb_connect, a_server_that_closes_at_once) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  gate.refuse();
  const auto problem = refused(through(gate));
  EXPECT_EQ(problem.portable_code(), errc::connect_failed) << problem.what();
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
}

// Every place where a handshake can break off gives a plain error, and the next attempt works.
TEST_P(mongodb_connect, broken_off_at_every_byte) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  std::uint64_t whole = 0;
  {
    mongodb_client db(go_, through(gate));
    whole = gate.bytes_from_server();
  }
  ASSERT_GT(whole, 100u);
  for (std::uint64_t offset = 0; offset < whole - 20; offset += 1 + offset / 12) {
    SCOPED_TRACE(offset);
    gate.pass();
    gate.cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    EXPECT_EQ(refused(through(gate)).portable_code(), errc::connect_failed);
  }
  gate.pass();
  mongodb_client db(go_, through(gate));
  EXPECT_EQ(db.run(R"({"ping": 1})").at("ok"), 1.0);
}

TEST_P(mongodb_connect, a_server_that_goes_silent_anywhere) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  for (const std::uint64_t offset : {0, 1, 20, 60, 200, 500}) {
    gate.pass();
    gate.truncate_after(offset);
    auto where = through(gate);
    where.connect_timeout = 80ms;
    const auto problem = refused(where);
    EXPECT_EQ(problem.portable_code(), errc::connect_failed) << problem.what();
    EXPECT_NE(problem.cause().find("hung"), std::string::npos) << problem.what();
  }
}

TEST_P(mongodb_connect, tls) {
  const auto given = encrypted();
  if (!given) GTEST_SKIP() << "MONGODB_URL names a server, and nothing is known of its TLS";
  auto where = *given;
  const std::string authority = shared_mongodb::folder() + "/server.crt";
  const auto works = [&](const endpoint& there) {
    mongodb_client db(go_, there);
    document large;
    large["text"] = std::string(300'000, 'x');
    db.insert("tls", {large});
    return !db.all(R"({"find": "tls", "limit": 1})").empty();
  };
  for (const auto mode : {tls_mode::allow, tls_mode::prefer, tls_mode::require}) {
    where.tls = mode;
    EXPECT_TRUE(works(where)) << static_cast<int>(mode);
  }
  for (const auto mode : {tls_mode::verify_ca, tls_mode::verify_full}) {
    where.tls = mode;
    where.options.erase("tls_ca_file");
    const auto problem = refused(where);
    EXPECT_EQ(problem.portable_code(), errc::connect_failed);
    EXPECT_NE(problem.cause().find("certificate"), std::string::npos) << problem.what();
    EXPECT_EQ(problem.disposition(), disposition::permanent);
    where.options["tls_ca_file"] = authority;
    EXPECT_TRUE(works(where));
  }
  where.host = "127.1";  // the same address, but not what the certificate says
  EXPECT_EQ(refused(where).portable_code(), errc::connect_failed);
  where.tls = tls_mode::verify_ca;
  EXPECT_TRUE(works(where));
  where.options["tls_ca_file"] = "/nowhere/ca.pem";
  EXPECT_EQ(refused(where).portable_code(), errc::invalid_configuration);
}

TEST_P(mongodb_connect, tls_where_there_is_none_and_none_where_there_is) {
  const auto given = encrypted();
  if (!given) GTEST_SKIP() << "MONGODB_URL names a server, and nothing is known of its TLS";
  auto where = playground_->endpoint();
  if (where.port == given->port) GTEST_SKIP() << "this server takes both at one port";
  for (const auto mode : {tls_mode::disable, tls_mode::allow, tls_mode::prefer}) {
    where.tls = mode;
    where.connect_timeout = mode == tls_mode::prefer ? 2s : 10s;  // a quarter of it goes for the attempt with TLS
    mongodb_client db(go_, where);
    EXPECT_EQ(db.run(R"({"ping": 1})").at("ok"), 1.0) << static_cast<int>(mode);
  }
  where.tls = tls_mode::require;
  where.connect_timeout = 300ms;
  EXPECT_EQ(refused(where).portable_code(), errc::connect_failed);
  where = *given;
  where.tls = tls_mode::disable;
  where.connect_timeout = 5s;
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_FALSE(problem.hint().empty());
}

TEST_P(mongodb_connect, deadline_of_the_past) {
  const auto where = playground_->endpoint();
  auto attempt = with_deadline(time_point{}, mongodb::make_driver()->connect(where));
  EXPECT_EQ(failure_of(go_, std::move(attempt)).portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(playground_->sessions(), 0);
}

TEST_P(mongodb_connect, servers_that_are_too_old) {
  mongodb_script server;
  server.on_command([](const script_request& request) -> std::optional<script_answer> {
    if (request.name != "isMaster" && request.name != "ismaster" && request.name != "hello") return std::nullopt;
    return script_answer::with(doc(R"({"ismaster": true, "maxWireVersion": 2, "minWireVersion": 0, "ok": 1.0})"));
  });
  EXPECT_EQ(refused(server.where()).portable_code(), errc::unsupported_database);
}

}  // namespace
}  // namespace polypool::test
