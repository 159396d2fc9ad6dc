// SPDX-License-Identifier: Apache-2.0
// How a session becomes usable again: cancel, drain, reset.
#include "drivers/mysql/connect.hpp"
#include "drivers/mysql/session.hpp"

#include <fcntl.h>
#include <utility>

namespace polypool::mysql {

// After somebody used the session natively.
void session::take_over() {
  ::fcntl(link_.descriptor(), F_SETFL, ::fcntl(link_.descriptor(), F_GETFL) | O_NONBLOCK);
  if (raw_->status == MYSQL_STATUS_GET_RESULT) {
    sending(nullptr);  // rows that nobody asked for
  } else if (raw_->status != MYSQL_STATUS_READY) {
    throw link_.lost("its native handle was left with rows unread");
  }
}

// An operation's own deadline may be too short for tidying up behind the one before it.
task<void> session::attend() {
  if (native_used_ && !busy_) take_over();
  if (busy_) co_await shielded(recovery_limit, recover());
  if (several_) co_await allow_several(false);
}

// Ends the running statement. Throws, and the session is broken, when that cannot be done.
task<void> session::recover() {
  const bool usable = co_await try_recover();
  if (usable) co_return;
  throw link_.lost(link_.broken() || mysql_get_socket(raw_) == MARIADB_INVALID_SOCKET
                       ? std::string_view(mysql_error(raw_))
                       : "a statement was left unfinished, and the server did not stop it in time");
}

task<bool> session::try_recover() {
  // Half a statement cannot be taken back, and must not be completed: the caller has given up on it.
  if (call_.waiting() && call_.writing()) co_return false;
  try {
    if (step_ == step::fetch || (running_ != nullptr && !call_.waiting())) {
      if (drain_rows()) co_return true;
    } else if (call_.waiting()) {
      call_.proceed();
    }
    if (call_.waiting() || results_pending()) {
      co_await cancel();
      co_await drain();
      co_await forget_kill();
    } else {
      co_await drain();
    }
  } catch (const error&) {
    co_return false;
  }
  co_return !link_.broken();
}

// Reads what rows are there already, as far as they are few. @return true when that was all
bool session::drain_rows() {
  constexpr int most = 200;
  for (int row = 0; row < most; ++row) {
    if (call_.waiting()) {
      call_.proceed();
      if (call_.waiting()) return false;
    } else if (step_ != step::fetch) {
      if (raw_->status == MYSQL_STATUS_READY) break;
      step_ = step::fetch;
      call_.start<mysql_stmt_fetch_start, mysql_stmt_fetch_cont>(running_);
      continue;
    }
    step_ = step::other;
    if (call_.outcome() != 0) break;  // the end, or an error, which is one as well
  }
  if (results_pending() || mysql_get_socket(raw_) == MARIADB_INVALID_SOCKET) return false;
  finished();
  return true;
}

// Reads to the end and throws it away. Throws when the deadline comes first, or the connection breaks.
task<void> session::drain() {
  co_await wait();
  if (step_ == step::store) rows_ptr(call_.outcome<MYSQL_RES*>()).reset();
  step_ = step::other;
  try {
    if (preparing_) {
      co_await close(preparing_.release());
    } else if (running_ != nullptr) {
      call_.start<mysql_stmt_free_result_start, mysql_stmt_free_result_cont>(running_);
      co_await wait();
      co_await skip_other_results(running_);
    } else if (results_pending()) {
      std::size_t ignored = 0;
      co_await skip_text_results(ignored);
    }
  } catch (const error&) {  // what the server says of a statement that nobody waits for is no news
    if (call_.waiting() || link_.broken()) throw;
  }
  if (mysql_get_socket(raw_) == MARIADB_INVALID_SOCKET) throw link_.lost(mysql_error(raw_));
  ask_for_transaction_ = false;
  finished();
}

// The statement may have been over when the server was asked to cancel it: then the next one would be cancelled. Let it
// be one that does nothing. Its answer also says whether there still is a transaction.
task<void> session::forget_kill() {
  const bool in_transaction = (raw_->server_status & SERVER_STATUS_IN_TRANS) != 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::optional<error> problem;
    try {
      task<result> asking = query("DO 0");
      co_await std::move(asking);
      break;
    } catch (const error& e) {
      problem.emplace(e);
    }
    if (problem->portable_code() != errc::cancelled || attempt == 1) throw error(*problem);
  }
  ask_for_transaction_ = false;
  if (in_transaction && (raw_->server_status & SERVER_STATUS_IN_TRANS) == 0) doomed_ = true;
}

// Logs in beside and kills what this session is doing. Behind a name or a balancer there may be several servers, and on
// another one the number would be somebody else's.
task<void> session::cancel() {
  if (identity_.empty()) throw link_.lost("it is not known which server to ask for a cancel");
  connector work(how_, where_, false);
  connection_ptr connection = co_await work.run();
  session beside(std::move(connection), how_, where_);
  task<void> learning = beside.learn_identity();
  co_await std::move(learning);
  if (beside.identity_ != identity_) throw link_.lost("another server answers there than the one to ask for a cancel");
  const std::string kill = "KILL QUERY " + std::to_string(mysql_thread_id(raw_));
  task<result> killing = beside.query(kill);
  co_await std::move(killing);
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

task<void> session::reset_now() {
  if (native_used_ && !busy_) take_over();
  if (busy_) co_await with_timeout(recovery_limit, recover());
  if (several_) co_await allow_several(false);
  if (touched_ || native_used_) {
    co_await reset_everything();
  } else if (doomed_ || (raw_->server_status & SERVER_STATUS_IN_TRANS) != 0) {
    task<result> undoing = query("ROLLBACK");
    co_await std::move(undoing);
  }
  doomed_ = ask_for_transaction_ = false;
}

// The server forgets variables, settings, temporary tables, locks, and our prepared statements. It stays where it is in
// the tree of databases.
task<void> session::reset_everything() {
  sending(nullptr);
  call_.start<mysql_reset_connection_start, mysql_reset_connection_cont>(raw_);
  if (call_.waiting()) co_await wait();
  require(call_.outcome() == 0);
  finished();
  drop_statements();
  if (native_used_) co_await allow_several(false);
  if (native_used_ || other_database_) co_await return_to_database();
  const std::string text = session_statement(how_);
  task<result> setting = query(text);
  co_await std::move(setting);
  utc_ = how_.utc();
  touched_ = native_used_ = other_database_ = false;
}

task<void> session::return_to_database() {
  if (where_.database.empty()) {
    // There is no way back to none.
    task<result> asking = query("SELECT DATABASE()");
    const result answer = co_await std::move(asking);
    if (!answer.front()[0].is_null()) retired_ = true;
    co_return;
  }
  sending(nullptr);
  call_.start<mysql_select_db_start, mysql_select_db_cont>(raw_, where_.database.c_str());
  if (call_.waiting()) co_await wait();
  require(call_.outcome() == 0);
  finished();
}

// The library has cut them off from their connection, so that freeing them asks nobody.
void session::drop_statements() noexcept {
  cache_.clear();
  once_.handle.reset();
  preparing_.reset();
}

}  // namespace polypool::mysql
