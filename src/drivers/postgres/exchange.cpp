// SPDX-License-Identifier: Apache-2.0
// How a session sends something and reads what comes back.
#include "drivers/postgres/cancel.hpp"
#include "drivers/postgres/errors.hpp"
#include "drivers/postgres/session.hpp"

#include <openssl/ssl.h>
#include <utility>

namespace polypool::postgres {

// From now on the conversation is open until its end has been read.
void session::sent(int accepted) {
  if (accepted != 1) {
    auto problem = failure(nullptr);
    problem.with_disposition(disposition::retryable);  // libpq took nothing
    throw problem;
  }
  in_transaction_ = false;
  busy_ = true;
  ++exchange_;
}

// Bytes that OpenSSL has decrypted already do not make the socket readable.
bool session::tls_has_input() const noexcept {
  if (!PQsslInUse(raw_)) return false;
  const auto* tls = static_cast<const SSL*>(PQsslStruct(raw_, "OpenSSL"));
  return tls != nullptr && SSL_pending(tls) > 0;
}

// While a large statement goes out, the server may have something to say; if nobody read it, both would wait for ever.
task<void> session::flush() {
  while (PQflush(raw_) > 0) {
    const auto how = co_await link_.ready(socket_interest::read_or_write);
    if (how != wait_result::ready) throw link_.gave_up(how);
    if (PQconsumeInput(raw_) == 0) co_return;  // broken; what the server said last is still to be read
  }
}

// Waits for bytes from the server and hands them to libpq. A broken connection shows in the next result.
task<wait_result> session::receive() {
  if (!tls_has_input()) {
    const auto how = co_await link_.ready(socket_interest::read);
    if (how != wait_result::ready) co_return how;
  }
  PQconsumeInput(raw_);
  co_return wait_result::ready;
}

task<void> session::await_input() {
  while (PQisBusy(raw_)) {
    const auto how = co_await receive();
    if (how != wait_result::ready) throw link_.gave_up(how);
  }
}

// Reads to the end. Gives the first error, or else the last result.
task<result_ptr> session::complete() {
  result_ptr kept;
  copy_refused_ = false;
  co_await flush();
  for (;;) {
    if (PQisBusy(raw_)) co_await await_input();
    result_ptr next(PQgetResult(raw_));
    if (!next) break;
    const auto status = PQresultStatus(next.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      co_await refuse_copy(status);
      if (!busy_) break;
    } else {
      note_answer(kept, std::move(next));
    }
  }
  busy_ = false;
  co_return kept;
}

void session::note_answer(result_ptr& kept, result_ptr next) {
  if (tag_leaves_state(PQcmdStatus(next.get()))) touched_ = true;
  if (std::string_view(PQcmdStatus(next.get())) == "PREPARE") foreign_statements_ = true;
  if (!kept || !failed(kept.get())) kept = std::move(next);
}

// COPY streams outside of results; nobody here would feed or drain it.
task<void> session::refuse_copy(ExecStatusType direction) {
  copy_refused_ = true;
  if (direction == PGRES_COPY_IN) {
    PQputCopyEnd(raw_, "COPY FROM STDIN is not supported here");
    co_await flush();
  } else {
    co_await shielded(recovery_limit, recover());
  }
}

error session::lost(std::string_view words, std::string_view sqlstate) {
  busy_ = false;
  return link_.lost(words.substr(0, words.find('\n')), sqlstate);  // behind it libpq guesses
}

error session::failure(const PGresult* answer, std::size_t parameters) {
  const auto sqlstate = diagnostic(answer, PG_DIAG_SQLSTATE);
  stale_ = false;
  if (PQstatus(raw_) != CONNECTION_OK || link_.interrupted()) {
    const auto words = diagnostic(answer, PG_DIAG_MESSAGE_PRIMARY);
    return lost(words.empty() ? std::string_view(PQerrorMessage(raw_)) : words, sqlstate);
  }
  if (std::exchange(copy_refused_, false)) {
    error problem(errc::invalid_argument, "COPY FROM STDIN and COPY TO STDOUT cannot run as a statement");
    problem.with_hint("use INSERT or SELECT, or libpq's COPY functions on the session's native handle");
    return problem;
  }
  if (answer == nullptr) return {errc::internal_error, "libpq gave no result: " + one_line(PQerrorMessage(raw_))};
  if (sqlstate.empty()) return {errc::database_error, one_line(PQresultErrorMessage(answer))};
  stale_ = is_stale_statement(answer);
  error problem = server_error(answer, parameters);
  if (stale_) problem.with_disposition(disposition::retryable);
  if (sqlstate == "25006" && read_only_wanted_) {
    problem.with_poisoned_session(false).with_disposition(disposition::permanent);
  } else if (problem.poisons_session()) {
    retired_ = true;
  }
  return problem;
}

}  // namespace polypool::postgres
