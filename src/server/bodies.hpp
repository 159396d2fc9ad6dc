// SPDX-License-Identifier: Apache-2.0
// What the calls of the REST interface say in their bodies.
#pragma once

#include "server/json_body.hpp"

#include <polypool/config.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::server {

/// Databases and Redis have names of their own, and calls of their own.
enum class connection_kind : unsigned char { database, redis };
/// "database" or "redis", as bodies and answers say it.
std::string_view to_string(connection_kind kind) noexcept;
/// "database" or "Redis", as sentences say it.
std::string_view in_a_sentence(connection_kind kind) noexcept;

/// One connection to create.
struct creation {
  std::string name;
  std::string url;  ///< may hold a password: for the manager only
  bool activate = false;
};

struct removal {
  connection_kind kind = connection_kind::database;
  std::string name;
};

struct test_request {
  std::optional<std::string> database;
  std::optional<std::string> redis;
};

struct failover_request {
  std::string group;
  std::string to;  ///< a member; empty: the next that can take writes
};

// Each throws http_failure (400) that says which field is missing or wrong.

/// `{connections:[{name, url, setAsActive?}]}`; `databaseUrl` and `redisUrl` are other words for `url`.
std::vector<creation> decode_creations(std::string_view body, std::size_t max_depth = default_json_depth);
/// `{connectionName}`
std::string decode_connection_name(std::string_view body, std::size_t max_depth = default_json_depth);
/// `{environment}`
std::string decode_environment(std::string_view body, std::size_t max_depth = default_json_depth);
/// The same where the name may be left out.
std::optional<std::string> decode_optional_name(std::string_view body, std::size_t max_depth = default_json_depth);
/// A field that has to be there. @param missing the error text when it is not
std::string decode_field(std::string_view body, std::string_view field, std::string_view missing,
                         std::size_t max_depth = default_json_depth);
/// `{action}`; @param allowed for the answer to a body without it
std::string decode_action(std::string_view body, std::string_view allowed, std::size_t max_depth = default_json_depth);
/// `{type, connectionName}`
removal decode_removal(std::string_view body, std::size_t max_depth = default_json_depth);
/// `{database?, redis?}`
test_request decode_test(std::string_view body, std::size_t max_depth = default_json_depth);

/// `{group, to?}`
failover_request decode_failover(std::string_view body, std::size_t max_depth = default_json_depth);

/// What is wrong with a name for a new connection; empty when nothing is.
std::string problem_of_name(std::string_view name);

/// What is wrong with a configuration, a line each, as the answer to who sent it.
std::string lines_of(const config::configuration_error& wrong);

}  // namespace polypool::server
