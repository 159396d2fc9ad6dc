// SPDX-License-Identifier: Apache-2.0
// Point SELECTs on MySQL or MariaDB: raw Connector/C with prepared statements against Polypool, in threads and in
// tasks.
#include "ratio.hpp"

#include <polypool/asio.hpp>
#include <polypool/manager.hpp>
#include <polypool/mysql.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mysql.h>

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
constexpr const char* raw_text = "SELECT id, name FROM polypool_bench WHERE id = ?";

// As its documentation says it is done: prepared once, bound once, executed again and again.
class raw_connection {
 public:
  explicit raw_connection(const polypool::endpoint& where) : connection_(mysql_init(nullptr)) {
    const unsigned int protocol = MYSQL_PROTOCOL_TCP;
    mysql_options(connection_, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(connection_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(connection_, where.host.c_str(), where.user.c_str(), where.password.reveal().c_str(),
                            where.database.c_str(), where.port, nullptr, 0)) {
      std::fputs(mysql_error(connection_), stderr);
      std::exit(2);
    }
    statement_ = mysql_stmt_init(connection_);
    mysql_stmt_prepare(statement_, raw_text, std::strlen(raw_text));
    std::array<MYSQL_BIND, 1> in{};
    in[0].buffer_type = MYSQL_TYPE_LONGLONG;
    in[0].buffer = &wanted_;
    mysql_stmt_bind_param(statement_, in.data());
    std::array<MYSQL_BIND, 2> out{};
    out[0].buffer_type = MYSQL_TYPE_LONGLONG;
    out[0].buffer = &id_;
    out[1].buffer_type = MYSQL_TYPE_STRING;
    out[1].buffer = name_.data();
    out[1].buffer_length = name_.size();
    out[1].length = &name_length_;
    mysql_stmt_bind_result(statement_, out.data());
  }
  raw_connection(const raw_connection&) = delete;
  ~raw_connection() {
    mysql_stmt_close(statement_);
    mysql_close(connection_);
  }

  std::size_t select(long long id) {
    wanted_ = id;
    if (mysql_stmt_execute(statement_) != 0 || mysql_stmt_store_result(statement_) != 0) std::exit(2);
    std::size_t seen = 0;
    while (mysql_stmt_fetch(statement_) == 0) seen += std::string(name_.data(), name_length_).size();
    mysql_stmt_free_result(statement_);
    return seen;
  }

 private:
  MYSQL* connection_;
  MYSQL_STMT* statement_ = nullptr;
  long long wanted_ = 0;
  long long id_ = 0;
  std::array<char, 100> name_{};
  unsigned long name_length_ = 0;
};

std::uint64_t raw_loop(raw_connection& c, const std::atomic<bool>& stop) {
  std::uint64_t calls = 0;
  std::uint64_t seen = 0;
  for (; !stop.load(std::memory_order_relaxed); ++calls) seen += c.select(static_cast<long long>(1 + calls % rows));
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
  const char* url = std::getenv("MYSQL_URL");
  if (!url) {
    std::fputs("MYSQL_URL is not set; `make bench` starts a server and sets it\n", stderr);
    return 2;
  }
  const auto where = polypool::config::connection_from_url("my", url).where;
  const auto manager_of = [&](std::uint32_t sessions) {
    polypool::config::settings settings;
    settings.connections.push_back(polypool::config::connection_from_url("my", url));
    settings.connections.front().overrides.max_open_conns = sessions;
    settings.connections.front().overrides.max_idle_conns = sessions;
    polypool::manager_options options;
    options.drivers.push_back(polypool::mysql::make_driver());
    auto made = std::make_unique<polypool::manager>(std::move(settings), std::move(options));
    made->connect();
    return made;
  };
  {
    const auto setup = manager_of(1);
    setup->sql("my").execute_script(
        "DROP TABLE IF EXISTS polypool_bench; CREATE TABLE polypool_bench (id bigint PRIMARY KEY, name varchar(50));"
        "INSERT INTO polypool_bench WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
        "SELECT a.i + 1000 * (b.i - 1), concat('name ', a.i + 1000 * (b.i - 1)) FROM n a, n b WHERE b.i <= 10");
  }
  for (const int threads : {1, 2, 8}) {
    polypool::bench::thread_ratio ratio("blocking point SELECT", threads);
    for (int set = 0; set < sets; ++set) {
      std::vector<std::unique_ptr<raw_connection>> raw;
      for (int i = 0; i < threads; ++i) raw.push_back(std::make_unique<raw_connection>(where));
      const auto mgr = manager_of(static_cast<std::uint32_t>(threads));
      ratio.measure(
          turns,
          [&](int thread, const std::atomic<bool>& stop) {
            return raw_loop(*raw[static_cast<std::size_t>(thread)], stop);
          },
          [&](int, const std::atomic<bool>& stop) { return polypool_loop(mgr->sql("my"), stop); });
    }
  }
  std::vector<std::unique_ptr<raw_connection>> raw;
  for (int i = 0; i < 8; ++i) raw.push_back(std::make_unique<raw_connection>(where));
  const auto mgr = manager_of(8);
  compare(
      "1,000 tasks, 1 thread, 8 sessions (raw: 8 threads)", rounds,
      [&] {
        return calls_per_second(8, span, [&](int thread, const std::atomic<bool>& stop) {
          return raw_loop(*raw[static_cast<std::size_t>(thread)], stop);
        });
      },
      [&] { return tasks_per_second(mgr->sql("my"), 1000); });
  mgr->sql("my").execute("DROP TABLE polypool_bench");
}
