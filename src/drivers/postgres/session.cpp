// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/session.hpp"

#include "drivers/postgres/cursor.hpp"
#include "drivers/postgres/errors.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <typeinfo>
#include <unistd.h>
#include <utility>

namespace polypool::postgres {

session::session(connection_ptr connection, const endpoint& where, std::string place)
    : connection_(std::move(connection)),
      raw_(connection_.get()),
      place_(std::move(place)),
      cache_(where.statement_cache) {
  PQsetErrorVerbosity(raw_, PQERRORS_DEFAULT);
  PQsetNoticeProcessor(raw_, [](void*, const char*) {}, nullptr);
  descriptor_ = ::fcntl(PQsocket(raw_), F_DUPFD_CLOEXEC, 0);
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "duplicating a session's descriptor");
  if (PQsetnonblocking(raw_, 1) != 0) throw error(errc::internal_error, "libpq refuses to be non-blocking");
}

session::~session() {
  connection_.reset();
  slot_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool session::dirty() const noexcept {
  return busy_ || touched_ || native_used_ || foreign_statements_ || PQtransactionStatus(raw_) != PQTRANS_IDLE;
}

bool session::broken() const noexcept {
  return broken_ || retired_ || interrupted_.load(std::memory_order_relaxed) || PQstatus(raw_) != CONNECTION_OK;
}

void session::interrupt() noexcept {
  interrupted_.store(true);
  ::shutdown(descriptor_, SHUT_RDWR);
  // A server that waits for us to read does not see that, but a reset it does. (Unix sockets refuse this; there it
  // sees.)
  sockaddr nothing{};
  nothing.sa_family = AF_UNSPEC;
  ::connect(descriptor_, &nothing, sizeof nothing);
}

native_handle session::native() noexcept {
  native_used_ = true;
  return {typeid(PGconn*), raw_};
}

sql_session::transaction_state session::transaction() const noexcept {
  switch (PQtransactionStatus(raw_)) {
    case PQTRANS_IDLE:
      return transaction_state::none;
    case PQTRANS_INTRANS:
      return transaction_state::active;
    case PQTRANS_INERROR:
      return transaction_state::failed;
    default:
      return transaction_state::unknown;
  }
}

std::string session::begin_statement(const transaction_options& options) const {
  std::string out = "BEGIN";
  switch (options.isolation) {
    case isolation::server_default:
      break;
    case isolation::read_uncommitted:
      out += " ISOLATION LEVEL READ UNCOMMITTED";
      break;
    case isolation::read_committed:
      out += " ISOLATION LEVEL READ COMMITTED";
      break;
    case isolation::repeatable_read:
      out += " ISOLATION LEVEL REPEATABLE READ";
      break;
    case isolation::serializable:
      out += " ISOLATION LEVEL SERIALIZABLE";
      break;
  }
  if (options.read_only) out += " READ ONLY";
  return out;
}

void session::check_usable(const environment& env) const {
  if (interrupted_.load(std::memory_order_relaxed)) {
    throw error(errc::connection_closed, "the session was closed by force").with_poisoned_session();
  }
  if (broken_) {
    throw error(errc::connection_lost, "the session with PostgreSQL at " + place_ + " broke earlier")
        .with_poisoned_session()
        .with_disposition(disposition::retryable);
  }
  if (env.stop.stop_requested()) {
    throw error(errc::cancelled, "the caller asked to stop before anything was sent")
        .with_disposition(disposition::retryable);
  }
  if (env.expired()) {
    throw error(errc::deadline_exceeded, "the deadline passed before anything was sent")
        .with_disposition(disposition::retryable);
  }
}

task<result> session::execute(statement what) {
  check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  const bool outside = PQtransactionStatus(raw_) == PQTRANS_IDLE;
  for (bool again = false;; again = true) {
    parameters_.bind(what.parameters());
    prepared_statement* known = cached(what.text());
    if (!known && prepares_now()) known = co_await prepare(what.text());
    const statement_kind kind = known ? known->kind : kind_of(what.text());
    note_kind(kind);
    send_statement(known, what.text());
    result_ptr answer = co_await complete();
    if (!answer || failed(answer.get())) {
      auto problem = failure(answer.get(), what.parameters().size());
      if (!known || !stale_) throw problem;
      co_await forget(what.text());
      if (outside && !again) continue;
      throw problem;
    }
    const auto affected = affected_rows(answer.get());
    std::shared_ptr<const column_list> columns;
    std::shared_ptr<const row_block> rows;
    if (PQresultStatus(answer.get()) == PGRES_TUPLES_OK) {
      result_shape once;
      columns = (known ? known->shape : once).columns_of(answer.get());
      rows = std::make_shared<native_rows>(std::move(answer), columns);
    }
    after_success(kind);
    co_return result(std::move(columns), std::move(rows), affected);
  }
}

task<void> session::simple(const char* text) {
  sent(PQsendQuery(raw_, text));
  const result_ptr answer = co_await complete();
  if (!answer || failed(answer.get())) throw failure(answer.get());
}

task<void> session::execute_script(std::string_view text) {
  check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  if (text.contains('\0')) throw error(errc::invalid_argument, "the script has a NUL character in its text");
  const std::string script(text);
  const statement_kind kind = kind_of(script);
  note_kind(kind);
  if (kind.prepares) foreign_statements_ = true;
  try {
    co_await simple(script.c_str());
  } catch (...) {
    if (busy_) touched_ = true;  // nobody knows how far it came
    throw;
  }
  after_success(kind);
}

task<void> session::probe() {
  check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  co_await simple("");
}

task<server_info> session::describe() {
  check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  sent(PQsendQueryParams(raw_, "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')", 0,
                         nullptr, nullptr, nullptr, nullptr, 0));
  const result_ptr answer = co_await complete();
  if (!answer || failed(answer.get())) throw failure(answer.get());
  server_info out;
  if (const char* version = PQparameterStatus(raw_, "server_version")) out.version = version;
  const std::string_view recovering = PQgetvalue(answer.get(), 0, 0);
  const std::string_view read_only = PQgetvalue(answer.get(), 0, 1);
  using role = server_info::role_type;
  out.role = recovering == "t" ? role::replica : read_only == "on" ? role::read_only : role::primary;
  co_return out;
}

}  // namespace polypool::postgres
