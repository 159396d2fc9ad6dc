// SPDX-License-Identifier: Apache-2.0
// Opening sessions: what works, and what each failure says.
#include "fixture.hpp"
#include "support/tcp_gate.hpp"

#include <polypool/environment.hpp>

#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

class mysql_connect : public mysql_ways {
 protected:
  error refused(const endpoint& where) {
    auto problem = failure_of(go_, mysql::make_driver()->connect(where));
    EXPECT_EQ(std::string(problem.what()).find(where.password.reveal()), std::string::npos) << problem.what();
    return problem;
  }
  endpoint through(const tcp_gate& gate) {
    auto where = playground_->endpoint();
    where.host = "127.0.0.1";
    where.port = gate.port();
    return where;
  }
};
POLYPOOL_BOTH_WAYS(mysql_connect);

std::string port_text(const endpoint& where) { return where.host + ":" + std::to_string(where.port); }

TEST_P(mysql_connect, wrong_password_and_user) {
  auto where = playground_->endpoint();
  where.password = "not the password";
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::authentication_failed);
  EXPECT_EQ(problem.native_code(), 1045);
  EXPECT_EQ(problem.sqlstate(), "28000");
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_NE(problem.cause().find(port_text(where)), std::string::npos) << problem.what();
  EXPECT_FALSE(problem.hint().empty());
  where.password = "";
  EXPECT_EQ(failure_of(go_, mysql::make_driver()->connect(where)).portable_code(), errc::authentication_failed);
  where.user = "nobody_of_this_name";
  EXPECT_EQ(failure_of(go_, mysql::make_driver()->connect(where)).portable_code(), errc::authentication_failed);
}

TEST_P(mysql_connect, unknown_and_forbidden_databases) {
  auto where = playground_->endpoint();
  where.database = playground_->name() + "_missing";
  const auto missing = refused(where);
  EXPECT_EQ(missing.portable_code(), errc::connect_failed);
  EXPECT_EQ(missing.native_code(), 1049);
  EXPECT_EQ(missing.disposition(), disposition::permanent);
  EXPECT_FALSE(missing.hint().empty());
  where.database = "mysql";
  EXPECT_EQ(refused(where).portable_code(), errc::permission_denied);
  where.database = "";
  client db(go_, where);
  EXPECT_EQ(db.text("SELECT DATABASE()"), "NULL");
  EXPECT_EQ(db.failure("SELECT * FROM t").portable_code(), errc::invalid_argument);
}

TEST_P(mysql_connect, nobody_listens) {
  auto where = playground_->endpoint();
  {
    const tcp_gate gate(where.host, where.port);
    where.port = gate.port();
  }
  where.host = "127.0.0.1";
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
  EXPECT_NE(problem.hint().find("listening"), std::string::npos) << problem.what();
  EXPECT_NE(problem.cause().find(port_text(where)), std::string::npos) << problem.what();
}

TEST_P(mysql_connect, names_are_resolved) {
  auto where = playground_->endpoint();
  where.host = "no-such-host.invalid";
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("no-such-host.invalid"), std::string::npos) << problem.what();
  if (playground_->endpoint().host != "127.0.0.1") GTEST_SKIP() << "the server is not on this machine";
  where.host = "localhost";
  client db(go_, where);
  EXPECT_EQ(db.text("SELECT 1"), "1");
}

TEST_P(mysql_connect, a_server_that_hangs_is_named) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  gate.blackhole();
  auto where = through(gate);
  where.connect_timeout = 100ms;
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("hung"), std::string::npos) << problem.what();
  EXPECT_NE(problem.cause().find("100ms"), std::string::npos) << problem.what();
  EXPECT_NE(problem.cause().find(port_text(where)), std::string::npos) << problem.what();

  where.connect_timeout = 1h;
  auto attempt = with_timeout(50ms, mysql::make_driver()->connect(where));
  EXPECT_EQ(failure_of(go_, std::move(attempt)).portable_code(), errc::deadline_exceeded);
  auto late = with_deadline(time_point{}, mysql::make_driver()->connect(where));
  EXPECT_EQ(failure_of(go_, std::move(late)).portable_code(), errc::deadline_exceeded);

  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(wait_until([&] { return gate.accepted() == 3; }));
    stop.request_stop();
  });
  auto stopped = with_stop(stop.get_token(), mysql::make_driver()->connect(where));
  EXPECT_EQ(failure_of(go_, std::move(stopped)).portable_code(), errc::cancelled);
}

