// SPDX-License-Identifier: Apache-2.0
// Point SELECTs on PostgreSQL over ODBC: raw ODBC with a prepared statement against Polypool, both over psqlodbc.
#include "ratio.hpp"

#include <polypool/manager.hpp>
#include <polypool/odbc.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sql.h>
#include <sqlext.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using polypool::bench::calls_per_second;

constexpr std::int64_t rows = 10000;
constexpr int sets = 7;
constexpr int turns = 12;
constexpr const char* library = "/usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so";
constexpr const char* select_text = "SELECT id, name FROM polypool_odbc_bench WHERE id = $1";
constexpr const char* raw_text = "SELECT id, name FROM polypool_odbc_bench WHERE id = ?";

void check(SQLRETURN code, const char* what) {
  if (code != SQL_SUCCESS && code != SQL_SUCCESS_WITH_INFO) throw std::runtime_error(what);
}

/// A connection with the statement prepared, its parameter and its columns bound: as fast as ODBC gets.
class raw_connection {
 public:
  explicit raw_connection(const polypool::endpoint& where) {
    check(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &environment_), "environment");
    check(SQLSetEnvAttr(environment_, SQL_ATTR_ODBC_VERSION, reinterpret_cast<SQLPOINTER>(SQL_OV_ODBC3), 0), "version");
    check(SQLAllocHandle(SQL_HANDLE_DBC, environment_, &connection_), "connection");
    std::string text = "Driver=" + std::string(library) + ";Servername=" + where.host +
                       ";Port=" + std::to_string(where.port) + ";UID=" + where.user + ";PWD={" +
                       where.password.reveal() + "};Database=" + where.database;
    check(SQLDriverConnect(connection_, nullptr, reinterpret_cast<SQLCHAR*>(text.data()), SQL_NTS, nullptr, 0, nullptr,
                           SQL_DRIVER_NOPROMPT),
          "connecting");
    check(SQLAllocHandle(SQL_HANDLE_STMT, connection_, &statement_), "statement");
    std::string sql = raw_text;
    check(SQLPrepare(statement_, reinterpret_cast<SQLCHAR*>(sql.data()), SQL_NTS), "preparing");
    check(SQLBindParameter(statement_, 1, SQL_PARAM_INPUT, SQL_C_SBIGINT, SQL_BIGINT, 19, 0, &id_, 0, nullptr), "bind");
    check(SQLBindCol(statement_, 1, SQL_C_SBIGINT, &got_id_, sizeof got_id_, &id_length_), "column");
    check(SQLBindCol(statement_, 2, SQL_C_CHAR, name_, sizeof name_, &name_length_), "column");
  }
  ~raw_connection() {
    SQLFreeHandle(SQL_HANDLE_STMT, statement_);
    SQLDisconnect(connection_);
    SQLFreeHandle(SQL_HANDLE_DBC, connection_);
    SQLFreeHandle(SQL_HANDLE_ENV, environment_);
  }
  raw_connection(const raw_connection&) = delete;

  std::string ask(std::int64_t id) {
    id_ = id;
    check(SQLExecute(statement_), "executing");
    check(SQLFetch(statement_), "fetching");
    std::string out(name_, static_cast<std::size_t>(name_length_));
    SQLFreeStmt(statement_, SQL_CLOSE);
    return out;
  }

 private:
  SQLHENV environment_ = nullptr;
  SQLHDBC connection_ = nullptr;
  SQLHSTMT statement_ = nullptr;
  std::int64_t id_ = 0;
  std::int64_t got_id_ = 0;
  SQLLEN id_length_ = 0;
  SQLLEN name_length_ = 0;
  char name_[256] = {};
};

std::uint64_t raw_loop(raw_connection& c, const std::atomic<bool>& stop) {
  std::uint64_t calls = 0;
  std::uint64_t seen = 0;
  for (; !stop.load(std::memory_order_relaxed); ++calls) {
    seen += c.ask(1 + static_cast<std::int64_t>(calls) % rows).size();
  }
  return seen ? calls : 0;
}

std::uint64_t polypool_loop(polypool::sql_database db, const std::atomic<bool>& stop) {
  std::uint64_t calls = 0;
  std::uint64_t seen = 0;
  for (; !stop.load(std::memory_order_relaxed); ++calls) {
    const auto result = db.query(select_text, 1 + static_cast<std::int64_t>(calls) % rows);
    seen += result.front().get<std::string>(1).size();
  }
  return seen ? calls : 0;
}

}  // namespace

int main() {
  const char* url = std::getenv("POSTGRES_URL");
  if (!url) {
    std::fputs("POSTGRES_URL is not set; `make bench` starts a server and sets it\n", stderr);
    return 2;
  }
  if (!std::filesystem::exists(library)) {
    std::printf("skipped: %s is not installed (package odbc-postgresql)\n", library);
    return 0;
  }
  auto where = polypool::config::connection_from_url("pg", url).where;
  const auto manager_of = [&](std::uint32_t sessions) {
    polypool::config::settings settings;
    polypool::config::connection one;
    one.name = "pg";
    one.type = polypool::config::database_type::odbc;
    one.where = where;
    one.where.options["Driver"] = library;
    one.overrides.max_open_conns = sessions;
    one.overrides.max_idle_conns = sessions;
    settings.connections.push_back(std::move(one));
    polypool::manager_options options;
    options.drivers.push_back(polypool::odbc::make_driver());
    auto made = std::make_unique<polypool::manager>(std::move(settings), std::move(options));
    made->connect();
    return made;
  };
  {
    const auto setup = manager_of(1);
    setup->sql("pg").execute_script(
        "DROP TABLE IF EXISTS polypool_odbc_bench; CREATE TABLE polypool_odbc_bench (id bigint PRIMARY KEY, name text);"
        "INSERT INTO polypool_odbc_bench SELECT i, 'name ' || i FROM generate_series(1, 10000) i;");
    setup->sql("pg").execute("ANALYZE polypool_odbc_bench");
  }
  for (const int threads : {1, 2, 8}) {
    polypool::bench::thread_ratio ratio("ODBC point SELECT", threads);
    for (int set = 0; set < sets; ++set) {
      std::vector<std::unique_ptr<raw_connection>> raw;
      for (int i = 0; i < threads; ++i) raw.push_back(std::make_unique<raw_connection>(where));
      const auto mgr = manager_of(static_cast<std::uint32_t>(threads));
      ratio.measure(
          turns,
          [&](int thread, const std::atomic<bool>& stop) {
            return raw_loop(*raw[static_cast<std::size_t>(thread)], stop);
          },
          [&](int, const std::atomic<bool>& stop) { return polypool_loop(mgr->sql("pg"), stop); });
    }
  }
  manager_of(1)->sql("pg").execute("DROP TABLE polypool_odbc_bench");
}
