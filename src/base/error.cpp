// SPDX-License-Identifier: Apache-2.0
#include <polypool/error.hpp>

#include <array>
#include <utility>

namespace polypool {
namespace {

struct code_row {
  errc code;
  std::string_view name;
  disposition what_now;
};

using enum disposition;
constexpr std::array rows{
    code_row{errc::connection_not_found, "connection_not_found", permanent},
    code_row{errc::invalid_configuration, "invalid_configuration", permanent},
    code_row{errc::connection_closed, "connection_closed", permanent},
    code_row{errc::not_sql_database, "not_sql_database", permanent},
    code_row{errc::not_mongodb, "not_mongodb", permanent},
    code_row{errc::not_redis, "not_redis", permanent},
    code_row{errc::unsupported_database, "unsupported_database", permanent},
    code_row{errc::no_default_connection, "no_default_connection", permanent},
    code_row{errc::already_connected, "already_connected", permanent},
    code_row{errc::already_registered, "already_registered", permanent},
    code_row{errc::shutting_down, "shutting_down", permanent},
    code_row{errc::connect_failed, "connect_failed", retryable_elsewhere},
    code_row{errc::authentication_failed, "authentication_failed", permanent},
    code_row{errc::connection_lost, "connection_lost", disposition::in_doubt},
    code_row{errc::too_many_connections, "too_many_connections", retryable},
    code_row{errc::no_primary, "no_primary", retryable},
    code_row{errc::pool_timeout, "pool_timeout", retryable},
    code_row{errc::pool_queue_full, "pool_queue_full", retryable},
    code_row{errc::circuit_open, "circuit_open", retryable_elsewhere},
    code_row{errc::rate_limited, "rate_limited", retryable},
    code_row{errc::query_too_expensive, "query_too_expensive", permanent},
    code_row{errc::deadline_exceeded, "deadline_exceeded", disposition::in_doubt},
    code_row{errc::cancelled, "cancelled", disposition::in_doubt},
    code_row{errc::in_doubt, "in_doubt", disposition::in_doubt},
    code_row{errc::unique_violation, "unique_violation", permanent},
    code_row{errc::foreign_key_violation, "foreign_key_violation", permanent},
    code_row{errc::not_null_violation, "not_null_violation", permanent},
    code_row{errc::check_violation, "check_violation", permanent},
    code_row{errc::constraint_violation, "constraint_violation", permanent},
    code_row{errc::serialization_failure, "serialization_failure", retryable},
    code_row{errc::deadlock, "deadlock", retryable},
    code_row{errc::lock_timeout, "lock_timeout", retryable},
    code_row{errc::transaction_aborted, "transaction_aborted", permanent},
    code_row{errc::syntax_error, "syntax_error", permanent},
    code_row{errc::undefined_object, "undefined_object", permanent},
    code_row{errc::invalid_value, "invalid_value", permanent},
    code_row{errc::permission_denied, "permission_denied", permanent},
    code_row{errc::read_only, "read_only", retryable_elsewhere},
    code_row{errc::disk_full, "disk_full", permanent},
    code_row{errc::database_error, "database_error", permanent},
    code_row{errc::unsupported, "unsupported", permanent},
    code_row{errc::parameter_count, "parameter_count", permanent},
    code_row{errc::invalid_argument, "invalid_argument", permanent},
    code_row{errc::type_mismatch, "type_mismatch", permanent},
    code_row{errc::null_value, "null_value", permanent},
    code_row{errc::column_not_found, "column_not_found", permanent},
    code_row{errc::row_count, "row_count", permanent},
    code_row{errc::internal_error, "internal_error", permanent},
};

const code_row* find(errc code) noexcept {
  const auto index = static_cast<std::size_t>(code) - 1;
  return index < rows.size() ? &rows[index] : nullptr;
}

constexpr bool in_order() {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::size_t>(rows[i].code) != i + 1) return false;
  }
  return rows.size() == static_cast<std::size_t>(errc::internal_error);
}
static_assert(in_order(), "every code has its row, in the order of the enumeration");

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "polypool"; }
  std::string message(int code) const override { return std::string(to_string(static_cast<errc>(code))); }
};

}  // namespace

