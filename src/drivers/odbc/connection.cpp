// SPDX-License-Identifier: Apache-2.0
// Connecting, closing, and bringing a running call back.
#include "drivers/odbc/connection.hpp"

#include "driver/postgres_life.hpp"
#include "drivers/odbc/diagnostics.hpp"
#include "drivers/odbc/sockets.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace polypool::odbc {

environment_handle::environment_handle() {
  if (!succeeded(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &handle_))) {
    throw error(errc::internal_error, "unixODBC gives no environment");
  }
  SQLSetEnvAttr(handle_, SQL_ATTR_ODBC_VERSION, as_pointer(SQL_OV_ODBC3), 0);
}

environment_handle::~environment_handle() { SQLFreeHandle(SQL_HANDLE_ENV, handle_); }

connection::connection(private_key, std::shared_ptr<const environment_handle> environment,
                       std::shared_ptr<const connection_plan> plan)
    : environment_(std::move(environment)),
      plan_(std::move(plan)),
      cache_(plan_->prepares ? plan_->statement_cache : 0) {
  if (!succeeded(SQLAllocHandle(SQL_HANDLE_DBC, environment_->get(), &handle_))) {
    throw error(errc::internal_error, "unixODBC gives no connection handle");
  }
}

// Statements are not freed one by one: a driver would tell the server about each.
connection::~connection() {
  while (auto each = cache_.evict()) (*each)->handle.disown();
  if (single_) single_->handle.disown();
  if (connected_) {
    if (!succeeded(SQLDisconnect(handle_))) {
      SQLEndTran(SQL_HANDLE_DBC, handle_, SQL_ROLLBACK);  // some want a transaction ended first
      SQLDisconnect(handle_);
    }
  }
  SQLFreeHandle(SQL_HANDLE_DBC, handle_);
  if (socket_ >= 0) ::close(socket_);
}

std::shared_ptr<connection> connection::open(std::shared_ptr<const environment_handle> environment,
                                             std::shared_ptr<const connection_plan> plan, std::chrono::seconds limit) {
  auto out = std::make_shared<connection>(private_key(), std::move(environment), std::move(plan));
  out->connect(limit);
  return out;
}

void connection::connect(std::chrono::seconds limit) {
  const auto seconds = static_cast<std::size_t>(std::clamp<std::int64_t>(limit.count(), 1, 3600));
  SQLSetConnectAttr(handle_, SQL_ATTR_LOGIN_TIMEOUT, as_pointer(seconds), SQL_IS_UINTEGER);
  const socket_search search(plan_->port);
  wide_text text = to_wide(plan_->text.reveal());
  const auto code = SQLDriverConnectW(handle_, nullptr, text.data(), SQL_NTS, nullptr, 0, nullptr, SQL_DRIVER_NOPROMPT);
  std::ranges::fill(text, SQLWCHAR{0});  // it has the password
  if (!succeeded(code)) {
    throw connect_error(read_diagnostics(SQL_HANDLE_DBC, handle_), plan_->family, plan_->place, plan_->password);
  }
  connected_ = true;
  try {
    look_around(search);
  } catch (const error& problem) {
    if (problem.portable_code() == errc::invalid_configuration) throw;
    error failed(errc::connect_failed, "cannot connect to " + plan_->place + ": " + problem.cause());
    failed.with_sqlstate(problem.sqlstate()).with_native_code(problem.native_code());
    failed.with_server_message(problem.server_message());
    throw failed;
  }
}

// What has to be known of a connection that was just made.
void connection::look_around(const socket_search& search) {
  profile_ = profile_of(handle_);
  const call_scope call(*this);
  const bool postgres = profile_.database == brand::postgres;
  if (profile_.family != driver_family::sqlite) {
    const auto talk = [&] { backend_ = ask(postgres ? "SELECT pg_backend_pid()" : "SELECT 1"); };
    socket_ = search.find(talk);
    if (backend_.empty()) talk();
  }
  check_schema();
}

