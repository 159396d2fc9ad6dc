// SPDX-License-Identifier: Apache-2.0
// Opening sessions: what works, and what each failure says.
#include "fixture.hpp"
#include "support/tcp_gate.hpp"

#include <polypool/environment.hpp>

#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

class postgres_connect : public postgres_ways {
 protected:
  error refused(const endpoint& where) {
    auto problem = failure_of(go_, postgres::make_driver()->connect(where));
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
POLYPOOL_BOTH_WAYS(postgres_connect);

std::string port_text(const endpoint& where) { return where.host + ":" + std::to_string(where.port); }

TEST_P(postgres_connect, wrong_password) {
  auto where = playground_->endpoint();
  where.password = "not the password";
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::authentication_failed);
  EXPECT_EQ(problem.sqlstate(), "28P01");
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_NE(problem.cause().find(port_text(where)), std::string::npos) << problem.what();
  where.password = "";
  where.options["passfile"] = "/nowhere";
  EXPECT_EQ(failure_of(go_, postgres::make_driver()->connect(where)).portable_code(), errc::authentication_failed);
}

TEST_P(postgres_connect, unknown_user_and_database) {
  auto where = playground_->endpoint();
  where.user = "nobody_of_this_name";
  EXPECT_EQ(refused(where).portable_code(), errc::authentication_failed);
  where = playground_->endpoint();
  where.database = "no_such_database";
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.sqlstate(), "3D000");
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_FALSE(problem.hint().empty());
}

TEST_P(postgres_connect, nobody_listens) {
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

TEST_P(postgres_connect, unknown_host) {
  auto where = playground_->endpoint();
  where.host = "no-such-host.invalid";
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("no-such-host.invalid"), std::string::npos);
}

TEST_P(postgres_connect, names_are_resolved) {
  auto where = playground_->endpoint();
  if (where.host != "127.0.0.1") GTEST_SKIP() << "the server is not on this machine";
  where.host = "localhost";
  client db(go_, where);
  EXPECT_EQ(db.text("SELECT 1"), "1");
}

TEST_P(postgres_connect, a_server_that_hangs_is_named) {
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
  auto attempt = with_timeout(50ms, postgres::make_driver()->connect(where));
  EXPECT_EQ(failure_of(go_, std::move(attempt)).portable_code(), errc::deadline_exceeded);

  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(wait_until([&] { return gate.accepted() == 3; }));
    stop.request_stop();
  });
  auto stopped = with_stop(stop.get_token(), postgres::make_driver()->connect(where));
  EXPECT_EQ(failure_of(go_, std::move(stopped)).portable_code(), errc::cancelled);
}

TEST_P(postgres_connect, a_server_that_closes_at_once) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  gate.refuse();
  const auto problem = refused(through(gate));
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
}

// Every place where a handshake can break off gives a plain error, and the next attempt works.
TEST_P(postgres_connect, broken_off_at_every_byte) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  std::uint64_t whole = 0;
  {
    client db(go_, through(gate));
    whole = gate.bytes_from_server();
  }
  ASSERT_GT(whole, 100u);
  for (std::uint64_t offset = 0; offset < whole; offset += 1 + offset / 40) {
    SCOPED_TRACE(offset);
    gate.pass();
    gate.cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    EXPECT_EQ(refused(through(gate)).portable_code(), errc::connect_failed);
  }
  gate.pass();
  client db(go_, through(gate));
  EXPECT_EQ(db.text("SELECT 1"), "1");
  db.close();
  EXPECT_TRUE(playground_->sessions_become(0));
}

TEST_P(postgres_connect, a_server_that_goes_silent_anywhere) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  for (const std::uint64_t offset : {0, 1, 9, 24, 60, 120, 300}) {
    gate.pass();
    gate.truncate_after(offset);
    auto where = through(gate);
    where.connect_timeout = 60ms;
    const auto problem = refused(where);
    EXPECT_EQ(problem.portable_code(), errc::connect_failed) << problem.what();
    EXPECT_NE(problem.cause().find("hung"), std::string::npos) << problem.what();
  }
}

TEST_P(postgres_connect, tls) {
  auto where = playground_->endpoint();
  const auto encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
  for (const auto mode : {tls_mode::disable, tls_mode::allow, tls_mode::prefer, tls_mode::require}) {
    where.tls = mode;
    client db(go_, where);
    EXPECT_EQ(db.text(encrypted), mode >= tls_mode::prefer ? "t" : "f");
    EXPECT_EQ(db.query("SELECT repeat('x', 1000) FROM generate_series(1, 2000)").size(), 2000u);
  }
  where.tls = tls_mode::verify_full;
  const auto problem = refused(where);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("certificate"), std::string::npos) << problem.what();
  EXPECT_EQ(problem.disposition(), disposition::permanent);
}