const std::error_category& polypool_category() noexcept {
  static const category instance;
  return instance;
}

std::string_view to_string(errc code) noexcept {
  const auto* row = find(code);
  return row ? row->name : "unknown";
}

std::string_view to_string(disposition value) noexcept {
  switch (value) {
    case permanent:
      return "permanent";
    case retryable:
      return "retryable";
    case retryable_elsewhere:
      return "retryable_elsewhere";
    case disposition::in_doubt:
      return "in_doubt";
  }
  return "unknown";
}

disposition default_disposition(errc code) noexcept {
  const auto* row = find(code);
  return row ? row->what_now : permanent;
}

struct error::state {
  std::string cause;
  std::string connection;
  std::string operation;
  std::string sqlstate;
  std::string server_message;
  std::string hint;
  std::string text;
  int native_code = 0;
  polypool::disposition what_now = permanent;
  bool poisons = false;
};

error::error(errc code, std::string_view cause) : std::system_error(make_error_code(code)) {
  auto fresh = std::make_shared<state>();
  fresh->cause = cause;
  fresh->what_now = default_disposition(code);
  state_ = std::move(fresh);
  compose();
}

// Copies share their state; whoever changes one gets a state of its own first.
error::state& error::writable() {
  if (state_.use_count() != 1) state_ = std::make_shared<state>(*state_);
  return const_cast<state&>(*state_);
}

void error::compose() {
  auto& s = writable();
  s.text.clear();
  if (!s.connection.empty()) {
    s.text += "connection '" + s.connection + "'";
    if (!s.operation.empty()) s.text += " " + s.operation;
    s.text += ": ";
  } else if (!s.operation.empty()) {
    s.text += s.operation + ": ";
  }
  s.text += s.cause;
  if (!s.sqlstate.empty()) s.text += " (SQLSTATE " + s.sqlstate + ")";
  if (!s.hint.empty()) s.text += "; " + s.hint;
}

const char* error::what() const noexcept { return state_->text.c_str(); }
errc error::portable_code() const noexcept { return static_cast<errc>(code().value()); }
const std::string& error::cause() const noexcept { return state_->cause; }
const std::string& error::connection() const noexcept { return state_->connection; }
const std::string& error::operation() const noexcept { return state_->operation; }
const std::string& error::sqlstate() const noexcept { return state_->sqlstate; }
const std::string& error::server_message() const noexcept { return state_->server_message; }
const std::string& error::hint() const noexcept { return state_->hint; }
int error::native_code() const noexcept { return state_->native_code; }
disposition error::disposition() const noexcept { return state_->what_now; }
bool error::poisons_session() const noexcept { return state_->poisons; }

error& error::at(std::string_view connection, std::string_view operation) {
  const bool news =
      (state_->connection.empty() && !connection.empty()) || (state_->operation.empty() && !operation.empty());
  if (!news) return *this;
  auto& s = writable();
  if (s.connection.empty()) s.connection = connection;
  if (s.operation.empty()) s.operation = operation;
  compose();
  return *this;
}
error& error::with_sqlstate(std::string_view sqlstate) {
  writable().sqlstate = sqlstate;
  compose();
  return *this;
}
error& error::with_server_message(std::string_view message) {
  writable().server_message = message;
  return *this;
}
error& error::with_hint(std::string_view hint) {
  writable().hint = hint;
  compose();
  return *this;
}
error& error::with_native_code(int code) {
  writable().native_code = code;
  return *this;
}
error& error::with_disposition(polypool::disposition value) {
  writable().what_now = value;
  return *this;
}
error& error::with_poisoned_session(bool poisoned) {
  writable().poisons = poisoned;
  return *this;
}

}  // namespace polypool
