// SPDX-License-Identifier: Apache-2.0
#include "bank.hpp"

#include <polypool/asio.hpp>
#include <polypool/waits.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace polypool::test {

void bank_test::prepare(postgres_admin& admin) {
  // What is acknowledged has to survive a kill -9 of the server.
  admin.execute("ALTER SYSTEM SET synchronous_commit = on");
  admin.execute("SELECT pg_reload_conf()");
  admin.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL)");
  // Without a key: what is done twice has to show, not to fail.
  admin.execute("CREATE TABLE ledger (id text NOT NULL, source int, target int)");
  admin.execute("INSERT INTO accounts SELECT g, 1000 FROM generate_series(0, " + std::to_string(accounts - 1) + ") g");
}

endpoint bank_test::open_gate() {
  gate_.emplace(server_->address().host, server_->address().port);
  auto where = server_->address().to_endpoint(application);
  where.host = "127.0.0.1";
  where.port = gate_->port();
  return where;
}

// The safeguards as they are by default, only quicker, so that a test does not take a minute.
void bank_test::configure(config::settings& settings, const endpoint& where) {
  settings.drain_timeout = 5s;
  settings.force_timeout = 7s;
  auto& all = settings.defaults;
  all.max_open_conns = all.max_idle_conns = max_open;
  all.max_concurrent = 2 * max_open;
  all.connect_timeout = 1s;
  all.query_timeout = call_limit;
  all.retry_delay = 10ms;
  all.retry_max_delay = 50ms;
  all.query_retry_delay = 10ms;
  all.health_check_interval = probe_interval;
  all.circuit_reset = 300ms;
  all.circuit_reset_max = probe_interval;
  settings.connections.push_back(postgres_connection("bank", where));
  settings.connections.push_back(sqlite_connection("side", folder_.file("side.db")));
}

void bank_test::SetUp() {
  if (const auto reason = private_postgres::why_not(); !reason.empty()) GTEST_SKIP() << reason;
  if (const char* text = std::getenv("POLYPOOL_BANK_SPAN_MS")) least_span_ = std::chrono::milliseconds(std::atoi(text));
  server_ = std::make_unique<private_postgres>();
  {
    postgres_admin admin(server_->address());
    prepare(admin);
  }
  config::settings settings;
  configure(settings, open_gate());
  manager_ = std::make_unique<manager>(std::move(settings));
  manager_->connect();
  manager_->sql("side").execute("CREATE TABLE t (x int)");
  start_work();
  const stopwatch calm;
  progress(100);
  EXPECT_TRUE(wait_until([&] { return side_.count(latencies::calm) >= 100 && calm.elapsed() >= least_span_; }));
}

void bank_test::start_work() {
  for (int i = 0; i < tasks; ++i) {
    ++tasks_running_;
    spawn(loop_.get_executor(), work_in_task(i), [this](std::exception_ptr failure) {
      EXPECT_FALSE(failure);
      --tasks_running_;
    });
  }
  threads_.emplace_back([this] { loop_.run(); });
  threads_.emplace_back([this] { loop_.run(); });
  for (int i = 0; i < 4; ++i) threads_.emplace_back([this, i] { work_in_thread(i); });
  threads_.emplace_back([this] { work_beside(); });
}

void bank_test::TearDown() {
  stop_ = true;
  threads_.clear();
  manager_.reset();
  gate_.reset();
  admins_.clear();
  server_.reset();
}

task<void> bank_test::moves(transaction& tx, const std::string& id, int from, int to) {
  stopwatch watch;
  task<std::uint64_t> noting = tx.async_execute("INSERT INTO ledger VALUES ($1, $2, $3)", id, from, to);
  co_await std::move(noting);
  measure(watch);
  const std::array<int, 2> ordered{std::min(from, to), std::max(from, to)};  // always in one order: no deadlocks
  for (const int account : ordered) {
    watch = {};
    task<std::uint64_t> moving =
        tx.async_execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", account == from ? -1 : 1, account);
    co_await std::move(moving);
    measure(watch);
  }
}

