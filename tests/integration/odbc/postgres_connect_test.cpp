// SPDX-License-Identifier: Apache-2.0
// Opening sessions over ODBC: what works, and what each failure says.
#include "fixture.hpp"
#include "support/tcp_gate.hpp"

#include <cstdlib>
#include <fstream>
#include <optional>
#include <stop_token>
#include <thread>

namespace polypool::test {
namespace {

class odbc_postgres_connect : public odbc_postgres_ways {
 protected:
  error refused(const endpoint& to) {
    auto problem = failure_of(go_, driver_->connect(to));
    EXPECT_EQ(std::string(problem.what()).find(to.password.reveal()), std::string::npos) << problem.what();
    return problem;
  }
  endpoint through(const tcp_gate& gate) {
    auto to = where();
    to.host = "127.0.0.1";
    to.port = gate.port();
    return to;
  }
  std::shared_ptr<driver> driver_ = odbc::make_driver();
};
POLYPOOL_BOTH_WAYS(odbc_postgres_connect);

std::string port_text(const endpoint& where) { return where.host + ":" + std::to_string(where.port); }

TEST_P(odbc_postgres_connect, wrong_password_user_and_database) {
  auto to = where();
  to.password = "not the password";
  const auto problem = refused(to);
  EXPECT_EQ(problem.portable_code(), errc::authentication_failed) << problem.what();
  EXPECT_EQ(problem.disposition(), disposition::permanent);
  EXPECT_NE(problem.cause().find(port_text(to)), std::string::npos) << problem.what();
  to = where();
  to.user = "nobody_of_this_name";
  EXPECT_EQ(refused(to).portable_code(), errc::authentication_failed);
  to = where();
  to.database = "no_such_database";
  const auto missing = refused(to);
  EXPECT_EQ(missing.portable_code(), errc::connect_failed);
  EXPECT_EQ(missing.disposition(), disposition::permanent);
  EXPECT_FALSE(missing.hint().empty());
}

// Where it is, odbc.ini says; who comes, and what the driver is told, we do.
TEST_P(odbc_postgres_connect, a_data_source_of_odbc_ini) {
  const auto there = where();
  const temporary_folder folder;
  const auto name = "source_" + std::string(to_string(GetParam()));  // ODBC takes 32 characters
  std::ofstream(folder.file("odbc.ini")) << "[" << name << "]\nDriver=" << there.options.at("Driver")
                                         << "\nServername=" << there.host << "\nPort=" << there.port
                                         << "\nDatabase=" << there.database << "\n";
  const char* const before = std::getenv("ODBCINI");
  const std::string kept = before ? before : "";
  ::setenv("ODBCINI", folder.file("odbc.ini").c_str(), 1);
  endpoint by_name;
  by_name.user = there.user;
  by_name.password = there.password;
  by_name.options["DSN"] = name;
  by_name.options["ApplicationName"] = playground_->name();
  {
    odbc_client db(go_, by_name);
    EXPECT_EQ(db.text("SELECT current_database()"), there.database);
    EXPECT_EQ(db.text("SELECT current_user"), there.user);
    EXPECT_EQ(go_(db->describe()).role, server_info::role_type::primary);
  }
  by_name.options["DSN"] = "no_such_source";
  const auto unknown = refused(by_name);
  EXPECT_EQ(unknown.portable_code(), errc::invalid_configuration);
  EXPECT_NE(unknown.cause().find("no_such_source"), std::string::npos) << unknown.what();
  before ? ::setenv("ODBCINI", kept.c_str(), 1) : ::unsetenv("ODBCINI");
}

TEST_P(odbc_postgres_connect, nobody_listens_and_unknown_host) {
  auto to = where();
  {
    const tcp_gate gate(to.host, to.port);
    to.port = gate.port();
  }
  to.host = "127.0.0.1";
  const auto problem = refused(to);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere);
  EXPECT_NE(problem.cause().find("refused"), std::string::npos) << problem.what();
  EXPECT_NE(problem.cause().find(port_text(to)), std::string::npos) << problem.what();
  to.host = "no-such-host.invalid";
  const auto unknown = refused(to);
  EXPECT_EQ(unknown.portable_code(), errc::connect_failed);
  EXPECT_NE(unknown.cause().find("no-such-host.invalid"), std::string::npos);
}

TEST_P(odbc_postgres_connect, a_server_that_hangs_is_named) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  gate.blackhole();
  auto to = through(gate);
  to.connect_timeout = 100ms;
  const auto problem = refused(to);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("hung"), std::string::npos) << problem.what();
  EXPECT_NE(problem.cause().find(port_text(to)), std::string::npos) << problem.what();

  to.connect_timeout = 3s;
  auto attempt = with_timeout(50ms, driver_->connect(to));
  EXPECT_EQ(failure_of(go_, std::move(attempt)).portable_code(), errc::deadline_exceeded);

  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(wait_until([&] { return gate.accepted() == 3; }));
    stop.request_stop();
  });
  auto stopped = with_stop(stop.get_token(), driver_->connect(to));
  EXPECT_EQ(failure_of(go_, std::move(stopped)).portable_code(), errc::cancelled);
}