TEST_P(mysql_connect, a_server_that_closes_at_once) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  gate.refuse();
  const auto problem = refused(through(gate));
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
}

// Every place where a handshake can break off gives a plain error, and the next attempt works.
TEST_P(mysql_connect, broken_off_at_every_byte) {
  const auto origin = playground_->endpoint();
  for (const auto tls : {tls_mode::disable, tls_mode::require}) {
    tcp_gate gate(origin.host, origin.port);
    auto where = through(gate);
    where.tls = tls;
    std::uint64_t whole = 0;
    {
      client db(go_, where);
      whole = gate.bytes_from_server();
    }
    ASSERT_GT(whole, 100u);
    for (std::uint64_t offset = 0; offset + 8 < whole; offset += 1 + offset / 10) {
      SCOPED_TRACE(offset);
      gate.pass();
      gate.cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
      const auto problem = refused(where);
      EXPECT_EQ(problem.portable_code(), errc::connect_failed) << problem.what();
      EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere) << problem.what();
    }
    gate.pass();
    client db(go_, where);
    EXPECT_EQ(db.text("SELECT 1"), "1");
    db.close();
    EXPECT_TRUE(playground_->sessions_become(0));
  }
}

TEST_P(mysql_connect, a_server_that_goes_silent_anywhere) {
  const auto origin = playground_->endpoint();
  for (const auto tls : {tls_mode::disable, tls_mode::require}) {
    tcp_gate gate(origin.host, origin.port);
    auto where = through(gate);
    where.tls = tls;
    for (const std::uint64_t offset : {0, 1, 60, 100, 120, 300}) {
      SCOPED_TRACE(offset);
      gate.pass();
      gate.truncate_after(offset);
      where.connect_timeout = 60ms;
      const auto problem = refused(where);
      EXPECT_EQ(problem.portable_code(), errc::connect_failed) << problem.what();
      EXPECT_NE(problem.cause().find("hung"), std::string::npos) << problem.what();
    }
  }
}

TEST_P(mysql_connect, tls_modes) {
  auto where = playground_->endpoint();
  const auto cipher = [&](client& db) { return db.query("SHOW STATUS LIKE 'Ssl_cipher'").front().get<std::string>(1); };
  for (const auto mode : {tls_mode::disable, tls_mode::allow, tls_mode::prefer, tls_mode::require}) {
    where.tls = mode;
    client db(go_, where);
    EXPECT_EQ(cipher(db).empty(), mode < tls_mode::prefer) << static_cast<int>(mode);
    EXPECT_EQ(db.text("SELECT length(repeat('x', 1000000))"), "1000000");
  }
  for (const auto mode : {tls_mode::verify_ca, tls_mode::verify_full}) {
    where.tls = mode;
    const auto unknown = refused(where);
    EXPECT_EQ(unknown.portable_code(), errc::connect_failed);
    EXPECT_NE(unknown.cause().find("certificate"), std::string::npos) << unknown.what();
    EXPECT_EQ(unknown.disposition(), disposition::permanent);
  }
}

TEST_P(mysql_connect, tls_verification) {
  const auto authority = shared_mysql_authority();
  if (authority.empty()) GTEST_SKIP() << "the server's certificates are not known";
  auto where = playground_->endpoint();
  where.options["sslrootcert"] = authority;
  where.tls = tls_mode::verify_ca;
  {
    client db(go_, where);
  }
  where.tls = tls_mode::verify_full;  // the certificate is for localhost
  const auto other_name = refused(where);
  EXPECT_EQ(other_name.portable_code(), errc::connect_failed);
  EXPECT_EQ(other_name.disposition(), disposition::permanent);
  EXPECT_NE(other_name.cause().find("ertificate"), std::string::npos) << other_name.what();
  where.host = "localhost";
  client db(go_, where);
  EXPECT_EQ(db.text("SELECT 1"), "1");
  // What names an authority wants it checked, as with libpq.
  where.tls = tls_mode::require;
  where.options["sslrootcert"] = "/etc/hostname";
  EXPECT_EQ(refused(where).portable_code(), errc::connect_failed);
  where.options["sslrootcert"] = "/nowhere/ca.pem";
  EXPECT_EQ(refused(where).portable_code(), errc::connect_failed);
}

