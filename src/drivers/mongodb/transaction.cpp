// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/errors.hpp"
#include "drivers/mongodb/guard.hpp"

#include <charconv>

namespace polypool::mongodb {
namespace {

native_ptr<mongoc_transaction_opt_t> read_options(const document_transaction_options& options) {
  native_ptr<mongoc_transaction_opt_t> out(mongoc_transaction_opts_new());
  if (!options.read_concern.empty()) {
    const native_ptr<mongoc_read_concern_t> concern(mongoc_read_concern_new());
    mongoc_read_concern_set_level(concern.get(), options.read_concern.c_str());
    mongoc_transaction_opts_set_read_concern(out.get(), concern.get());
  }
  if (!options.write_concern.empty()) {
    const auto& word = options.write_concern;
    const native_ptr<mongoc_write_concern_t> concern(mongoc_write_concern_new());
    std::int32_t members = 0;
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), members);
    const bool number = problem == std::errc() && end == word.data() + word.size();
    if (number && members < 1) {
      throw error(errc::invalid_argument,
                  "a transaction's write concern cannot be " + word + ": it has to be acknowledged");
    }
    if (number) {
      mongoc_write_concern_set_w(concern.get(), members);
    } else {
      mongoc_write_concern_set_wtag(concern.get(), word.c_str());
    }
    mongoc_transaction_opts_set_write_concern(out.get(), concern.get());
  }
  const native_ptr<mongoc_read_prefs_t> primary(mongoc_read_prefs_new(MONGOC_READ_PRIMARY));
  mongoc_transaction_opts_set_read_prefs(out.get(), primary.get());
  return out;
}

}  // namespace

void session::begin_transaction(const document_transaction_options& options) {
  if (in_transaction()) throw error(errc::invalid_argument, "the session is in a transaction already");
  constexpr std::string_view hint =
      "transactions take a MongoDB server that is part of a replica set or a sharded cluster";
  if (!own_) {
    throw error(errc::unsupported, "MongoDB at " + how_.place + " keeps no sessions, so it has no transactions")
        .with_hint(hint);
  }
  if (is_standalone()) {
    throw error(errc::unsupported, "MongoDB at " + how_.place + " stands alone, so it has no transactions")
        .with_hint(hint);
  }
  const auto how = read_options(options);
  bson_error_t problem{};
  if (!mongoc_client_session_start_transaction(own_.get(), how.get(), &problem)) {
    throw error(errc::unsupported, problem.message).with_hint(hint);
  }
  transaction_ = transaction_state::active;
}

bool session::is_standalone() const {
  std::size_t count = 0;
  mongoc_server_description_t** const servers = mongoc_client_get_server_descriptions(client_.get(), &count);
  bool alone = false;
  for (std::size_t i = 0; i < count; ++i) {
    alone = alone || std::string_view(mongoc_server_description_type(servers[i])) == "Standalone";
  }
  mongoc_server_descriptions_destroy_all(servers, count);
  return alone;
}

void session::require_whole_transaction() const {
  if (transaction_ != transaction_state::lost) return;
  throw error(errc::transaction_aborted, "the connection of this transaction is gone, and the server undoes it")
      .with_hint("abort it, and run all of it again");
}

void session::commit_now() {
  if (transaction_ == transaction_state::lost) {
    transaction_ = transaction_state::none;
    throw error(errc::transaction_aborted, "the connection of this transaction is gone, and the server undoes it")
        .with_hint("run all of it again");
  }
  if (!in_transaction()) throw error(errc::invalid_argument, "no transaction was begun");
  bson_document reply;
  bson_error_t problem{};
  transaction_ = transaction_state::none;
  network_.reset_sent();
  if (!mongoc_client_session_commit_transaction(own_.get(), reply.for_output(), &problem)) {
    fail(problem, reply.get(), true);
  }
}

// The server's complaints do not matter: what is not committed goes in any case.
void session::abort_now() {
  if (transaction_ == transaction_state::active) {
    bson_error_t ignored{};
    mongoc_client_session_abort_transaction(own_.get(), &ignored);
    if (network_.waits().struck() != watch::reason::none) cut_off_ = true;
  }
  transaction_ = transaction_state::none;
}

task<void> session::commit_transaction() {
  const environment& env = co_await this_environment();
  const auto work = [this] { commit_now(); };
  const auto call = [this, &env, &work] { guarded(env, work); };
  offload asking(call);
  co_await asking;
}

task<void> session::abort_transaction() {
  const environment& env = co_await this_environment();
  const auto work = [this] { abort_now(); };
  const auto call = [this, &env, &work] { guarded(env, work); };
  offload asking(call);
  co_await asking;
}

}  // namespace polypool::mongodb
