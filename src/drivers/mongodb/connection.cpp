// SPDX-License-Identifier: Apache-2.0
// Opening a session, opening it again after a call was cut short, and closing it.
#include "drivers/mongodb/errors.hpp"
#include "drivers/mongodb/guard.hpp"
#include "drivers/mongodb/library.hpp"

#include <polypool/duration.hpp>

#include <algorithm>
#include <chrono>
#include <typeinfo>

namespace polypool::mongodb {

session::session(settings how, const environment& env, bool own_limit)
    : how_(std::move(how)),
      network_(how_.tls),
      primary_(mongoc_read_prefs_new(MONGOC_READ_PRIMARY)),
      own_limit_(own_limit) {
  prepare_library();
  network_.limit_silence(how_.socket_timeout, how_.socket_timeout_configured);
  network_.compress(how_.compresses);
  const watch::scope watching(network_.waits(), env);
  open_client();
  own_limit_ = false;
}

session::~session() {
  say_farewell();
  close_client();
}

// Tells the server that the session is over, with its transaction and cursors; what needs no wait is enough for that.
void session::say_farewell() noexcept {
  network_.waits().say_goodbye();
  if (!client_ || !own_ || cut_off_ || broken()) return;
  std::size_t count = 0;
  mongoc_server_description_t** const servers = mongoc_client_get_server_descriptions(client_.get(), &count);
  std::uint32_t server = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view type = mongoc_server_description_type(servers[i]);
    if (server == 0 || type == "RSPrimary")
      server = type == "Unknown" ? server : mongoc_server_description_id(servers[i]);
  }
  mongoc_server_descriptions_destroy_all(servers, count);
  const bool busy = in_transaction() || open_cursors_ != 0 || !abandoned_.empty();
  if (server != 0)
    end_on_server(busy ? "killSessions" : "endSessions", mongoc_client_session_get_lsid(own_.get()), server);
}

void session::close_client() noexcept {
  if (client_)
    mongoc_client_reset(client_.get());  // or else libmongoc would take leave in its own way, and wait for it
  own_.reset();
  client_.reset();
}

// `prefer` and `allow` have a second way when the first one does not work.
void session::open_client() {
  const auto mode = how_.tls.mode;
  const bool first = mode != tls_mode::disable && mode != tls_mode::allow;
  if (mode != tls_mode::prefer && mode != tls_mode::allow) return attempt(first);
  bool again = false;
  // A server without TLS may take the first bytes of a handshake for a message, and wait for the rest of it.
  if (first) network_.limit_handshake(std::min<duration>(std::chrono::seconds(2), how_.connect_timeout / 4));
  try {
    attempt(first);
  } catch (const error& problem) {
    again = problem.portable_code() == errc::connect_failed && !network_.waits().strikes();
    for (const auto& [server, what] : network_.problems()) {
      again =
          again && what.kind != network::problem_kind::unknown_name && what.kind != network::problem_kind::unreachable;
    }
    if (!again) throw;
  }
  if (again) attempt(!first);
}

void session::attempt(bool encrypted) {
  close_client();
  network_.encrypt(encrypted);
  network_.forget_problems();
  bson_error_t problem{};
  client_.reset(mongoc_client_new_from_uri_with_error(how_.uri.get(), &problem));
  if (!client_ && problem.domain == MONGOC_ERROR_STREAM) {
    throw connect_error(problem, network_, how_.place, how_.password);
  }
  if (!client_) {
    throw error(errc::invalid_configuration,
                "the settings of a MongoDB connection: " + redact(problem.message, how_.password));
  }
  mongoc_client_set_error_api(client_.get(), MONGOC_ERROR_API_VERSION_2);
  network_.attach(client_.get());
  bson_document ping;
  bson_document reply;
  bson_append_int32(ping.get(), "ping", -1, 1);
  const auto* from = mongoc_client_get_read_prefs(client_.get());
  if (!mongoc_client_command_simple(client_.get(), "admin", ping.get(), from, reply.for_output(), &problem)) {
    if (network_.waits().struck() != watch::reason::none) throw hung();
    throw connect_error(problem, network_, how_.place, how_.password);
  }
  ++generation_;
  const native_ptr<mongoc_session_opt_t> options(mongoc_session_opts_new());
  mongoc_session_opts_set_causal_consistency(options.get(), false);
  own_.reset(mongoc_client_start_session(client_.get(), options.get(), &problem));
}