TEST_P(postgres_connect, options_of_libpq) {
  auto where = playground_->endpoint();
  where.options["application_name"] = playground_->name();
  where.options["options"] = "-c work_mem=5MB";
  {
    client db(go_, where);
    EXPECT_EQ(db.text("SHOW work_mem"), "5MB");
    EXPECT_EQ(db.text("SHOW client_encoding"), "UTF8");
    EXPECT_EQ(db.text("SHOW IntervalStyle"), "postgres");
    db.query("SET work_mem = '7MB'");
    db.query("SET DateStyle = 'German'");
    db.reset();
    EXPECT_EQ(db.text("SHOW work_mem"), "5MB");
    EXPECT_EQ(db.text("SHOW DateStyle").substr(0, 3), "ISO");
    EXPECT_EQ(db.text("SELECT current_schema()"), playground_->name());
  }
  where.options["work_memory"] = "5";
  const auto unknown = refused(where);
  EXPECT_EQ(unknown.portable_code(), errc::invalid_configuration);
  EXPECT_NE(unknown.cause().find("work_memory"), std::string::npos);
  where.options.erase("work_memory");
  where.options["password"] = "x";
  EXPECT_EQ(refused(where).portable_code(), errc::invalid_configuration);
  where.options.erase("password");
  where.options["client_encoding"] = "LATIN1";
  EXPECT_EQ(refused(where).portable_code(), errc::invalid_configuration);
}

TEST_P(postgres_connect, schemas_with_any_name) {
  for (const std::string kind : {"With Blank", "quote\"d", "back\\slash", "comma,semi;"}) {
    const std::string name = kind + playground_->name();  // tests run side by side on one server
    std::string quoted;
    for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    admin().execute("CREATE SCHEMA \"" + quoted + "\"");
    auto where = playground_->endpoint();
    where.schema = name;
    {
      client db(go_, where);
      EXPECT_EQ(db.text("SELECT current_schema()"), name);
    }
    admin().execute("DROP SCHEMA \"" + quoted + "\"");
  }
}

TEST_P(postgres_connect, settings_of_the_role_do_not_matter) {
  const std::string role = playground_->name() + "_german";
  admin().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'geheim-wort'");
  admin().execute("ALTER ROLE " + role + " SET DateStyle = 'German'");
  admin().execute("ALTER ROLE " + role + " SET IntervalStyle = 'iso_8601'");
  admin().execute("ALTER ROLE " + role + " SET bytea_output = 'escape'");
  admin().execute("ALTER ROLE " + role + " SET extra_float_digits = -15");
  for (const std::size_t cache : {256, 0}) {
    auto where = playground_->endpoint();
    where.schema.clear();
    where.user = role;
    where.password = "geheim-wort";
    where.statement_cache = cache;
    client db(go_, where);
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(db.text("SELECT '2024-02-29'::date"), "2024-02-29");
      EXPECT_EQ(db.text("SELECT '1 day'::interval"), "1 day");
      if (cache > 0) {
        EXPECT_EQ(db.query("SELECT 0.1::float8 + 0.2::float8").front().get<double>(0), 0.1 + 0.2);
        EXPECT_EQ(db.query("SELECT '\\xff00'::bytea").front().get<bytes>(0).size(), 2u);
      }
      db.query("SET DateStyle = 'SQL'");
      db.reset();
    }
  }
  EXPECT_TRUE(playground_->sessions_become(0));
  admin().execute("DROP ROLE " + role);
}

TEST_P(postgres_connect, too_many_connections) {
  const std::string role = playground_->name() + "_limited";
  admin().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'limited-pass' CONNECTION LIMIT 1");
  {
    auto where = playground_->endpoint();
    where.user = role;
    where.password = "limited-pass";
    client db(go_, where);
    const auto problem = refused(where);
    EXPECT_EQ(problem.portable_code(), errc::too_many_connections);
    EXPECT_EQ(problem.disposition(), disposition::retryable);
  }
  EXPECT_TRUE(playground_->sessions_become(0));
  admin().execute("DROP ROLE " + role);
}

TEST_P(postgres_connect, deadline_of_the_past) {
  const auto where = playground_->endpoint();
  auto attempt = with_deadline(time_point{}, postgres::make_driver()->connect(where));
  EXPECT_EQ(failure_of(go_, std::move(attempt)).portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(playground_->sessions(), 0);
}

}  // namespace
}  // namespace polypool::test
