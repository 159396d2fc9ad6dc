// SPDX-License-Identifier: Apache-2.0
// The handles, and transactions.
#include "manager/mongodb_call.hpp"

#include <polypool/manager.hpp>

namespace polypool {
namespace detail {

void document_transaction::require_running(std::string_view operation) const {
  if (!over) return;
  throw error(errc::invalid_argument, "the transaction is over")
      .at(context.state->name(), context.operation(operation));
}

void document_transaction::end() noexcept {
  over = true;
  for (document_stream* each : streams) {
    each->cut_off = each->over = true;
    each->source.reset();
  }
  streams.clear();
  session.release();  // the pool rolls back what is still open before anybody else gets it
  places = call_places();
}

bool worth_repeating(const error& problem, int attempt) noexcept {
  constexpr int most = 5;
  const bool clash = problem.code() == errc::serialization_failure || problem.code() == errc::transaction_aborted;
  return clash && problem.disposition() == disposition::retryable && attempt < most;
}

namespace {

using transaction_pointer = std::shared_ptr<document_transaction>;

task<transaction_pointer> begin_attempt(const call_context& context, call_attempts& attempts,
                                        const target_pointer& target, const document_transaction_options& options,
                                        std::source_location where) {
  auto tx = std::make_shared<document_transaction>();
  tx->target = target;
  tx->context = context;
  task<polypool::lease> waiting = context.state->acquire(where);
  tx->session = co_await std::move(waiting);
  attempts.check_member();
  tx->documents().begin_transaction(options);  // says nothing to the server yet
  tx->places = attempts.take_places();
  co_return tx;
}

task<transaction_pointer> begin_once(target_pointer target, document_transaction_options options,
                                     std::source_location where) {
  const environment parent = co_await this_environment();
  if (target->tx) {
    throw error(errc::invalid_argument, "MongoDB has no transactions inside of transactions")
        .at(target->tx->context.state->name(), "begin");
  }
  auto context = context_of(*target, std::nullopt, "begin");
  auto make = [&](call_attempts& attempts) { return begin_attempt(context, attempts, target, options, where); };
  task<transaction_pointer> calling =
      make_call<transaction_pointer>(context, again::always_safe, context.limited(parent), "begin", make);
  co_return co_await std::move(calling);
}

// Ends the transaction whatever happens: the session goes back, and the pool resets it should anything be open still.
struct ends_transaction {
  document_transaction& tx;
  ~ends_transaction() { tx.end(); }
};

task<void> commit_once(std::shared_ptr<document_transaction> tx) {
  tx->require_running("commit");
  const ends_transaction guard{*tx};
  const environment parent = co_await this_environment();
  const environment env = tx->context.limited(parent);
  std::optional<error> failure;
  try {
    task<void> committing = tx->documents().commit_transaction();
    task<void> counting = counted(tx->context, std::move(committing), env, "commit");
    co_await std::move(counting);
  } catch (const error& problem) {
    failure.emplace(problem);
  }
  if (!failure) co_return;
  if (failure->disposition() != disposition::in_doubt && failure->code() != errc::connection_closed) throw *failure;
  throw error(errc::in_doubt, "the commit was sent, but its outcome is unknown: " + failure->cause())
      .with_hint("read back what it should have changed before doing it again")
      .with_native_code(failure->native_code())
      .with_poisoned_session(failure->poisons_session())
      .at(tx->context.state->name(), "commit");
}

task<void> rollback_once(std::shared_ptr<document_transaction> tx) {
  tx->require_running("rollback");
  const ends_transaction guard{*tx};
  const environment parent = co_await this_environment();
  const environment env = tx->context.limited(parent);
  task<void> aborting = tx->documents().abort_transaction();
  task<void> counting = counted(tx->context, std::move(aborting), env, "rollback");
  co_await std::move(counting);
}

}  // namespace
}  // namespace detail

mongodb_database::mongodb_database(std::shared_ptr<const detail::document_target> target) noexcept
    : target_(std::move(target)) {}

clock& mongodb_database::time() const { return target_->core->time(); }

std::string mongodb_database::name() const { return detail::context_of(*target_, std::nullopt, "name").state->name(); }

mongodb_database mongodb_database::with(call how) const {
  auto other = std::make_shared<detail::document_target>(*target_);
  other->how = std::make_shared<const call>(std::move(how));
  return mongodb_database(std::move(other));
}

mongodb_database mongodb_database::in(std::string database) const {
  auto other = std::make_shared<detail::document_target>(*target_);
  other->database = std::move(database);
  return mongodb_database(std::move(other));
}

mongodb_collection mongodb_database::collection(std::string name) const { return {target_, std::move(name)}; }

document mongodb_database::run_command(document command, command_options how) const {
  return detail::run_blocking(time(), async_run_command(std::move(command), std::move(how)));
}
task<document> mongodb_database::async_run_command(document command, command_options how) const {
  detail::document_request request;
  request.body = std::move(command);
  request.apply(how);
  request.access = how.only_reads() ? document_command::access_type::read : document_command::access_type::any;
  request.limited_on_server = false;  // not every command takes it
  return detail::run_document(target_, std::move(request), "run_command");
}

mongodb_transaction mongodb_database::begin(document_transaction_options options, std::source_location where) const {
  return detail::run_blocking(time(), async_begin(std::move(options), where));
}
task<mongodb_transaction> mongodb_database::async_begin(document_transaction_options options,
                                                        std::source_location where) const {
  return mongodb_transaction::made_by(detail::begin_once(target_, std::move(options), where));
}

polypool::lease mongodb_database::lease(std::source_location where) const {
  return detail::run_blocking(time(), async_lease(where));
}
task<polypool::lease> mongodb_database::async_lease(std::source_location where) const {
  return detail::lease_once(detail::context_of(*target_, std::nullopt, "lease"), where);
}

mongodb_collection::mongodb_collection(std::shared_ptr<const detail::document_target> target, std::string name)
    : target_(std::move(target)), name_(std::move(name)) {
  if (name_.empty() || name_.contains('\0')) {
    throw error(errc::invalid_argument, "a collection's name must not be empty or hold a NUL character");
  }
}

clock& mongodb_collection::time() const { return target_->core->time(); }

// transactions -------------------------------------------------------------------------------------------------------

mongodb_transaction::mongodb_transaction(std::shared_ptr<detail::document_transaction> state) noexcept
    : state_(std::move(state)) {}
mongodb_transaction::mongodb_transaction(mongodb_transaction&&) noexcept = default;
mongodb_transaction& mongodb_transaction::operator=(mongodb_transaction&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
mongodb_transaction::~mongodb_transaction() {
  if (state_ && !state_->over) state_->end();
}

task<mongodb_transaction> mongodb_transaction::made_by(task<std::shared_ptr<detail::document_transaction>> work) {
  std::shared_ptr<detail::document_transaction> state = co_await std::move(work);
  co_return mongodb_transaction(std::move(state));
}

mongodb_database mongodb_transaction::database() const {
  auto target = std::make_shared<detail::document_target>(*state_->target);
  target->tx = state_;
  return mongodb_database(std::move(target));
}
mongodb_collection mongodb_transaction::collection(std::string name) const {
  return database().collection(std::move(name));
}
void mongodb_transaction::commit() { detail::run_blocking(state_->context.state->time(), async_commit()); }
task<void> mongodb_transaction::async_commit() { return detail::commit_once(state_); }
void mongodb_transaction::rollback() { detail::run_blocking(state_->context.state->time(), async_rollback()); }
task<void> mongodb_transaction::async_rollback() { return detail::rollback_once(state_); }

// the way in ---------------------------------------------------------------------------------------------------------

namespace {

std::shared_ptr<const detail::document_target> target_for(std::shared_ptr<detail::manager_core> core,
                                                          detail::connection_pointer state) {
  auto target = std::make_shared<detail::document_target>();
  target->core = std::move(core);
  target->state = std::move(state);
  return target;
}

}  // namespace

mongodb_database manager::mongodb(std::string_view name) const {
  core_->require_open("mongodb");
  return mongodb_database(target_for(core_, detail::require_of_kind(*core_, name, database_kind::document, "mongodb")));
}
mongodb_database manager::mongodb() const { return mongodb_database(target_for(core_, nullptr)); }

mongodb_database connection::mongodb() const {
  if (state_->kind() != database_kind::document) detail::throw_wrong_kind(*state_, database_kind::document, "mongodb");
  return mongodb_database(target_for(core_, state_));
}

}  // namespace polypool