// Every place where a handshake can break off gives a plain error, and the next attempt works.
TEST_P(odbc_postgres_connect, broken_off_at_many_bytes) {
  const auto origin = playground_->endpoint();
  tcp_gate gate(origin.host, origin.port);
  std::uint64_t whole = 0;
  {
    odbc_client db(go_, through(gate));
    whole = gate.bytes_from_server();
  }
  ASSERT_GT(whole, 100u);
  for (std::uint64_t offset = 0; offset < whole; offset += 5 + offset / 10) {
    SCOPED_TRACE(offset);
    gate.pass();
    gate.cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    const auto code = refused(through(gate)).portable_code();
    EXPECT_TRUE(code == errc::connect_failed || code == errc::connection_lost) << to_string(code);
  }
  gate.pass();
  odbc_client db(go_, through(gate));
  EXPECT_EQ(db.text("SELECT 1"), "1");
  db.close();
  EXPECT_TRUE(playground_->sessions_become(0));
}

TEST_P(odbc_postgres_connect, tls) {
  auto to = where();
  const auto encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
  for (const auto mode : {tls_mode::disable, tls_mode::allow, tls_mode::prefer, tls_mode::require}) {
    to.tls = mode;
    odbc_client db(go_, to);
    EXPECT_EQ(db.query(encrypted).front().get<bool>(0), mode >= tls_mode::prefer);
    EXPECT_EQ(db.query("SELECT repeat('x', 1000) FROM generate_series(1, 2000)").size(), 2000u);
  }
  to.tls = tls_mode::verify_full;
  const auto problem = refused(to);
  EXPECT_EQ(problem.portable_code(), errc::connect_failed);
  EXPECT_NE(problem.cause().find("certificate"), std::string::npos) << problem.what();
  EXPECT_EQ(problem.disposition(), disposition::permanent);
}

// Whatever a password has in it, it is nothing but a password.
TEST_P(odbc_postgres_connect, passwords_and_users_with_any_character) {
  const std::string role = playground_->name() + "_odd";
  for (const std::string password : {"a;b", "x}", "}", "{x}", "}};{", " a ", "%41+", "=;Database=x", "'\"\\", "ü€😀"}) {
    SCOPED_TRACE(password);
    const std::string name = role + (password.starts_with('a') ? ";" : "");
    admin().execute("CREATE ROLE \"" + name + "\" LOGIN PASSWORD $pw$" + password + "$pw$");
    {
      auto to = where();
      to.schema.clear();
      to.user = name;
      to.password = secret(password);
      odbc_client db(go_, to);
      EXPECT_EQ(db.text("SELECT current_user"), name);
      EXPECT_EQ(db.text("SELECT current_database()"), to.database);
    }
    EXPECT_TRUE(playground_->sessions_become(0));
    admin().execute("DROP ROLE \"" + name + "\"");
  }
}

TEST_P(odbc_postgres_connect, schemas_with_any_name) {
  for (const std::string kind : {"With Blank", "quote\"d", "back\\slash", "comma,semi;", "bra}ces{"}) {
    const std::string name = kind + playground_->name();
    std::string quoted;
    for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    admin().execute("CREATE SCHEMA \"" + quoted + "\"");
    auto to = where();
    to.schema = name;
    {
      odbc_client db(go_, to);
      EXPECT_EQ(db.text("SELECT current_schema()"), name);
    }
    admin().execute("DROP SCHEMA \"" + quoted + "\"");
  }
}

TEST_P(odbc_postgres_connect, too_many_connections) {
  const std::string role = playground_->name() + "_limited";
  admin().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'limited-pass' CONNECTION LIMIT 1");
  {
    auto to = where();
    to.user = role;
    to.password = "limited-pass";
    odbc_client db(go_, to);
    const auto problem = refused(to);
    EXPECT_EQ(problem.portable_code(), errc::too_many_connections) << problem.what();
    EXPECT_EQ(problem.disposition(), disposition::retryable);
  }
  EXPECT_TRUE(playground_->sessions_become(0));
  admin().execute("DROP ROLE " + role);
}

TEST_P(odbc_postgres_connect, what_cannot_be_configured) {
  auto to = where();
  to.options["Driver"] = "no such driver";
  const auto unknown = refused(to);
  EXPECT_EQ(unknown.portable_code(), errc::invalid_configuration);
  EXPECT_NE(std::string(unknown.what()).find("no such driver"), std::string::npos) << unknown.what();
  to.options["Driver"] = "/nowhere/libnothing.so";
  EXPECT_EQ(refused(to).portable_code(), errc::invalid_configuration);
  to.options.erase("Driver");
  EXPECT_EQ(refused(to).portable_code(), errc::invalid_configuration);
  to.options["DSN"] = "no such source";
  EXPECT_EQ(refused(to).portable_code(), errc::invalid_configuration);
  to = where();
  to.options["PWD"] = "x";
  EXPECT_EQ(refused(to).portable_code(), errc::invalid_configuration);
  to = where();
  to.options["a=b;UID"] = "x";
  EXPECT_EQ(refused(to).portable_code(), errc::invalid_configuration);
  to = where();
  to.database = "x;Servername=elsewhere";
  EXPECT_EQ(refused(to).portable_code(), errc::invalid_configuration);
}

TEST_P(odbc_postgres_connect, deadline_of_the_past) {
  const auto to = where();
  auto attempt = with_deadline(time_point{}, driver_->connect(to));
  EXPECT_EQ(failure_of(go_, std::move(attempt)).portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(playground_->sessions(), 0);
}

}  // namespace
}  // namespace polypool::test
