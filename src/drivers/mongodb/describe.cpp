// SPDX-License-Identifier: Apache-2.0
// What a server is, and how far it is behind.
#include "driver/replication_position.hpp"
#include "drivers/mongodb/bson_reader.hpp"
#include "drivers/mongodb/bson_writer.hpp"
#include "drivers/mongodb/guard.hpp"

namespace polypool::mongodb {
namespace {

bool says(const document& hello, const char* name) {
  const auto* found = hello.if_contains(name);
  return found && found->is_bool() && found->get_bool();
}

const document* part_of(const document* whole, const char* name) {
  const auto* found = whole ? whole->if_contains(name) : nullptr;
  return found && found->is_object() ? &found->get_object() : nullptr;
}

std::optional<std::int64_t> number_of(const document& whole, const char* name) {
  const auto* found = whole.if_contains(name);
  if (!found || !found->is_number()) return std::nullopt;
  return found->to_number<std::int64_t>();
}

// `lastWrite.opTime`; servers that stand alone, and mongos, have none.
std::string position_in(const document& hello) {
  const auto* optime = part_of(part_of(&hello, "lastWrite"), "opTime");
  const auto* stamp = part_of(part_of(optime, "ts"), "$timestamp");
  if (!stamp) return {};
  const auto term = number_of(*optime, "t");
  const auto seconds = number_of(*stamp, "t");
  const auto increment = number_of(*stamp, "i");
  if (!term || !seconds || !increment || *seconds < 0 || *increment < 0) return {};
  return optime_position(*term, static_cast<std::uint64_t>(*seconds), static_cast<std::uint64_t>(*increment));
}

server_info::role_type role_in(const document& hello) {
  using role = server_info::role_type;
  if (says(hello, "isWritablePrimary") || says(hello, "ismaster")) {
    return says(hello, "readOnly") ? role::read_only : role::primary;
  }
  return says(hello, "secondary") ? role::replica : role::unknown;
}

}  // namespace

// The primary's last operation; empty when there is no primary now.
std::string session::position_of_primary() {
  bson_error_t problem{};
  const native_ptr<mongoc_server_description_t> primary(
      mongoc_client_select_server(client_.get(), true, nullptr, &problem));
  bson_document command;
  bson_document reply;
  bson_append_int32(command.get(), "hello", -1, 1);
  auto* const into = reply.for_output();
  const bool answered = primary && mongoc_client_command_simple_with_server_id(
                                       client_.get(), "admin", command.get(), nullptr,
                                       mongoc_server_description_id(primary.get()), into, &problem);
  if (answered) return position_in(read_document(reply.get(), json_form::relaxed));
  // The server that was asked is well; only a caller whose time is over is told.
  if (network_.waits().struck() != watch::reason::none) fail(problem, nullptr, false);
  return {};
}

task<server_info> session::describe() {
  const environment& env = co_await this_environment();
  const auto work = [this] {
    bson_document command;
    bson_document reply;
    const auto* from = mongoc_client_get_read_prefs(client_.get());
    bson_append_int32(command.get(), "buildInfo", -1, 1);
    send_plain("admin", command.get(), from, reply.for_output());
    const auto build = read_document(reply.get(), json_form::relaxed);
    bson_reinit(command.get());
    bson_append_int32(command.get(), "hello", -1, 1);
    send_plain("admin", command.get(), from, reply.for_output());
    const auto hello = read_document(reply.get(), json_form::relaxed);
    server_info out;
    if (const auto* version = build.if_contains("version"); version && version->is_string()) {
      out.version = std::string_view(version->get_string());
    }
    out.role = role_in(hello);
    out.position = position_in(hello);
    // Who is connected to one server alone sees no other; a group compares its members then.
    if (out.role == server_info::role_type::replica && how_.several_servers && !out.position.empty()) {
      out.lag = position_lag(out.position, position_of_primary());
    }
    return out;
  };
  const auto call = [this, &env, &work] { return guarded(env, work); };
  offload asking(call);
  co_return co_await asking;
}

}  // namespace polypool::mongodb
