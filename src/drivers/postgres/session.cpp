// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/session.hpp"

#include "driver/isolation.hpp"
#include "drivers/postgres/cursor.hpp"
#include "drivers/postgres/errors.hpp"

#include <cstdlib>
#include <typeinfo>
#include <utility>

namespace polypool::postgres {

session::session(connection_ptr connection, const endpoint& where, std::string place)
    : connection_(std::move(connection)),
      raw_(connection_.get()),
      link_("PostgreSQL", place),
      cache_(where.statement_cache) {
  PQsetErrorVerbosity(raw_, PQERRORS_DEFAULT);
  PQsetNoticeProcessor(raw_, [](void*, const char*) {}, nullptr);
  link_.attach(PQsocket(raw_));
  if (PQsetnonblocking(raw_, 1) != 0) throw error(errc::internal_error, "libpq refuses to be non-blocking");
}

session::~session() = default;

bool session::dirty() const noexcept {
  return busy_ || touched_ || native_used_ || foreign_statements_ || PQtransactionStatus(raw_) != PQTRANS_IDLE;
}

bool session::broken() const noexcept { return link_.broken() || retired_ || PQstatus(raw_) != CONNECTION_OK; }

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
  if (const auto level = isolation_words(options.isolation); !level.empty())
    out.append(" ISOLATION LEVEL ").append(level);
  if (options.read_only) out += " READ ONLY";
  return out;
}

task<result> session::execute(statement what) {
  link_.check_usable(co_await this_environment());
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
  link_.check_usable(co_await this_environment());
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
  link_.check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  co_await simple("");
}

task<server_info> session::describe() {
  link_.check_usable(co_await this_environment());
  if (needs_attention()) co_await attend();
  const char* const question = tells_position_ ? state_question : short_state_question;
  sent(PQsendQueryParams(raw_, question, 0, nullptr, nullptr, nullptr, nullptr, 0));
  const result_ptr answer = co_await complete();
  if (!answer || failed(answer.get())) {
    auto problem = failure(answer.get());
    if (!tells_position_ || problem.sqlstate() != undefined_function) throw problem;
    tells_position_ = false;  // older than PostgreSQL 10, or only like PostgreSQL
    task<server_info> again = describe();
    co_return co_await std::move(again);
  }
  const auto field = [&](int column) -> std::string_view {
    return column < PQnfields(answer.get()) ? PQgetvalue(answer.get(), 0, column) : "";
  };
  server_info out = read_state(field(0), field(1), field(2), field(3));
  if (const char* version = PQparameterStatus(raw_, "server_version")) out.version = version;
  co_return out;
}

}  // namespace polypool::postgres