error session::hung() const {
  const std::string at = "cannot connect to MongoDB at " + how_.place + ": ";
  switch (network_.waits().struck()) {
    case watch::reason::closed:
      return error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
    case watch::reason::stopped:
      return {errc::cancelled, at + "the caller asked to stop"};
    default:
      break;
  }
  const auto seen = network_.describe_problems();
  const std::string stage = seen.empty() ? "the server says nothing" : seen;
  const std::string_view hint =
      how_.tls.mode == tls_mode::disable
          ? "check the address, the network and firewalls, and whether the server is frozen"
          : "check the address, the network, whether the server is frozen, and whether it speaks TLS at this port";
  if (!own_limit_) {
    error late(errc::deadline_exceeded, at + "the deadline passed, and " + stage);
    return late.with_hint(hint);
  }
  error problem(errc::connect_failed,
                at + "it hung for connect_timeout (" + format_duration_short(how_.connect_timeout) + "): " + stage);
  problem.with_hint(hint);
  return problem;
}

// After a call was cut short its connection is gone, and the server may still be at work. Closing the connection ends
// most commands there; the rest ends with the logical session.
void session::reopen() {
  bson_document logical_session;
  bool known = false;
  if (own_) {
    bson_copy_to(mongoc_client_session_get_lsid(own_.get()), logical_session.for_output());
    known = true;
  }
  if (transaction_ == transaction_state::active) transaction_ = transaction_state::lost;
  abandoned_.clear();  // they go with their session
  open_client();
  if (known) end_on_server("killSessions", logical_session.get(), 0);
  cut_off_ = false;
  broken_ = false;
}

// @param server libmongoc's number of it; 0 for the primary
void session::end_on_server(const char* how, const bson_t* logical_session, std::uint32_t server) noexcept {
  bson_document command;
  bson_document reply;
  bson_t list;
  bson_append_array_begin(command.get(), how, -1, &list);
  bson_append_document(&list, "0", -1, logical_session);
  bson_append_array_end(command.get(), &list);
  bson_error_t ignored;
  if (server == 0) {
    mongoc_client_command_simple(client_.get(), "admin", command.get(), nullptr, reply.for_output(), &ignored);
  } else {
    mongoc_client_command_simple_with_server_id(client_.get(), "admin", command.get(), nullptr, server,
                                                reply.for_output(), &ignored);
  }
}

native_handle session::native() noexcept {
  native_used_ = true;
  return {typeid(mongoc_client_t*), client_.get()};
}

bool session::dirty() const noexcept {
  return cut_off_ || native_used_ || !abandoned_.empty() || open_cursors_ != 0 || in_transaction();
}

// Puts right what an earlier operation has left. Throws when the session cannot be saved.
void session::attend() {
  if (cut_off_) {
    try {
      reopen();
    } catch (...) {
      broken_ = network_.waits().struck() == watch::reason::none || network_.waits().closed();
      throw;
    }
  }
  while (!abandoned_.empty()) {
    kill_cursor(abandoned_.back());
    abandoned_.pop_back();
    if (network_.waits().struck() != watch::reason::none) {
      cut_off_ = true;
      throw cut_short(false);
    }
  }
}

task<void> session::reset() {
  const environment& env = co_await this_environment();
  const auto work = [this] {
    if (native_used_) {
      mongoc_client_set_apm_callbacks(client_.get(), nullptr, nullptr);
      mongoc_client_set_error_api(client_.get(), MONGOC_ERROR_API_VERSION_2);
      network_.attach(client_.get());
      mongoc_client_set_read_prefs(client_.get(), mongoc_uri_get_read_prefs_t(how_.uri.get()));
      mongoc_client_set_read_concern(client_.get(), mongoc_uri_get_read_concern(how_.uri.get()));
      mongoc_client_set_write_concern(client_.get(), mongoc_uri_get_write_concern(how_.uri.get()));
      native_used_ = false;
    }
    if (in_transaction()) abort_now();
  };
  const auto call = [this, &env, &work] {
    if (!dirty() && !broken()) return;
    try {
      guarded(env, work);
    } catch (...) {
      broken_ = true;  // the pool gives no second chance
      throw;
    }
  };
  offload saving(call);
  co_await saving;
}

}  // namespace polypool::mongodb