// One transfer, by hand or as a whole that may be made again; what it throws at the commit is in doubt, or certainly
// undone.
task<void> bank_test::transfer(std::string id, int from, int to) {
  sql_database db = manager_->sql("bank");
  if (to == from) to = (to + 1) % accounts;
  std::optional<error> failure;
  try {
    if (from % 2 == 0) {
      const auto work = [&](transaction& tx) -> task<void> { return moves(tx, id, from, to); };
      task<void> whole = db.async_with_retry(work);
      co_await std::move(whole);
    } else {
      stopwatch watch;
      task<transaction> beginning = db.async_begin();
      transaction tx = co_await std::move(beginning);
      measure(watch);
      task<void> moving = moves(tx, id, from, to);
      co_await std::move(moving);
      watch = {};
      task<void> committing = tx.async_commit();
      co_await std::move(committing);
      measure(watch);
    }
  } catch (const error& e) {
    failure.emplace(e);
  }
  if (!failure) {
    outcomes_.acknowledged(std::move(id));
    co_return;
  }
  outcomes_.failed(std::move(id), *failure);
  task<wait_result> breath = sleep_for(10ms);  // nobody who was refused asks again without one
  co_await std::move(breath);
}

// A read that may be made again; at any time it gives the same sum.
task<void> bank_test::add_up() {
  sql_database db = manager_->sql("bank").with(reading());
  const stopwatch watch;
  try {
    task<result> asking = db.async_query("SELECT sum(balance)::text FROM accounts");
    const result answer = co_await std::move(asking);
    outcomes_.read(answer[0][0].get<std::string>(), std::to_string(accounts * 1000));
    measure(watch);
  } catch (const error& e) {
    outcomes_.read_failed(e);
  }
}

task<void> bank_test::work_in_task(int number) {
  for (int i = 0; !stopped(); ++i) {
    std::string id = "task " + std::to_string(number) + "." + std::to_string(i);
    task<void> work = transfer(std::move(id), (number + i) % accounts, (number + i * 7 + 1) % accounts);
    co_await std::move(work);
    if (i % 8 != number % 8) continue;
    task<void> reading = add_up();
    co_await std::move(reading);
  }
}

void bank_test::work_in_thread(int number) {
  for (int i = 0; !stopped(); ++i) {
    run(transfer("thread " + std::to_string(number) + "." + std::to_string(i), (number + i) % accounts,
                 (number + i * 3 + 1) % accounts));
  }
}

void bank_test::work_beside() {
  auto side = manager_->sql("side");
  while (!stopped()) {
    const stopwatch watch;
    EXPECT_EQ(side.execute("INSERT INTO t VALUES (1)"), 1u);
    side_.note(watch.elapsed());
    ++sqlite_done_;
  }
}

void bank_test::measure(const stopwatch& since) {
  const auto took = since.elapsed().count();
  auto longest = longest_.load();
  while (took > longest && !longest_.compare_exchange_weak(longest, took)) continue;
}

int bank_test::server_sessions() {
  int most = 0;
  for (auto* server : servers()) {
    auto& admin = admins_[server];
    try {
      if (!admin) admin = std::make_unique<postgres_admin>(server->address());
      most = std::max(most, admin->count_sessions(application));
    } catch (const std::runtime_error&) {
      admin.reset();  // down
    }
  }
  return most;
}

