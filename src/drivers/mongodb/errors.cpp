// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/errors.hpp"

#include <algorithm>
#include <array>

namespace polypool::mongodb {
namespace {

using enum disposition;

bool has_label(const bson_t* reply, const char* label) noexcept {
  return reply && mongoc_error_has_label(reply, label);
}

std::string_view hint_for(int code) noexcept {
  switch (code) {
    case 13:
      return "give the user a role that allows it";
    case 20:
    case 123:
    case 263:
      return "transactions and change streams take a replica set";
    case 43:
      return "a cursor that nobody reads for ten minutes is closed by the server; read it faster, or in smaller "
             "batches";
    case 50:
      return "the server gave up at the caller's deadline; an index may help";
    case 67:
    case 85:
    case 86:
      return "compare it with list_indexes(); an index that exists with other options has to be dropped first";
    case 112:
    case 246:
    case 251:
      return "run the whole transaction again";
    case 10107:
    case 13435:
    case 13436:
    case 189:
      return "the server is not the primary (any more); configure replica_set, so that the primary is found";
    default:
      return {};
  }
}

// Who shuts down or steps down answers, and its other answers will be no better.
bool server_leaves(int code) noexcept {
  constexpr std::array codes{91, 189, 10058, 10107, 11600, 11602, 13435, 13436};
  return std::ranges::find(codes, code) != codes.end();
}

bool is_server_domain(std::uint32_t domain) noexcept {
  return domain == MONGOC_ERROR_SERVER || domain == MONGOC_ERROR_QUERY || domain == MONGOC_ERROR_WRITE_CONCERN;
}

std::string_view hint_for(network::problem_kind kind) noexcept {
  switch (kind) {
    case network::problem_kind::unknown_name:
      return "check `host`";
    case network::problem_kind::unreachable:
      return "is the server running, and listening there?";
    case network::problem_kind::tls:
      return "check tls_ca_file, the host's name, and whether the server speaks TLS at this port";
    case network::problem_kind::broken:
      return "a server closes new connections when it has no room for more (net.maxIncomingConnections), and when one "
             "side speaks TLS and the other does not (sslmode)";
    case network::problem_kind::silent:
      return "check the address, the network and firewalls, and whether the server is frozen";
  }
  return {};
}

error lost(std::string_view place, const network& connections, std::string_view words) {
  std::string why = connections.describe_problems();
  if (why.empty()) why = words;
  error problem(errc::connection_lost, "the session with MongoDB at " + std::string(place) + " broke: " + why);
  problem.with_poisoned_session();
  return problem;
}

// A bson_error_t cuts long messages.
std::string whole_message(const bson_error_t& problem, const bson_t* reply) {
  bson_iter_t at;
  std::uint32_t size = 0;
  if (reply && bson_iter_init_find(&at, reply, "errmsg") && BSON_ITER_HOLDS_UTF8(&at)) {
    const char* text = bson_iter_utf8(&at, &size);
    return {text, size};
  }
  return problem.message;
}

error client_error(const bson_error_t& problem) {
  const std::string_view words = problem.message;
  switch (problem.code) {
    case MONGOC_ERROR_CLIENT_AUTHENTICATE:
    case MONGOC_ERROR_CLIENT_GETNONCE:
      return error(errc::authentication_failed, words).with_poisoned_session();
    case MONGOC_ERROR_CLIENT_SESSION_FAILURE:
      return error(errc::unsupported, words);
    case MONGOC_ERROR_CLIENT_TOO_BIG:
      return error(errc::invalid_value, words);
    default:
      return error(errc::invalid_argument, words);
  }
}

}  // namespace

bool is_network_problem(const bson_error_t& problem) noexcept {
  return problem.domain == MONGOC_ERROR_STREAM || problem.domain == MONGOC_ERROR_PROTOCOL;
}

bool is_selection_problem(const bson_error_t& problem) noexcept {
  return problem.domain == MONGOC_ERROR_SERVER_SELECTION && problem.code != MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION;
}

error server_error(int server_code, std::string_view words, const bson_t* reply) {
  auto code = portable_code(server_code);
  if (server_code == 13 && words.contains("requires authentication")) code = errc::authentication_failed;
  error problem(code, words);
  problem.with_native_code(server_code).with_server_message(words).with_hint(hint_for(server_code));
  if (code == errc::authentication_failed) problem.with_hint("configure a user and its password");
  if (server_leaves(server_code)) problem.with_poisoned_session().with_disposition(retryable_elsewhere);
  if (code == errc::connection_lost && !server_leaves(server_code)) problem.with_disposition(retryable_elsewhere);
  if (code == errc::deadline_exceeded) problem.with_disposition(retryable);  // the server ended it
  if (code == errc::cancelled) problem.with_disposition(permanent);
  if (server_code == 64 || server_code == 100) {
    problem.with_disposition(disposition::in_doubt)
        .with_hint("it is written, but not on as many servers as the write concern asks for");
  }
  if (has_label(reply, "UnknownTransactionCommitResult")) {
    problem.with_disposition(disposition::in_doubt);
  } else if (has_label(reply, "TransientTransactionError")) {
    problem.with_disposition(retryable).with_hint("run the whole transaction again");
  }
  return problem;
}

error call_error(const bson_error_t& problem, const bson_t* reply, const network& connections, std::string_view place) {
  const std::string_view words = problem.message;
  if (is_server_domain(problem.domain)) {
    return server_error(static_cast<int>(problem.code), whole_message(problem, reply), reply);
  }
  if (is_network_problem(problem)) return lost(place, connections, words);
  switch (problem.domain) {
    case MONGOC_ERROR_CLIENT:
      // A connection that had to be made anew for this call failed.
      if (problem.code == MONGOC_ERROR_STREAM_CONNECT) return lost(place, connections, words);
      return client_error(problem);
    case MONGOC_ERROR_SERVER_SELECTION: {
      if (problem.code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION) return {errc::unsupported, words};
      error none(errc::connection_lost,
                 "no server of MongoDB at " + std::string(place) + " can do this now: " +
                     (connections.problems().empty() ? std::string(words) : connections.describe_problems()));
      none.with_poisoned_session().with_disposition(retryable);  // nothing was sent
      return none;
    }
    case MONGOC_ERROR_BSON:
    case MONGOC_ERROR_CURSOR:
    case MONGOC_ERROR_COMMAND:
      return {problem.domain == MONGOC_ERROR_BSON ? errc::invalid_value : errc::invalid_argument, words};
    case MONGOC_ERROR_TRANSACTION:
      return {errc::invalid_argument, words};
    case MONGOC_ERROR_SASL:
    case MONGOC_ERROR_SCRAM:
      return error(errc::authentication_failed, words).with_poisoned_session();
    default:
      return {errc::database_error, words};
  }
}

error connect_error(const bson_error_t& problem, const network& connections, std::string_view place,
                    const secret& password) {
  const std::string at = "cannot connect to MongoDB at " + std::string(place) + ": ";
  const std::string words = redact(problem.message, password);
  const bool server_said = is_server_domain(problem.domain);
  // libmongoc calls everything that goes wrong between hello and login a failure of authentication.
  const bool cut = words.contains("socket") && !connections.problems().empty();
  const bool refused =
      !cut && (problem.domain == MONGOC_ERROR_SASL || problem.domain == MONGOC_ERROR_SCRAM ||
               (problem.domain == MONGOC_ERROR_CLIENT && problem.code == MONGOC_ERROR_CLIENT_AUTHENTICATE) ||
               (server_said && portable_code(static_cast<int>(problem.code)) == errc::authentication_failed));
  if (refused) {
    error out(errc::authentication_failed, at + words);
    return out.with_hint("check user, password, auth_source, and what authentication the server has switched on")
        .with_native_code(server_said ? static_cast<int>(problem.code) : 0)
        .with_server_message(words);
  }
  if (server_said) {
    error said = server_error(static_cast<int>(problem.code), words, nullptr);
    error out(said.portable_code() == errc::database_error ? errc::connect_failed : said.portable_code(), at + words);
    return out.with_native_code(said.native_code()).with_server_message(words).with_disposition(said.disposition());
  }
  if (problem.code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION) {
    return error(errc::unsupported_database, at + words).with_hint("libmongoc 1.23 takes MongoDB 3.6 to 6.0 and newer");
  }
  if (connections.problems().empty()) {
    error out(errc::connect_failed, at + words);
    if (words.contains("SRV")) return out.with_hint("check the name, and its records in DNS");
    if (words.contains("closed")) return out.with_hint(hint_for(network::problem_kind::broken));
    return out.with_hint("with `replica_set`: is the server a member of a set of that name, and is the set initiated?");
  }
  const auto& first = connections.problems().begin()->second;
  error out(errc::connect_failed, at + redact(connections.describe_problems(), password));
  if (first.kind == network::problem_kind::tls) out.with_disposition(permanent);
  return out.with_hint(hint_for(first.kind));
}

}  // namespace polypool::mongodb
