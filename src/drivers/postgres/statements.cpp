// SPDX-License-Identifier: Apache-2.0
// Which statements the server keeps for a session, and what statements leave behind.
#include "drivers/postgres/errors.hpp"
#include "drivers/postgres/session.hpp"

#include <algorithm>
#include <utility>

namespace polypool::postgres {

prepared_statement* session::cached(std::string_view text) noexcept {
  return cache_.size() > 0 ? cache_.find(text) : nullptr;
}

// In a transaction that has failed nothing but ROLLBACK can be prepared; it goes unprepared.
bool session::prepares_now() const noexcept {
  return cache_.capacity() > 0 && PQtransactionStatus(raw_) != PQTRANS_INERROR;
}

task<prepared_statement*> session::prepare(std::string_view text) {
  if (text.contains('\0')) throw error(errc::invalid_argument, "the statement has a NUL character in its text");
  if (cache_.full()) co_await evict();
  const std::string copy(text);
  prepared_statement fresh;
  fresh.name = "polypool_" + std::to_string(++next_name_);
  fresh.kind = kind_of(text);
  sent(PQsendPrepare(raw_, fresh.name.c_str(), copy.c_str(), 0, nullptr));
  result_ptr answer;
  try {
    answer = co_await complete();
  } catch (...) {
    foreign_statements_ = true;  // it may be there or not
    throw;
  }
  if (!answer || failed(answer.get())) throw failure(answer.get());
  co_return &cache_.insert(text, std::move(fresh));
}

// Closes a sixteenth of the statements at once, so that a stream of new texts costs few round trips.
task<void> session::evict() {
  std::string batch;
  for (auto left = std::max<std::size_t>(cache_.capacity() / 16, 1); left > 0; --left) {
    const auto victim = cache_.evict();
    if (victim) batch += "DEALLOCATE " + victim->name + ";";
  }
  co_await simple(batch.c_str());
}

// Drops a statement whose plan is stale or that the server does not know any more.
task<void> session::forget(std::string_view text) {
  const auto stale = cache_.erase(text);
  if (!stale || PQtransactionStatus(raw_) != PQTRANS_IDLE) {
    foreign_statements_ = true;
    co_return;
  }
  const std::string close = "DEALLOCATE " + stale->name;
  sent(PQsendQuery(raw_, close.c_str()));
  const result_ptr answer = co_await complete();  // an error only says that it was gone
  if (!answer || PQstatus(raw_) != CONNECTION_OK) throw failure(answer.get());
}

void session::send_statement(const prepared_statement* known, std::string_view text) {
  const bool outside = PQtransactionStatus(raw_) == PQTRANS_IDLE;
  int accepted = 0;
  if (known) {
    accepted = PQsendQueryPrepared(raw_, known->name.c_str(), parameters_.count(), parameters_.values(),
                                   parameters_.lengths(), parameters_.formats(), 0);
  } else {
    if (text.contains('\0')) throw error(errc::invalid_argument, "the statement has a NUL character in its text");
    const std::string copy(text);
    accepted = PQsendQueryParams(raw_, copy.c_str(), parameters_.count(), nullptr, parameters_.values(),
                                 parameters_.lengths(), parameters_.formats(), 0);
  }
  parameters_.clear();  // libpq has its own copy
  sent(accepted);
  in_transaction_ = !outside;
}

// Before it is sent: should the answer never be read, its traces count all the same.
void session::note_kind(const statement_kind& kind) noexcept {
  if (PQtransactionStatus(raw_) == PQTRANS_IDLE && !touched_) read_only_wanted_ = false;
  if (kind.leaves_state) touched_ = true;
  if (kind.prepares) foreign_statements_ = true;
  if (kind.asks_read_only) read_only_wanted_ = true;
}

void session::after_success(const statement_kind& kind) noexcept {
  if (kind.deallocates_all) cache_.clear();
}

}  // namespace polypool::postgres
