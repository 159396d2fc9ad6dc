// SPDX-License-Identifier: Apache-2.0
// Servers that refuse, hang, restart, or are not what they should be; and what a session leaves behind.
#include "fixture.hpp"
#include "support/caught.hpp"
#include "support/tcp_gate.hpp"

#include <cstdlib>

namespace polypool::test {
namespace {

using redis_trouble = redis_private_ways;
POLYPOOL_BOTH_WAYS(redis_trouble);

TEST_P(redis_trouble, passwords_and_users) {
  private_redis server(redis_lines{{"requirepass", "hunter2"}, {"user", "ann on >secret ~* +@all -flushall"}});
  auto where = server.address().to_endpoint("test");
  redis_client right(go_, where);
  EXPECT_EQ(right.shown("PING"), "PONG");
  where.options["protocol"] = "2";
  EXPECT_EQ(redis_client(go_, where).shown("PING"), "PONG");
  where.options.erase("protocol");
  where.user = "ann";
  where.password = secret("secret");
  redis_client ann(go_, where);
  EXPECT_EQ(ann.shown("ACL", "WHOAMI"), "\"ann\"");
  EXPECT_EQ(ann.failure("FLUSHALL").portable_code(), errc::permission_denied);
  for (const std::string protocol : {"2", "3"}) {
    where.options["protocol"] = protocol;
    where.user.clear();
    where.password = secret("wrong-hunter3");
    const auto refused = connect_failure(where);
    EXPECT_EQ(refused.portable_code(), errc::authentication_failed) << refused.what();
    EXPECT_EQ(refused.disposition(), disposition::permanent);
    EXPECT_THAT(refused.what(), Not(HasSubstr("hunter3")));
    EXPECT_THAT(refused.what(), HasSubstr("127.0.0.1"));
    where.password = secret();
    const auto missing = connect_failure(where);
    EXPECT_EQ(missing.portable_code(), errc::authentication_failed) << missing.what();
    EXPECT_THAT(missing.what(), HasSubstr("password"));
  }
}

TEST_P(redis_trouble, a_full_server_says_so) {
  private_redis server(redis_lines{{"maxclients", "2"}});
  auto one = make_client(server.address());
  auto two = make_client(server.address());
  const auto refused = connect_failure(server.address().to_endpoint("test"));
  EXPECT_EQ(refused.portable_code(), errc::too_many_connections) << refused.what();
  EXPECT_EQ(refused.disposition(), disposition::retryable);
  EXPECT_THAT(refused.what(), HasSubstr("maxclients"));
}

TEST_P(redis_trouble, unreachable_servers) {
  endpoint nowhere;
  nowhere.host = "127.0.0.1";
  nowhere.port = free_port();
  const auto refused = connect_failure(nowhere);
  EXPECT_EQ(refused.portable_code(), errc::connect_failed);
  EXPECT_THAT(refused.what(), HasSubstr(std::to_string(nowhere.port)));
  nowhere.host = "no-such-host.invalid";
  EXPECT_THAT(connect_failure(nowhere).what(), HasSubstr("resolved"));
  tcp_gate gate("127.0.0.1", 1);
  gate.blackhole();
  endpoint hung;
  hung.host = "127.0.0.1";
  hung.port = gate.port();
  hung.connect_timeout = 100ms;
  const auto late = connect_failure(hung);
  EXPECT_EQ(late.portable_code(), errc::connect_failed) << late.what();
  EXPECT_THAT(late.what(), HasSubstr("says nothing"));
  hung.connect_timeout = 60s;
  const auto deadline = failure_of(go_, with_timeout(50ms, redis::make_driver()->connect(hung)));
  EXPECT_EQ(deadline.portable_code(), errc::deadline_exceeded) << deadline.what();
  endpoint wrong;
  wrong.host = "127.0.0.1";
  wrong.options["clutser"] = "true";
  EXPECT_EQ(connect_failure(wrong).portable_code(), errc::invalid_configuration);
  wrong.options = {{"protocol", "4"}};
  EXPECT_EQ(connect_failure(wrong).portable_code(), errc::invalid_configuration);
  wrong.options.clear();
  wrong.host = "a,b";
  EXPECT_THAT(connect_failure(wrong).what(), HasSubstr("cluster"));
}

TEST_P(redis_trouble, encrypted) {
  const temporary_folder folder;
  const std::string make_certificate =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
      folder.file("key") + " -out " + folder.file("cert") + " >/dev/null 2>&1";
  ASSERT_EQ(std::system(make_certificate.c_str()), 0);
  private_redis server(redis_lines{{"tls-port", "yes"},
                                   {"tls-cert-file", folder.file("cert")},
                                   {"tls-key-file", folder.file("key")},
                                   {"tls-auth-clients", "no"}});
  auto where = server.address().to_endpoint("test");
  where.tls = tls_mode::verify_full;
  where.options["sslrootcert"] = folder.file("cert");
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    where.host = host;
    redis_client db(go_, where);
    EXPECT_EQ(db.shown("SET", "a", "1"), "OK");
    std::string large(3'000'000, 'x');
    for (std::size_t i = 0; i < large.size(); i += 1000) large[i] = static_cast<char>(i % 256);
    db.run("SET", "large", large);
    EXPECT_TRUE(db.run("GET", "large").text() == large);
    redis_batch many;
    for (int i = 0; i < 2000; ++i) many.add(redis_command("INCR", "n"));
    EXPECT_EQ(db.run_all(many).size(), 2000u);
  }
  where.tls = tls_mode::require;
  where.options.clear();
  EXPECT_EQ(redis_client(go_, where).shown("PING"), "PONG") << "require does not look at the certificate";
  where.tls = tls_mode::prefer;
  EXPECT_EQ(connect_failure(where).portable_code(), errc::invalid_configuration);
  where.tls = tls_mode::verify_full;
  const auto unknown = connect_failure(where);
  EXPECT_EQ(unknown.portable_code(), errc::connect_failed);
  EXPECT_EQ(unknown.disposition(), disposition::permanent);
  EXPECT_THAT(unknown.what(), HasSubstr("certificate"));
  where.tls = tls_mode::disable;
  where.connect_timeout = 5s;
  EXPECT_EQ(connect_failure(where).portable_code(), errc::connect_failed) << "plain text to a TLS port";
  where.options["sslrootcert"] = folder.file("none");
  where.tls = tls_mode::verify_ca;
  EXPECT_EQ(connect_failure(where).portable_code(), errc::invalid_configuration);

