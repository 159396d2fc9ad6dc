// SPDX-License-Identifier: Apache-2.0
// How a session becomes usable again: cancel, drain, reset.
#include "drivers/postgres/cancel.hpp"
#include "drivers/postgres/errors.hpp"
#include "drivers/postgres/session.hpp"

#include <utility>

namespace polypool::postgres {

// After somebody used the session natively.
void session::take_over() {
  PQsetnonblocking(raw_, 1);
  if (PQpipelineStatus(raw_) != PQ_PIPELINE_OFF && PQexitPipelineMode(raw_) == 0) {
    throw lost("its native handle was left in pipeline mode", {});
  }
  if (PQtransactionStatus(raw_) == PQTRANS_ACTIVE) busy_ = true;
}

// An operation's own deadline may be too short for tidying up behind the one before it.
task<void> session::attend() {
  if (native_used_) take_over();
  if (busy_) co_await shielded(recovery_limit, recover());
}

// Ends the running statement. Throws, and the session is broken, when that cannot be done.
task<void> session::recover() {
  const bool usable = co_await try_recover();
  if (usable) co_return;
  auto problem = PQstatus(raw_) == CONNECTION_OK
                     ? lost("a statement was left unfinished, and the server did not stop it in time", {})
                     : lost(PQerrorMessage(raw_), {});
  throw problem;
}

task<bool> session::try_recover() {
  if (drain_available()) co_return PQstatus(raw_) == CONNECTION_OK;
  // Half a statement cannot be taken back, and must not be completed: the caller has given up on it.
  if (PQflush(raw_) != 0) co_return false;
  try {
    co_await cancel();
    co_await drain();
  } catch (const error&) {
    co_return false;
  }
  co_return PQstatus(raw_) == CONNECTION_OK;
}

// Reads what is there already. @return true when that was all
bool session::drain_available() {
  for (int attempt = 0;;) {
    if (PQisBusy(raw_)) {
      if (attempt++ > 0 || PQconsumeInput(raw_) == 0) return PQstatus(raw_) != CONNECTION_OK;
      continue;
    }
    const result_ptr next(PQgetResult(raw_));
    if (!next) {
      busy_ = false;
      return true;
    }
    const auto status = PQresultStatus(next.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) return false;
  }
}

// Reads to the end and throws it away. Throws when the deadline comes first.
task<void> session::drain() {
  for (;;) {
    co_await await_input();
    const result_ptr next(PQgetResult(raw_));
    if (!next) break;
    const auto status = PQresultStatus(next.get());
    if (status == PGRES_COPY_IN) PQputCopyEnd(raw_, "cancelled");
    if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      char* data = nullptr;
      for (int count = 0; count >= 0;) {
        count = PQgetCopyData(raw_, &data, 1);
        if (count > 0) PQfreemem(data);
        if (count != 0) continue;
        const auto how = co_await receive();
        if (how != wait_result::ready) throw link_.gave_up(how);
        if (PQstatus(raw_) != CONNECTION_OK) co_return;
      }
    }
    if (PQstatus(raw_) != CONNECTION_OK) break;
  }
  busy_ = false;
}

task<void> session::cancel() {
  const cancel_ptr request(PQgetCancel(raw_));
  if (!request) throw lost(PQerrorMessage(raw_), {});
  co_await cancel_statement(*request, link_.descriptor());
}

task<void> session::reset() {
  const environment& env = co_await this_environment();
  if (link_.broken()) link_.check_usable(env);
  if (!dirty()) co_return;
  try {
    auto work = reset_now();
    co_await std::move(work);
  } catch (...) {
    link_.break_off();
    throw;
  }
}

// What DISCARD ALL does, except that our prepared statements stay.
task<void> session::reset_now() {
  if (native_used_) take_over();
  if (busy_) co_await with_timeout(recovery_limit, recover());
  const bool everything = touched_ || native_used_ || foreign_statements_;
  std::string text;
  if (PQtransactionStatus(raw_) != PQTRANS_IDLE) text = "ROLLBACK;";
  if (everything) {
    text += forget_everything;
    if (native_used_ || foreign_statements_) text += "DEALLOCATE ALL;";
    text += settings_;
  }
  if (!text.empty()) co_await simple(text.c_str());
  if (native_used_ || foreign_statements_) cache_.clear();
  touched_ = native_used_ = foreign_statements_ = read_only_wanted_ = false;
}

// The forms of values that the rest of the driver reads.
task<void> session::settle() {
  const auto is = [this](const char* name, std::string_view wanted) {
    const char* value = PQparameterStatus(raw_, name);
    return value != nullptr && std::string_view(value).starts_with(wanted);
  };
  if (!is("DateStyle", "ISO")) settings_ += "SET DateStyle = ISO;";
  if (!is("IntervalStyle", "postgres")) settings_ += "SET IntervalStyle = postgres;";
  if (!settings_.empty()) co_await simple(settings_.c_str());
  touched_ = false;
}

}  // namespace polypool::postgres