// SQL Server gives a session the schema of its user, and nothing changes that for a session.
void connection::check_schema() {
  const std::string& wanted = plan_->schema;
  if (wanted.empty() || profile_.database != brand::mssql) return;
  const std::string now = ask("SELECT SCHEMA_NAME()");
  if (now == wanted) return;
  error problem(errc::invalid_configuration,
                "the user's default schema is '" + now + "', not '" + wanted + "', which `schema` asks for");
  problem.with_hint("SQL Server has one default schema for each user: ALTER USER … WITH DEFAULT_SCHEMA = " + wanted);
  throw problem;
}

// calls --------------------------------------------------------------------------------------------------------------

std::uint64_t connection::begin_call() {
  const std::scoped_lock lock(mutex_);
  in_call_ = true;
  return ++call_;
}

void connection::end_call() noexcept {
  std::unique_lock lock(mutex_);
  running_ = nullptr;
  // A cancel on its way must not hit the next call. Once the socket is cut there is none.
  changed_.wait(lock, [this] { return !cancelling_ || cut_; });
  in_call_ = false;
  changed_.notify_all();
}

void connection::set_running(SQLHSTMT statement, bool fetching) noexcept {
  const std::scoped_lock lock(mutex_);
  running_ = statement;
  fetching_ = fetching;
}

bool connection::wait_for_end(std::uint64_t call, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return call_ != call || !in_call_; });
}

// psqlodbc asks over a connection of its own, and waits for as long as a frozen server says nothing.
bool connection::answers_cancels() const noexcept {
  if (profile_.family != driver_family::psqlodbc || socket_ < 0) return true;
  constexpr auto patience = std::chrono::seconds(1);
  environment env;
  env.deadline = saturating_add(env.time->now(), patience);
  try {
    polypool::run(postgres::await_sign_of_life(socket_), env);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void connection::cancel(std::uint64_t call) noexcept {
  if (running_call() != call || !answers_cancels()) return;
  SQLHSTMT statement = nullptr;
  bool fetching = false;
  {
    const std::scoped_lock lock(mutex_);
    if (call_ != call || !in_call_ || running_ == nullptr || cancelling_ || cut_) return;
    statement = running_;
    fetching = fetching_;
    cancelling_ = true;
  }
  cancel_statement(statement, fetching);
  const std::scoped_lock lock(mutex_);
  cancelling_ = false;
  changed_.notify_all();
}

// psqlodbc cancels what executes, and nothing while it fetches rows.
void connection::cancel_statement(SQLHSTMT statement, bool fetching) noexcept {
  if (fetching && profile_.family == driver_family::psqlodbc) {
    cancel_from_elsewhere();
  } else {
    SQLCancel(statement);
  }
}

void connection::cancel_from_elsewhere() noexcept {
  constexpr auto patience = std::chrono::seconds(2);
  try {
    const auto other = open(environment_, plan_, patience);
    const call_scope call(*other);
    other->plain("SELECT pg_cancel_backend(" + backend_ + ")");
  } catch (const std::exception&) {
    // It is tried again, and in the end the socket is cut.
  }
}

void connection::cut_now() noexcept {
  if (socket_ < 0 || cut_) return;
  cut_ = true;
  ::shutdown(socket_, SHUT_RDWR);
  changed_.notify_all();
}

void connection::cut() noexcept {
  const std::scoped_lock lock(mutex_);
  cut_now();
}

void connection::cut_call(std::uint64_t call) noexcept {
  const std::scoped_lock lock(mutex_);
  if (call_ == call && in_call_) cut_now();
}

std::uint64_t connection::running_call() noexcept {
  const std::scoped_lock lock(mutex_);
  return in_call_ ? call_ : 0;
}

bool connection::is_dead() noexcept {
  SQLUINTEGER dead = SQL_CD_FALSE;
  const auto code = SQLGetConnectAttr(handle_, SQL_ATTR_CONNECTION_DEAD, &dead, SQL_IS_UINTEGER, nullptr);
  return succeeded(code) && dead == SQL_CD_TRUE;
}

}  // namespace polypool::odbc