  private_redis plain;
  auto other = plain.address().to_endpoint("test");
  other.tls = tls_mode::require;
  other.connect_timeout = 200ms;  // plain Redis waits for the end of a line
  EXPECT_THAT(connect_failure(other).what(), HasSubstr("TLS"));
}

TEST_P(redis_trouble, roles) {
  private_redis primary;
  private_redis replica(redis_lines{{"replicaof", "127.0.0.1 " + std::to_string(primary.address().port)}});
  auto db = make_client(replica.address());
  EXPECT_EQ(go_(db->describe()).role, server_info::role_type::replica);
  const auto refused = db.failure("SET", "a", 1);
  EXPECT_EQ(refused.portable_code(), errc::read_only);
  EXPECT_EQ(refused.disposition(), disposition::retryable_elsewhere);
  EXPECT_TRUE(refused.poisons_session());
  EXPECT_TRUE(db->broken()) << "the pool has to look for another one";
}

TEST_P(redis_trouble, reset_leaves_nothing_behind) {
  private_redis server;
  redis_admin admin(server.address());
  for (const std::string protocol : {"3", "2"}) {
    auto where = server.address().to_endpoint("mine");
    where.database = "2";
    where.options["protocol"] = protocol;
    redis_client db(go_, where);
    db.run("SET", "here", "two");
    db.run("SELECT", 5);
    EXPECT_TRUE(db->dirty());
    db.reset();
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(db.shown("GET", "here"), "\"two\"");
    db.run("WATCH", "here");
    db.run("MULTI");
    db.run("SET", "here", "changed");
    db.reset();
    EXPECT_EQ(db.shown("GET", "here"), "\"two\"");
    EXPECT_EQ(db.failure("EXEC").portable_code(), errc::invalid_argument) << "no transaction is open";
    db.run("WATCH", "here");
    db.reset();
    admin({"SELECT", "2"});
    admin({"SET", "here", "two"});
    redis_batch touch;
    touch.add(redis_command("MULTI")).add(redis_command("INCR", "n")).add(redis_command("EXEC"));
    EXPECT_FALSE(db.run_all(touch)[2].is_null()) << "nothing is watched";
    db.run("CLIENT", "SETNAME", "other");
    db.run("CLIENT", "NO-EVICT", "on");
    db.reset();
    EXPECT_FALSE(db->dirty());
    EXPECT_EQ(db.shown("CLIENT", "GETNAME"), "\"mine\"");
    EXPECT_EQ(db.shown("GET", "here"), "\"two\"") << "still database 2";
    EXPECT_EQ(db->protocol(), std::stoi(protocol));
  }
}

// Bytes cut off at every place of the introduction and of a reply.
TEST_P(redis_trouble, cut_at_every_step) {
  private_redis server;
  {
    auto db = make_client(server.address());
    db.run("SET", "a", std::string(50, 'x'));
  }
  tcp_gate gate("127.0.0.1", server.address().port);
  auto where = server.address().to_endpoint("test");
  where.port = gate.port();
  for (std::uint64_t cut = 0; cut < 140; cut += 7) {  // HELLO's answer is a little longer
    gate.cut_after(cut, cut % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    EXPECT_EQ(connect_failure(where).portable_code(), errc::connect_failed) << "after " << cut;
  }
  where.options["protocol"] = "2";
  constexpr std::uint64_t introduction = 5;  // "+OK", to CLIENT SETNAME
  for (std::uint64_t cut = 0; cut < 57; cut += 3) {
    gate.cut_after(introduction + cut, cut % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
    redis_client db(go_, where);
    const auto lost = db.failure("GET", "a");
    EXPECT_EQ(lost.portable_code(), errc::connection_lost) << "after " << cut;
    EXPECT_TRUE(lost.poisons_session());
    EXPECT_TRUE(db->broken());
    EXPECT_EQ(db.failure("GET", "a").disposition(), disposition::retryable) << "nothing was sent";
  }
  gate.corrupt_at(introduction);
  redis_client odd(go_, where);
  EXPECT_THAT(odd.failure("GET", "a").what(), HasSubstr("not RESP"));
}

// Each operation meets a connection that breaks off in its answer.
TEST_P(redis_trouble, cut_at_every_step_of_a_sessions_life) {
  private_redis server;
  redis_admin admin(server.address());
  tcp_gate gate("127.0.0.1", server.address().port);
  int confirmed = 0;
  const auto life = [&](redis_client& db) {
    go_(db->probe());
    go_(db->describe());
    redis_batch many;
    for (int i = 0; i < 5; ++i) many.add(redis_command("SET", i, i)).add(redis_command("GET", i));
    db.run_all(many);
    redis_batch atomic;
    atomic.add(redis_command("MULTI")).add(redis_command("INCR", "n")).add(redis_command("EXEC"));
    db.run_all(atomic);
    ++confirmed;
    db.run("EVAL", "return {1, {'two', ARGV[1]}}", 0, "three");
    db.run("SELECT", 3);
    db.reset();
    const redis_command subscribe("SUBSCRIBE", "news");
    go_(db->send(subscribe));
    go_(db->next_push());
    admin({"PUBLISH", "news", "something new"});
    EXPECT_EQ(go_(db->next_push())[2].text(), "something new");
    db.reset();
    EXPECT_EQ(admin({"PUBLISH", "news", "to nobody"}), "0");
    EXPECT_EQ(db.shown("PING"), "PONG");
  };
  for (const std::string protocol : {"3", "2"}) {
    auto where = server.address().to_endpoint("test");
    where.port = gate.port();
    where.options["protocol"] = protocol;
    gate.pass();
    const auto before = gate.bytes_from_server();
    redis_client whole(go_, where);
    const auto introduction = gate.bytes_from_server() - before;
    life(whole);
    const auto all = gate.bytes_from_server() - before;
    for (auto offset = introduction + 2; offset + 8 < all; offset += (all - introduction) / 60) {
      SCOPED_TRACE(protocol + " after " + std::to_string(offset - introduction));
      gate.cut_after(offset, offset % 2 == 0 ? tcp_gate::ending::fin : tcp_gate::ending::rst);
      redis_client db(go_, where);
      const auto lost = caught([&] { life(db); });
      EXPECT_EQ(lost.portable_code(), errc::connection_lost) << lost.what();
      EXPECT_TRUE(db->broken());
    }
  }
  EXPECT_GE(std::stoi(admin({"GET", "n"})), confirmed) << "nothing that was confirmed is lost";
}

TEST_P(redis_trouble, a_frozen_server) {
  private_redis server;
  auto db = make_client(server.address());
  server.suspend();
  const redis_command set("SET", "a", 1);
  const auto late = failure_of(go_, with_timeout(50ms, db->execute(set)));
  EXPECT_EQ(late.portable_code(), errc::deadline_exceeded);
  EXPECT_EQ(late.disposition(), disposition::in_doubt);
  EXPECT_EQ(db->abandoned(), 1u);
  EXPECT_TRUE(db->dirty());
  EXPECT_EQ(failure_of(go_, with_timeout(50ms, db->reset())).portable_code(), errc::deadline_exceeded);
  EXPECT_TRUE(db->broken()) << "what cannot be cleaned is not used again";
  server.resume();
  auto again = make_client(server.address());
  EXPECT_EQ(again.shown("GET", "a"), "\"1\"") << "it was sent, after all";
  const redis_command pause("DEBUG", "SLEEP", "0.2");
  EXPECT_EQ(failure_of(go_, with_timeout(20ms, again->execute(pause))).portable_code(), errc::deadline_exceeded);
  again.reset();
  EXPECT_FALSE(again->dirty());
  EXPECT_EQ(again.shown("ECHO", "mine"), "\"mine\"") << "the late reply was thrown away";
}

TEST_P(redis_trouble, interrupted) {
  private_redis server;
  auto db = make_client(server.address());
  db->interrupt();
  EXPECT_EQ(db.failure("PING").portable_code(), errc::connection_closed);
  EXPECT_TRUE(db->broken());
}

// A server that is stopped closes its sessions; seen before anything is sent, nobody is in doubt.
TEST_P(redis_trouble, restarted_while_idle) {
  private_redis server;
  auto db = make_client(server.address());
  EXPECT_EQ(db.shown("PING"), "PONG");
  server.restart();
  const auto lost = db.failure("INCR", "n");
  EXPECT_EQ(lost.portable_code(), errc::connection_lost);
  EXPECT_EQ(lost.disposition(), disposition::retryable);
  auto again = make_client(server.address());
  EXPECT_EQ(again.shown("INCR", "n"), "1");
}

}  // namespace
}  // namespace polypool::test
