// SPDX-License-Identifier: Apache-2.0
// Point SELECTs by rowid on SQLite in memory: raw sqlite3_step against Polypool; prints what a call costs on top.
#include "ratio.hpp"

#include <polypool/manager.hpp>
#include <polypool/sqlite.hpp>

#include <sqlite3.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace {

constexpr int rows = 10000;
constexpr int calls = 200000;
constexpr int rounds = 15;
constexpr const char* select_text = "SELECT name FROM t WHERE id = $1";
constexpr const char* fill =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000)"
    "INSERT INTO t SELECT i, 'name ' || i FROM n;";

template <class Work>
double nanoseconds_per_call(Work&& work) {
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) work(1 + i % rows);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - started;
  return took.count() / calls;
}

}  // namespace

int main() {
  sqlite3* raw = nullptr;
  sqlite3_open_v2(":memory:", &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  sqlite3_exec(raw, fill, nullptr, nullptr, nullptr);
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(raw, select_text, -1, &statement, nullptr);

  polypool::config::settings settings;
  settings.connections.push_back(polypool::config::connection_from_url("memory", "sqlite::memory:"));
  polypool::manager_options options;
  options.drivers.push_back(polypool::sqlite::make_driver());
  polypool::manager mgr(std::move(settings), std::move(options));
  mgr.connect();
  auto db = mgr.sql("memory");
  db.execute_script(fill);

  std::size_t seen = 0;
  const auto raw_call = [&](int id) {
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_step(statement);
    seen += std::string(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))).size();
    sqlite3_reset(statement);
  };
  const auto our_call = [&](int id) { seen += db.query(select_text, id).front().get<std::string>(0).size(); };
  nanoseconds_per_call(raw_call);
  nanoseconds_per_call(our_call);
  std::vector<double> raws, ours, differences;
  for (int i = 0; i < rounds; ++i) {
    raws.push_back(nanoseconds_per_call(raw_call));
    ours.push_back(nanoseconds_per_call(our_call));
    differences.push_back(ours.back() - raws.back());
  }
  std::printf(
      "SQLite in memory by rowid: raw %.0f ns, polypool %.0f ns, on top %.0f ns (medians of %d; %zu bytes seen)\n",
      polypool::bench::median(raws), polypool::bench::median(ours), polypool::bench::median(differences), rounds, seen);
  sqlite3_finalize(statement);
  sqlite3_close(raw);
}
