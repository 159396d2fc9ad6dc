// SPDX-License-Identifier: Apache-2.0
// How a session sends something and reads what comes back.
#include "drivers/mysql/session.hpp"

#include <polypool/error.hpp>

#include <utility>

namespace polypool::mysql {

// From now on the conversation is open until its end has been read.
void session::sending(MYSQL_STMT* running) noexcept {
  busy_ = true;
  running_ = running;
  step_ = step::other;
  ++exchange_;
}

task<void> session::wait() {
  while (call_.waiting()) {
    const auto how = co_await link_.ready(call_.interest());
    if (how != wait_result::ready) throw link_.gave_up(how);
    call_.proceed();
  }
}

void session::require(bool succeeded, MYSQL_STMT* prepared) {
  if (!succeeded) throw failure(prepared);
}

void session::finished() noexcept {
  busy_ = false;
  running_ = nullptr;
  step_ = step::other;
  if ((raw_->server_status & SERVER_SESSION_STATE_CHANGED) != 0) note_changes();
}

// What the server says by itself of settings that have changed.
void session::note_changes() noexcept {
  const char* data = nullptr;
  std::size_t length = 0;
  if (mysql_session_track_get_first(raw_, SESSION_TRACK_SCHEMA, &data, &length) == 0) {
    touched_ = true;
    if (std::string_view(data, length) != where_.database) other_database_ = true;
  }
  if (mysql_session_track_get_first(raw_, SESSION_TRACK_STATE_CHANGE, &data, &length) == 0) touched_ = true;
  int found = mysql_session_track_get_first(raw_, SESSION_TRACK_SYSTEM_VARIABLES, &data, &length);
  while (found == 0) {
    touched_ = true;
    const bool zone = std::string_view(data, length) == "time_zone";
    if (mysql_session_track_get_next(raw_, SESSION_TRACK_SYSTEM_VARIABLES, &data, &length) != 0) break;
    if (zone) utc_ = std::string_view(data, length) == "+00:00" || std::string_view(data, length) == "UTC";
    found = mysql_session_track_get_next(raw_, SESSION_TRACK_SYSTEM_VARIABLES, &data, &length);
  }
}

// True when there are rows or further results to be read.
bool session::results_pending() const noexcept {
  return raw_->status != MYSQL_STATUS_READY || mysql_more_results(raw_) != 0;
}

error session::failure(MYSQL_STMT* prepared) {
  auto what = prepared ? complaint::of(prepared) : complaint::of(raw_);
  if (what.number == 0) what = complaint::of(raw_);  // not every call of a statement takes the error over
  if (link_.interrupted() || what.number == 0 || is_client_error(what.number)) {
    auto problem = link_.lost(what.number == 0 ? "the library gave no reason" : what.words);
    problem.with_native_code(static_cast<int>(what.number));
    // It could not be sent whole, and so it has not run.
    if (what.number == CR_SERVER_GONE_ERROR && !link_.interrupted()) problem.with_disposition(disposition::retryable);
    busy_ = false;
    return problem;
  }
  const bool in_transaction = (raw_->server_status & SERVER_STATUS_IN_TRANS) != 0;
  busy_ = false;  // an error is the last thing that is said of a statement
  running_ = nullptr;
  step_ = step::other;
  if (in_transaction && may_end_transaction(what.number)) ask_for_transaction_ = true;
  error problem = server_error(what);
  if (problem.poisons_session()) retired_ = true;
  return problem;
}

// An error comes without the session's state. Where nothing can be learned, the worst is assumed.
task<void> session::learn_of_transaction() {
  ask_for_transaction_ = false;
  doomed_ = true;
  try {
    task<result> asking = query("DO 0");
    co_await std::move(asking);
    doomed_ = (raw_->server_status & SERVER_STATUS_IN_TRANS) == 0;
  } catch (const error&) {
  }
}

}  // namespace polypool::mysql