TEST_P(mysql_connect, users_that_need_tls) {
  admin().execute("ALTER USER " + playground_->name() + "@'%' REQUIRE SSL");
  auto where = playground_->endpoint();
  where.tls = tls_mode::disable;
  EXPECT_EQ(refused(where).portable_code(), errc::authentication_failed);
  where.tls = tls_mode::allow;
  client db(go_, where);
  EXPECT_NE(db.query("SHOW STATUS LIKE 'Ssl_cipher'").front().get<std::string>(1), "");
  where.password = "wrong";
  EXPECT_EQ(refused(where).portable_code(), errc::authentication_failed);
}

TEST_P(mysql_connect, options) {
  auto where = playground_->endpoint();
  where.options["application_name"] = "the tests";
  where.options["sql-mode"] = "ANSI_QUOTES";
  where.options["compress"] = "true";
  where.options["charset"] = "utf8mb4";
  where.options["found_rows"] = "false";
  {
    client db(go_, where);
    EXPECT_EQ(db.text("SELECT @@sql_mode"), "ANSI_QUOTES");
    EXPECT_EQ(db.text("SELECT @@character_set_client"), "utf8mb4");
    EXPECT_EQ(db.query("SHOW STATUS LIKE 'Compression'").front().get<std::string>(1), "ON");
    EXPECT_EQ(db.text("SELECT repeat('x', 100000)"), std::string(100000, 'x'));
    db.query("CREATE TABLE t (x int)");
    db.query("INSERT INTO t VALUES (1)");
    EXPECT_EQ(db.query("UPDATE t SET x = 1").affected_rows(), 0u);
    db.query("SET sql_mode = ''");
    db.reset();
    EXPECT_EQ(db.text("SELECT @@sql_mode"), "ANSI_QUOTES");
    EXPECT_FALSE(db->dirty());
  }
  const auto bad = [&](const char* key, const char* value) {
    auto wrong = playground_->endpoint();
    wrong.options[key] = value;
    const auto problem = refused(wrong);
    EXPECT_EQ(problem.portable_code(), errc::invalid_configuration) << problem.what();
    EXPECT_NE(problem.cause().find(key), std::string::npos) << problem.what();
  };
  bad("work_mem", "5");
  bad("charset", "latin1");
  bad("compress", "perhaps");
  bad("time_zone", "back\\slash");
  auto unknown_mode = playground_->endpoint();
  unknown_mode.options["sql_mode"] = "NO_SUCH_MODE";
  const auto problem = refused(unknown_mode);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_NE(problem.cause().find("NO_SUCH_MODE"), std::string::npos) << problem.what();
}

TEST_P(mysql_connect, passwords_do_not_go_over_the_wire_as_they_are) {
  if (admin().value("SELECT @@version").find("MariaDB") == std::string::npos) GTEST_SKIP() << "this is no MariaDB";
  // A server that asks for the password itself: the client would send it to whoever asks.
  try {
    admin().execute("INSTALL SONAME 'auth_pam'");
  } catch (const std::exception& problem) {
    if (std::string(problem.what()).find("already") == std::string::npos) GTEST_SKIP() << problem.what();
  }
  admin().execute("ALTER USER " + playground_->name() + "@'%' IDENTIFIED VIA pam USING 'polypool'");
  const auto problem = refused(playground_->endpoint());
  EXPECT_EQ(problem.portable_code(), errc::authentication_failed) << problem.what();
  EXPECT_NE(problem.hint().find("TLS"), std::string::npos) << problem.what();
}

TEST_P(mysql_connect, ed25519) {
  try {
    admin().execute("INSTALL SONAME 'auth_ed25519'");
  } catch (const std::exception& problem) {
    if (std::string(problem.what()).find("already") == std::string::npos) GTEST_SKIP() << problem.what();
  }
  admin().execute("ALTER USER " + playground_->name() + "@'%' IDENTIFIED VIA ed25519 USING PASSWORD('curved')");
  auto where = playground_->endpoint();
  where.password = "curved";
  client db(go_, where);
  EXPECT_EQ(db.text("SELECT 1"), "1");
}

TEST_P(mysql_connect, the_server_gets_no_files) {
  auto db = make_client();
  db.query("CREATE TABLE t (x text)");
  const auto problem = db.failure("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t");
  EXPECT_TRUE(problem.portable_code() == errc::database_error || problem.portable_code() == errc::connection_lost ||
              problem.portable_code() == errc::permission_denied)
      << problem.what();
  auto again = make_client();
  EXPECT_EQ(again.text("SELECT count(*) FROM t"), "0");
}

}  // namespace
}  // namespace polypool::test
