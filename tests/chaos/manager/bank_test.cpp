// SPDX-License-Identifier: Apache-2.0
#include "bank.hpp"

#include <polypool/asio.hpp>
#include <polypool/waits.hpp>

#include <algorithm>
#include <array>

namespace polypool::test {
namespace {

constexpr duration call_limit = 1s;
constexpr const char* application = "polypool_bank";

}  // namespace

void outcomes::acknowledged(std::string id) {
  const std::scoped_lock lock(mutex_);
  acknowledged_.insert(std::move(id));
  ++done_;
}

void outcomes::failed(std::string id, const error& why) {
  static const std::set<errc> expected{errc::connection_lost,
                                       errc::connect_failed,
                                       errc::pool_timeout,
                                       errc::deadline_exceeded,
                                       errc::in_doubt,
                                       errc::serialization_failure,
                                       errc::deadlock,
                                       errc::transaction_aborted,
                                       errc::too_many_connections};
  const std::scoped_lock lock(mutex_);
  if (!expected.contains(why.portable_code())) unexpected_.push_back(why);
  (why.portable_code() == errc::in_doubt ? in_doubt_ : failed_).insert(std::move(id));
  ++failures_;
}

std::vector<std::string> outcomes::problems(bool closed_is_expected) const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> texts;
  for (const auto& each : unexpected_) {
    if (closed_is_expected && each.portable_code() == errc::connection_closed) continue;
    texts.emplace_back(each.what());
  }
  return texts;
}

void outcomes::check(const std::set<std::string>& ledger) const {
  const std::scoped_lock lock(mutex_);
  for (const auto& id : acknowledged_) EXPECT_TRUE(ledger.contains(id)) << id << " was acknowledged, and is lost";
  for (const auto& id : failed_) EXPECT_FALSE(ledger.contains(id)) << id << " failed, and is there nevertheless";
  for (const auto& id : ledger) {
    EXPECT_TRUE(acknowledged_.contains(id) || in_doubt_.contains(id)) << id << " is nobody's";
  }
}

void bank_test::SetUp() {
  if (const auto reason = private_postgres::why_not(); !reason.empty()) GTEST_SKIP() << reason;
  server_ = std::make_unique<private_postgres>();
  postgres_admin admin(server_->address());
  // What is acknowledged has to survive a kill -9 of the server.
  admin.execute("ALTER SYSTEM SET synchronous_commit = on");
  admin.execute("SELECT pg_reload_conf()");
  admin.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL)");
  admin.execute("CREATE TABLE ledger (id text PRIMARY KEY, source int, target int)");
  admin.execute("INSERT INTO accounts SELECT g, 1000 FROM generate_series(0, " + std::to_string(accounts - 1) + ") g");

  gate_.emplace(server_->address().host, server_->address().port);
  auto where = server_->address().to_endpoint(application);
  where.host = "127.0.0.1";
  where.port = gate_->port();
  config::settings settings;
  settings.drain_timeout = 5s;
  settings.force_timeout = 7s;
  auto& all = settings.defaults;
  all.max_open_conns = all.max_idle_conns = max_open;
  all.connect_timeout = call_limit;
  all.query_timeout = call_limit;
  all.retry_delay = 10ms;
  all.retry_max_delay = 50ms;
  all.health_check_interval = 200ms;
  settings.connections.push_back(postgres_connection("bank", where));
  settings.connections.push_back(sqlite_connection("side", folder_.file("side.db")));
  manager_ = std::make_unique<manager>(std::move(settings));
  manager_->connect();
  manager_->sql("side").execute("CREATE TABLE t (x int)");

  for (int i = 0; i < 50; ++i) {
    ++tasks_running_;
    spawn(loop_.get_executor(), work_in_task(i), [this](std::exception_ptr failure) {
      EXPECT_FALSE(failure);
      --tasks_running_;
    });
  }
  threads_.emplace_back([this] { loop_.run(); });
  threads_.emplace_back([this] { loop_.run(); });
  for (int i = 0; i < 4; ++i) threads_.emplace_back([this, i] { work_in_thread(i); });
  threads_.emplace_back([this] {
    auto side = manager_->sql("side");
    while (!stopped()) {
      EXPECT_EQ(side.execute("INSERT INTO t VALUES (1)"), 1u);
      ++sqlite_done_;
    }
  });
  progress(50);
}

void bank_test::TearDown() {
  stop_ = true;
  threads_.clear();
  manager_.reset();
  gate_.reset();
  admin_.reset();
  server_.reset();
}

