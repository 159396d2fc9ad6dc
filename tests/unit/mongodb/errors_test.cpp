// SPDX-License-Identifier: Apache-2.0
// What complaints of MongoDB and libmongoc become.
#include "drivers/mongodb/errors.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace polypool::mongodb {
namespace {

bson_error_t made(std::uint32_t domain, std::uint32_t code, const char* words = "words") {
  bson_error_t out{};
  bson_set_error(&out, domain, code, "%s", words);
  return out;
}

TEST(mongodb_errors, codes_of_the_server) {
  const std::pair<int, errc> all[] = {
      {2, errc::invalid_value},          {9, errc::syntax_error},
      {13, errc::permission_denied},     {14, errc::invalid_value},
      {18, errc::authentication_failed}, {20, errc::unsupported},
      {26, errc::undefined_object},      {50, errc::deadline_exceeded},
      {59, errc::unsupported},           {67, errc::invalid_value},
      {91, errc::connection_lost},       {112, errc::serialization_failure},
      {121, errc::check_violation},      {189, errc::read_only},
      {251, errc::transaction_aborted},  {10107, errc::read_only},
      {11000, errc::unique_violation},   {11600, errc::connection_lost},
      {11602, errc::connection_lost},    {13435, errc::read_only},
      {13436, errc::read_only},          {14031, errc::disk_full},
      {424242, errc::database_error},    {0, errc::database_error},
  };
  for (const auto& [code, expected] : all) EXPECT_EQ(portable_code(code), expected) << code;
  const auto nobody = server_error(13, "command find requires authentication", nullptr);
  EXPECT_EQ(nobody.portable_code(), errc::authentication_failed);
  EXPECT_EQ(nobody.hint(), "configure a user and its password");
}

TEST(mongodb_errors, what_to_do_about_them) {
  EXPECT_EQ(server_error(11000, "duplicate", nullptr).disposition(), disposition::permanent);
  EXPECT_FALSE(server_error(11000, "duplicate", nullptr).poisons_session());
  EXPECT_EQ(server_error(50, "late", nullptr).disposition(), disposition::retryable) << "the server ended it";
  EXPECT_FALSE(server_error(50, "late", nullptr).poisons_session());
  for (const int code : {91, 189, 10058, 10107, 11600, 11602, 13435, 13436}) {
    const auto problem = server_error(code, "bye", nullptr);
    EXPECT_EQ(problem.disposition(), disposition::retryable_elsewhere) << code;
    EXPECT_TRUE(problem.poisons_session()) << code;
  }
  EXPECT_EQ(server_error(64, "waiting for replication", nullptr).disposition(), disposition::in_doubt);
  EXPECT_EQ(server_error(112, "conflict", nullptr).disposition(), disposition::retryable);
  const auto problem = server_error(26, "ns not found", nullptr);
  EXPECT_EQ(problem.native_code(), 26);
  EXPECT_EQ(problem.server_message(), "ns not found");
}

TEST(mongodb_errors, labels) {
  bson_t* const transient = BCON_NEW("errorLabels", "[", "TransientTransactionError", "]");
  EXPECT_EQ(server_error(251, "gone", transient).disposition(), disposition::retryable);
  EXPECT_EQ(server_error(251, "gone", nullptr).disposition(), disposition::permanent);
  bson_destroy(transient);
  bson_t* const unknown = BCON_NEW("errorLabels", "[", "UnknownTransactionCommitResult", "]");
  EXPECT_EQ(server_error(50, "late", unknown).disposition(), disposition::in_doubt);
  bson_destroy(unknown);
}

TEST(mongodb_errors, libmongoc_itself) {
  network connections{tls_settings()};
  const auto of = [&](const bson_error_t& problem) { return call_error(problem, nullptr, connections, "a:1"); };
  auto problem = of(made(MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET));
  EXPECT_EQ(problem.portable_code(), errc::connection_lost);
  EXPECT_TRUE(problem.poisons_session());
  EXPECT_NE(problem.cause().find("a:1"), std::string::npos);
  EXPECT_EQ(of(made(MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_INVALID_REPLY)).portable_code(),
            errc::connection_lost);
  EXPECT_EQ(of(made(MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_SERVER_SELECTION_FAILURE)).disposition(),
            disposition::retryable);
  EXPECT_EQ(of(made(MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE)).portable_code(),
            errc::authentication_failed);
  EXPECT_EQ(of(made(MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_SESSION_FAILURE)).portable_code(), errc::unsupported);
  EXPECT_EQ(of(made(MONGOC_ERROR_COMMAND, MONGOC_ERROR_COMMAND_INVALID_ARG)).portable_code(), errc::invalid_argument);
  EXPECT_EQ(of(made(MONGOC_ERROR_BSON, MONGOC_ERROR_BSON_INVALID)).portable_code(), errc::invalid_value);
  EXPECT_EQ(of(made(MONGOC_ERROR_SCRAM, MONGOC_ERROR_SCRAM_PROTOCOL_ERROR)).portable_code(),
            errc::authentication_failed);
  EXPECT_EQ(of(made(MONGOC_ERROR_TRANSACTION, MONGOC_ERROR_TRANSACTION_INVALID_STATE)).portable_code(),
            errc::invalid_argument);
  connections.note("b:2", network::problem_kind::broken, "Connection reset by peer");
  EXPECT_NE(of(made(MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET)).cause().find("b:2: Connection reset"),
            std::string::npos);
}

TEST(mongodb_errors, connecting) {
  network connections{tls_settings()};
  const secret password("hush-hush");
  const auto of = [&](const bson_error_t& problem) { return connect_error(problem, connections, "a:1", password); };
  const auto refused = of(made(MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE, "no: hush-hush"));
  EXPECT_EQ(refused.portable_code(), errc::authentication_failed);
  EXPECT_EQ(refused.disposition(), disposition::permanent);
  EXPECT_EQ(std::string(refused.what()).find("hush"), std::string::npos);
  EXPECT_EQ(of(made(MONGOC_ERROR_SERVER, 18)).portable_code(), errc::authentication_failed);
  EXPECT_EQ(of(made(MONGOC_ERROR_SERVER, 13)).portable_code(), errc::permission_denied);
  EXPECT_EQ(of(made(MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION)).portable_code(),
            errc::unsupported_database);
  const auto nobody = made(MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_SERVER_SELECTION_FAILURE);
  EXPECT_EQ(of(nobody).portable_code(), errc::connect_failed);
  connections.note("a:1", network::problem_kind::unreachable, "Connection refused");
  EXPECT_EQ(of(nobody).disposition(), disposition::retryable_elsewhere);
  EXPECT_NE(of(nobody).cause().find("Connection refused"), std::string::npos);
  connections.note("a:1", network::problem_kind::tls, "the TLS handshake failed");
  EXPECT_EQ(of(nobody).disposition(), disposition::permanent);
}

TEST(mongodb_errors, long_messages_are_whole) {
  const std::string words(2000, 'w');
  bson_t* const reply = BCON_NEW("errmsg", words.c_str());
  network connections{tls_settings()};
  const auto problem = call_error(made(MONGOC_ERROR_SERVER, 2, words.c_str()), reply, connections, "a:1");
  EXPECT_EQ(problem.server_message().size(), 2000u);
  bson_destroy(reply);
}

}  // namespace
}  // namespace polypool::mongodb