void bank_test::look() {
  for (const auto& name : members_) EXPECT_LE(numbers_of(name).pool.open, max_open);
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

void bank_test::the_breaker_opens() {
  EXPECT_TRUE(wait_until([&] {
    return std::ranges::any_of(members_, [&](const auto& name) { return numbers_of(name).breaker.opened > 0; });
  }));
  EXPECT_TRUE(wait_until([&] { return outcomes_.failures_of(errc::circuit_open) >= 20; }));
}

void bank_test::begin_fault() {
  sqlite_before_ = sqlite_done_;
  side_.enter(latencies::fault);
}

void bank_test::watch_sqlite() {
  const stopwatch watch;
  EXPECT_TRUE(wait_until([&] { return sqlite_done_ >= sqlite_before_ + 20; })) << "SQLite stopped as well";
  EXPECT_TRUE(wait_until([&] { return watch.elapsed() >= least_span_; }));
}

void bank_test::recovered() {
  outcomes_.wait_for_recovery();
  side_.enter(latencies::after);
  progress(50);
  const auto took = outcomes_.recovery();
  ASSERT_TRUE(took);
  EXPECT_LT(*took, 2 * probe_interval + busy_machine);
}

void bank_test::read_the_books() {
  postgres_admin admin(books().address());
  EXPECT_EQ(admin.value("SELECT sum(balance) FROM accounts"), std::to_string(accounts * 1000));
  EXPECT_EQ(admin.value("SELECT count(*) FROM accounts a WHERE balance <> 1000"
                        " - (SELECT count(*) FROM ledger WHERE source = a.id)"
                        " + (SELECT count(*) FROM ledger WHERE target = a.id)"),
            "0")
      << "balances and ledger do not agree";
  std::map<std::string, int> ledger;
  for (auto& row : admin.execute("SELECT id FROM ledger")) ++ledger[row[0]];
  const auto found = outcomes_.check(ledger);
  EXPECT_EQ(found.lost, 0) << "acknowledged, and not there";
  EXPECT_EQ(found.doubled, 0) << "there twice, or though it failed";
  RecordProperty("lost", found.lost);
  RecordProperty("doubled", found.doubled);
}

void bank_test::settle() {
  stop_ = true;
  EXPECT_TRUE(wait_until([&] { return tasks_running_ == 0; })) << tasks_running_ << " tasks hang";
  threads_.clear();
  EXPECT_EQ(outcomes_.problems(also_expected_), std::vector<std::string>());
  EXPECT_LT(duration(longest_.load()), call_limit + busy_machine) << "a call took longer than its limit";
  EXPECT_TRUE(wait_until([&] { return server_sessions() <= static_cast<int>(max_open); }));
  std::uint64_t opened = 0, retries = 0;
  for (const auto& name : members_) {
    // Who looks at the server may have to wait, too.
    EXPECT_TRUE(wait_until([&] { return numbers_of(name).pool.waiting == 0; })) << name;
    const auto seen = numbers_of(name);
    EXPECT_LE(seen.pool.open, max_open) << name;
    EXPECT_EQ(seen.places.at_work, 0u) << "a place in the bulkhead of " << name << " is lost";
    EXPECT_EQ(seen.places.waiting, 0u) << name;
    opened += seen.breaker.opened;
    retries += seen.retries;
  }

  // Statements that were cut off end by themselves before the books are read.
  EXPECT_TRUE(wait_until([&] {
    return postgres_admin(books().address())
               .value("SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND application_name = '" +
                      std::string(application) + "'") == "0";
  }));
  manager_->close();
  EXPECT_TRUE(wait_until([&] { return server_sessions() == 0; })) << server_sessions() << " sessions are left";
  for (const auto& each : manager_->statistics().connections) {
    if (each.name == "side") {
      EXPECT_EQ(each.errors, 0u);
    } else {
      EXPECT_EQ(each.pool.open, 0u) << each.name;
    }
  }
  read_the_books();

  using milliseconds = std::chrono::duration<double, std::milli>;
  RecordProperty("done", outcomes_.done());
  RecordProperty("failed", outcomes_.failures_by_kind());
  RecordProperty("breaker_opened", static_cast<int>(opened));
  RecordProperty("retries", static_cast<int>(retries));
  RecordProperty("longest_call_ms", std::to_string(milliseconds(duration(longest_.load())).count()));
  if (const auto took = outcomes_.recovery())
    RecordProperty("recovery_ms", std::to_string(milliseconds(*took).count()));
  if (side_.count(latencies::fault) >= 100) {
    RecordProperty("calm_p99_us", std::to_string(side_.p99(latencies::calm)));
    RecordProperty("fault_p99_us", std::to_string(side_.p99(latencies::fault)));
  }
}

namespace {

TEST_F(bank_test, without_a_fault_nothing_fails) {
  while_sqlite_works([&] { progress(300); });
  settle();
  EXPECT_EQ(manager_->statistics().connections[0].pool.closed_for(close_cause::broken), 0u);
}

}  // namespace

}  // namespace polypool::test