// One transfer; what it throws at the commit is in doubt, or certainly undone.
task<void> bank_test::transfer(std::string id, int from, int to) {
  sql_database db = manager_->sql("bank");
  if (to == from) to = (to + 1) % accounts;
  const std::array<int, 2> ordered{std::min(from, to), std::max(from, to)};  // always in one order: no deadlocks
  std::optional<error> failure;
  stopwatch watch;
  try {
    task<transaction> beginning = db.async_begin();
    transaction tx = co_await std::move(beginning);
    measure(watch);
    watch = {};
    task<std::uint64_t> noting = tx.async_execute("INSERT INTO ledger VALUES ($1, $2, $3)", id, from, to);
    co_await std::move(noting);
    measure(watch);
    for (const int account : ordered) {
      watch = {};
      task<std::uint64_t> moving = tx.async_execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2",
                                                    account == from ? -1 : 1, account);
      co_await std::move(moving);
      measure(watch);
    }
    watch = {};
    task<void> committing = tx.async_commit();
    co_await std::move(committing);
  } catch (const error& e) {
    failure.emplace(e);
  }
  measure(watch);
  if (failure) {
    outcomes_.failed(std::move(id), *failure);
  } else {
    outcomes_.acknowledged(std::move(id));
  }
}

task<void> bank_test::work_in_task(int number) {
  for (int i = 0; !stopped(); ++i) {
    std::string id = "task " + std::to_string(number) + "." + std::to_string(i);
    task<void> work = transfer(std::move(id), (number + i) % accounts, (number + i * 7 + 1) % accounts);
    co_await std::move(work);
    const auto nothing = [] {};
    co_await offload(nothing);  // one that is refused at once lets the others go on
  }
}

void bank_test::work_in_thread(int number) {
  for (int i = 0; !stopped(); ++i) {
    run(transfer("thread " + std::to_string(number) + "." + std::to_string(i), (number + i) % accounts,
                 (number + i * 3 + 1) % accounts));
  }
}

void bank_test::measure(const stopwatch& since) {
  const auto took = since.elapsed().count();
  auto longest = longest_.load();
  while (took > longest && !longest_.compare_exchange_weak(longest, took)) continue;
}

int bank_test::server_sessions() {
  try {
    if (!admin_) admin_ = std::make_unique<postgres_admin>(server_->address());
    return admin_->count_sessions(application);
  } catch (const std::runtime_error&) {
    admin_.reset();
    return 0;  // down
  }
}

void bank_test::look() {
  EXPECT_LE(manager_->get("bank").statistics().pool.open, max_open);
  EXPECT_TRUE(server_may_lag_ || server_sessions() <= static_cast<int>(max_open));
}

void bank_test::progress(int transfers) {
  const int wanted = outcomes_.done() + transfers;
  EXPECT_TRUE(wait_until([&] {
    look();
    return outcomes_.done() >= wanted;
  })) << "the work does not go on";
}

void bank_test::trouble(int transfers) {
  const int wanted = outcomes_.failures() + transfers;
  EXPECT_TRUE(wait_until([&] { return outcomes_.failures() >= wanted; })) << "nobody noticed";
}

void bank_test::settle() {
  stop_ = true;
  EXPECT_TRUE(wait_until([&] { return tasks_running_ == 0; })) << tasks_running_ << " tasks hang";
  threads_.clear();
  EXPECT_EQ(outcomes_.problems(closed_is_expected_), std::vector<std::string>());
  // A machine with other work adds its own delays.
  EXPECT_LT(duration(longest_.load()), call_limit + 3s) << "a call took longer than its limit";
  EXPECT_TRUE(wait_until([&] { return server_sessions() <= static_cast<int>(max_open); }));
  const auto pool = manager_->get("bank").statistics().pool;
  EXPECT_EQ(pool.waiting, 0u);
  EXPECT_LE(pool.open, max_open);

  // Statements that were cut off end by themselves before the books are read.
  EXPECT_TRUE(wait_until([&] {
    return postgres_admin(server_->address())
               .value("SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND application_name = '" +
                      std::string(application) + "'") == "0";
  }));
  manager_->close();
  EXPECT_TRUE(wait_until([&] { return server_sessions() == 0; })) << server_sessions() << " sessions are left";
  EXPECT_EQ(manager_->statistics().connections[0].pool.open, 0u);
  EXPECT_EQ(manager_->statistics().connections[1].errors, 0u);

  postgres_admin admin(server_->address());
  EXPECT_EQ(admin.value("SELECT sum(balance) FROM accounts"), std::to_string(accounts * 1000));
  EXPECT_EQ(admin.value("SELECT count(*) FROM accounts a WHERE balance <> 1000"
                        " - (SELECT count(*) FROM ledger WHERE source = a.id)"
                        " + (SELECT count(*) FROM ledger WHERE target = a.id)"),
            "0")
      << "balances and ledger do not agree";
  std::set<std::string> ledger;
  for (auto& row : admin.execute("SELECT id FROM ledger")) ledger.insert(std::move(row[0]));
  outcomes_.check(ledger);
}

namespace {

TEST_F(bank_test, without_a_fault_nothing_fails) {
  progress(300);
  settle();
  EXPECT_EQ(manager_->statistics().connections[0].pool.closed_for(close_cause::broken), 0u);
}

}  // namespace

}  // namespace polypool::test
