// SPDX-License-Identifier: Apache-2.0
// What Redis complains about, as polypool::error.
#include <polypool/redis_reply.hpp>

#include <array>

namespace polypool {
namespace {

struct mapping {
  std::string_view begins;  // with this text, or contains it where it starts with a '*'
  errc code;
  disposition what_now;
  std::string_view hint;
  bool poisons = false;
};

using enum disposition;

// The first that fits.
constexpr std::array mappings{
    mapping{"WRONGTYPE", errc::type_mismatch, permanent, {}},
    mapping{"MOVED", errc::database_error, retryable_elsewhere,
            "the server is part of a cluster: set the option cluster=true"},
    mapping{"ASK ", errc::database_error, retryable_elsewhere,
            "the server is part of a cluster: set the option cluster=true"},
    mapping{"READONLY", errc::read_only, retryable_elsewhere, {}, true},
    mapping{"LOADING", errc::connect_failed, retryable,
            "the server reads its data from disk; it answers once that is done"},
    mapping{"NOAUTH", errc::authentication_failed, permanent, "the server wants a password: configure one", true},
    mapping{"WRONGPASS", errc::authentication_failed, permanent, "check user and password"},
    mapping{"NOPERM", errc::permission_denied, permanent, "the server's ACL does not allow it to this user"},
    mapping{"NOSCRIPT", errc::undefined_object, permanent,
            "eval() sends the script by itself where the server does not know it"},
    mapping{"OOM", errc::disk_full, retryable, "the server is at its maxmemory"},
    mapping{"BUSYKEY", errc::unique_violation, permanent, {}},
    mapping{"BUSYGROUP", errc::unique_violation, permanent, {}},
    mapping{"BUSY ", errc::lock_timeout, retryable, "a script runs for long; SCRIPT KILL ends it"},
    mapping{"NOGROUP", errc::undefined_object, permanent, {}},
    mapping{"CLUSTERDOWN", errc::connect_failed, retryable, {}},
    mapping{"TRYAGAIN", errc::serialization_failure, retryable, {}},
    mapping{"CROSSSLOT", errc::invalid_argument, permanent,
            "in a cluster the keys of one command share a slot: give them a common {tag}"},
    mapping{"MASTERDOWN", errc::connect_failed, retryable_elsewhere, {}},
    mapping{"EXECABORT", errc::transaction_aborted, permanent, {}},
    mapping{"NOREPLICAS", errc::database_error, retryable, {}},
    mapping{"MISCONF", errc::disk_full, permanent, "the server cannot save its data; see its log"},
    mapping{"UNBLOCKED", errc::cancelled, retryable, {}},
    mapping{"UNKILLABLE", errc::database_error, permanent, {}},
    mapping{"DENIED", errc::connect_failed, permanent, "set a password, or see protected-mode", true},
    mapping{"ERR max number of clients reached", errc::too_many_connections, retryable,
            "lower the pools' limits or raise the server's maxclients", true},
    mapping{"ERR unknown command", errc::undefined_object, permanent, {}},
    mapping{"ERR unknown subcommand", errc::undefined_object, permanent, {}},
    mapping{"ERR Unknown subcommand", errc::undefined_object, permanent, {}},
    mapping{"ERR no such key", errc::undefined_object, permanent, {}},
    mapping{"ERR wrong number of arguments", errc::parameter_count, permanent, {}},
    mapping{"ERR syntax error", errc::syntax_error, permanent, {}},
    mapping{"ERR Protocol error", errc::connection_lost, disposition::in_doubt, {}, true},
    mapping{"ERR invalid password", errc::authentication_failed, permanent, "check user and password"},
    mapping{"ERR Client sent AUTH, but no password is set", errc::authentication_failed, permanent,
            "the server has no password: configure none"},
    mapping{"ERR AUTH <password> called without any password", errc::authentication_failed, permanent,
            "the server has no password: configure none"},
    mapping{"ERR operation not permitted", errc::authentication_failed, permanent,
            "the server wants a password: configure one"},
    mapping{"* without MULTI", errc::invalid_argument, permanent, {}},
    mapping{"*MULTI calls can not be nested", errc::invalid_argument, permanent, {}},
    mapping{"* inside MULTI is not allowed", errc::invalid_argument, permanent, {}},
    mapping{"* is not an integer", errc::invalid_value, permanent, {}},
    mapping{"* is not a valid float", errc::invalid_value, permanent, {}},
    mapping{"* is not a float", errc::invalid_value, permanent, {}},
    mapping{"* out of range", errc::invalid_value, permanent, {}},
    mapping{"ERR invalid ", errc::invalid_value, permanent, {}},
    mapping{"ERR increment or decrement would overflow", errc::invalid_value, permanent, {}},
};

bool fits(const mapping& row, std::string_view text) noexcept {
  if (row.begins.starts_with('*')) return text.contains(row.begins.substr(1));
  return text.starts_with(row.begins);
}

}  // namespace

error redis_error(std::string_view text) {
  mapping found{{}, errc::database_error, permanent, {}};
  for (const auto& row : mappings) {
    if (!fits(row, text)) continue;
    found = row;
    break;
  }
  error problem(found.code, text);
  problem.with_server_message(text).with_disposition(found.what_now).with_hint(found.hint);
  problem.with_poisoned_session(found.poisons);
  return problem;
}

}  // namespace polypool
