// SPDX-License-Identifier: Apache-2.0
#include "pool/pool_core.hpp"

#include <polypool/pool.hpp>

#include <boost/core/demangle.hpp>

namespace polypool {

polypool::session& lease::session() const noexcept { return *item_->session; }

sql_session& lease::sql() const {
  if (item_->sql) return *item_->sql;
  throw error(errc::not_sql_database, "this database does not speak SQL").at(item_->owner->options().name, "lease");
}

key_value_session& lease::key_value() const {
  if (item_->key_value) return *item_->key_value;
  throw error(errc::not_redis, "this database does not take Redis commands").at(item_->owner->options().name, "lease");
}

bool lease::wanted_back(time_point now) const noexcept { return item_->owner->wants_back(*item_, now); }

void lease::expect_long() noexcept {
  if (item_ != nullptr) item_->owner->expect_long(*item_);
}

void* lease::native_pointer(const std::type_info& wanted) const {
  const auto native = item_->session->native();
  if (native.type == wanted) return native.pointer;
  throw error(errc::type_mismatch, "the native handle is a " + boost::core::demangle(native.type.name()) + ", not a " +
                                       boost::core::demangle(wanted.name()))
      .at(item_->owner->options().name, "native");
}

void lease::release() noexcept {
  if (auto* item = std::exchange(item_, nullptr)) item->owner->give_back(*item);
}

void lease::discard() noexcept {
  if (auto* item = std::exchange(item_, nullptr)) item->owner->discard(*item);
}

pool::pool(pool_options options, session_opener open, std::shared_ptr<background> work, log::logger log)
    : work_(std::move(work)),
      core_(std::make_shared<pool_core>(std::move(options), std::move(open), *work_, std::move(log))) {
  if (core_->options().max_open == 0 || core_->options().min_open > core_->options().max_open) {
    throw error(errc::invalid_configuration, "max_open_conns has to be at least 1 and at least min_open_conns")
        .at(core_->options().name, "pool");
  }
}

pool::~pool() { core_->close_now(); }

task<lease> pool::acquire(std::source_location where) {
  if (lease idle = try_acquire(where)) co_return std::move(idle);
  task<lease> waiting = pool_core::take(core_, where);  // from here on the pool may go
  co_return co_await std::move(waiting);
}

lease pool::try_acquire(std::source_location where) noexcept { return lease(core_->try_take(where)); }

task<void> pool::warm_up() { return pool_core::warm_up(core_); }
void pool::wish_for_another() noexcept { core_->wish_for_another(); }
void pool::retire_all() noexcept { core_->retire_all(); }
void pool::resize(std::uint32_t min_open, std::uint32_t max_open, std::uint32_t max_idle) {
  core_->resize(min_open, max_open, max_idle);
}
task<bool> pool::close() { return pool_core::close(core_); }
void pool::reopen() { core_->reopen(); }
bool pool::closed() const noexcept { return core_->closed(); }
pool_statistics pool::statistics() const { return core_->statistics(); }
std::uint32_t pool::on_loan() const noexcept { return core_->on_loan(); }
std::optional<error> pool::last_connect_failure() const { return core_->last_connect_failure(); }
const std::string& pool::name() const noexcept { return core_->options().name; }

}  // namespace polypool
