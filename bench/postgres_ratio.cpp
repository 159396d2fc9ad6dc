// SPDX-License-Identifier: Apache-2.0
// Point SELECTs on PostgreSQL: raw libpq with PQexecPrepared against Polypool, in threads and in tasks.
#include "ratio.hpp"

#include <polypool/asio.hpp>
#include <polypool/manager.hpp>
#include <polypool/postgres.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <libpq-fe.h>

#include <atomic>
#include <cstdlib>
#include <memory>

namespace {

using namespace std::chrono_literals;
using polypool::bench::calls_per_second;
using polypool::bench::compare;

constexpr int rows = 10000;
constexpr auto span = 700ms;
constexpr int rounds = 9;
constexpr int sets = 7;
constexpr int turns = 12;
constexpr const char* select_text = "SELECT id, name FROM polypool_bench WHERE id = $1";

struct finish_connection {
  void operator()(PGconn* c) const { PQfinish(c); }
};
using raw_connection = std::unique_ptr<PGconn, finish_connection>;

raw_connection raw_connect(const char* url) {
  raw_connection c(PQconnectdb(url));
  PQclear(PQprepare(c.get(), "point", select_text, 1, nullptr));
  return c;
}

std::uint64_t raw_loop(PGconn* c, const std::atomic<bool>& stop) {
  std::uint64_t calls = 0;
  std::uint64_t seen = 0;
  for (; !stop.load(std::memory_order_relaxed); ++calls) {
    const std::string id = std::to_string(1 + calls % rows);
    const char* values[] = {id.c_str()};
    PGresult* result = PQexecPrepared(c, "point", 1, values, nullptr, nullptr, 0);
    seen += std::string(PQgetvalue(result, 0, 1)).size();
    PQclear(result);
  }
  return seen ? calls : 0;
}

std::uint64_t polypool_loop(polypool::sql_database db, const std::atomic<bool>& stop) {
  std::uint64_t calls = 0;
  std::uint64_t seen = 0;
  for (; !stop.load(std::memory_order_relaxed); ++calls) {
    const auto result = db.query(select_text, 1 + calls % rows);
    seen += result.front().get<std::string>(1).size();
  }
  return seen ? calls : 0;
}

polypool::task<void> task_loop(polypool::sql_database db, const std::atomic<bool>& stop, std::uint64_t& calls) {
  while (!stop.load(std::memory_order_relaxed)) {
    polypool::task<polypool::result> asking = db.async_query(select_text, 1 + calls % rows);
    const polypool::result result = co_await std::move(asking);
    calls += result.size();
  }
}

double tasks_per_second(const polypool::sql_database& db, int tasks) {
  return calls_per_second(1, span, [&](int, const std::atomic<bool>& stop) {
    boost::asio::io_context context(1);
    std::uint64_t calls = 0;
    for (int i = 0; i < tasks; ++i) {
      polypool::spawn(context.get_executor(), task_loop(db, stop, calls), boost::asio::detached);
    }
    context.run();
    return calls;
  });
}

}  // namespace

int main() {
  const char* url = std::getenv("POSTGRES_URL");
  if (!url) {
    std::fputs("POSTGRES_URL is not set; `make bench` starts a server and sets it\n", stderr);
    return 2;
  }
  const auto manager_of = [&](std::uint32_t sessions) {
    polypool::config::settings settings;
    settings.connections.push_back(polypool::config::connection_from_url("pg", url));
    settings.connections.front().overrides.max_open_conns = sessions;
    settings.connections.front().overrides.max_idle_conns = sessions;
    polypool::manager_options options;
    options.drivers.push_back(polypool::postgres::make_driver());
    auto made = std::make_unique<polypool::manager>(std::move(settings), std::move(options));
    made->connect();
    return made;
  };
  {
    const auto setup = manager_of(1);
    setup->sql("pg").execute_script(
        "DROP TABLE IF EXISTS polypool_bench; CREATE TABLE polypool_bench (id bigint PRIMARY KEY, name text);"
        "INSERT INTO polypool_bench SELECT i, 'name ' || i FROM generate_series(1, 10000) i;");
    setup->sql("pg").execute("ANALYZE polypool_bench");
  }
  for (const int threads : {1, 2, 8}) {
    polypool::bench::thread_ratio ratio("blocking point SELECT", threads);
    for (int set = 0; set < sets; ++set) {
      std::vector<raw_connection> raw;
      for (int i = 0; i < threads; ++i) raw.push_back(raw_connect(url));
      const auto mgr = manager_of(static_cast<std::uint32_t>(threads));
      ratio.measure(
          turns,
          [&](int thread, const std::atomic<bool>& stop) {
            return raw_loop(raw[static_cast<std::size_t>(thread)].get(), stop);
          },
          [&](int, const std::atomic<bool>& stop) { return polypool_loop(mgr->sql("pg"), stop); });
    }
  }
  std::vector<raw_connection> raw;
  for (int i = 0; i < 8; ++i) raw.push_back(raw_connect(url));
  const auto mgr = manager_of(8);
  compare(
      "1,000 tasks, 1 thread, 8 sessions (raw: 8 threads)", rounds,
      [&] {
        return calls_per_second(8, span, [&](int thread, const std::atomic<bool>& stop) {
          return raw_loop(raw[static_cast<std::size_t>(thread)].get(), stop);
        });
      },
      [&] { return tasks_per_second(mgr->sql("pg"), 1000); });
  mgr->sql("pg").execute("DROP TABLE polypool_bench");
}
