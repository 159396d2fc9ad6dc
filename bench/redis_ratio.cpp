// SPDX-License-Identifier: Apache-2.0
// GET and SET on Redis: raw hiredis against Polypool, in threads and in tasks, and redis-benchmark beside them.
#include "ratio.hpp"

#include <polypool/asio.hpp>
#include <polypool/manager.hpp>
#include <polypool/redis.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <hiredis/hiredis.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using polypool::bench::calls_per_second;

constexpr int keys = 1000;
constexpr auto span = 700ms;
constexpr int rounds = 9;
constexpr int turns = 80;

struct free_context {
  void operator()(redisContext* c) const { redisFree(c); }
};
using raw_connection = std::unique_ptr<redisContext, free_context>;

std::string key_of(std::uint64_t number) { return "polypool_bench:" + std::to_string(number % keys); }

// Formats and parses as most programs with hiredis do.
std::uint64_t raw_loop(redisContext* c, const std::atomic<bool>& stop, bool sets) {
  std::uint64_t calls = 0;
  std::uint64_t seen = 0;
  for (; !stop.load(std::memory_order_relaxed); ++calls) {
    const std::string key = key_of(calls);
    const bool set = sets && calls % 2 != 0;
    const char* words[] = {set ? "SET" : "GET", key.c_str(), "a value of some length"};
    const std::size_t lengths[] = {3, key.size(), 22};
    auto* reply = static_cast<redisReply*>(redisCommandArgv(c, set ? 3 : 2, words, lengths));
    seen += reply->len;
    freeReplyObject(reply);
  }
  return seen ? calls : 0;
}

std::uint64_t polypool_loop(polypool::redis_database db, const std::atomic<bool>& stop) {
  std::uint64_t calls = 0;
  std::uint64_t seen = 0;
  for (; !stop.load(std::memory_order_relaxed); ++calls) seen += db.get(key_of(calls))->size();
  return seen ? calls : 0;
}

polypool::task<void> task_loop(polypool::redis_database db, const std::atomic<bool>& stop, std::uint64_t& calls) {
  for (std::uint64_t mine = 0; !stop.load(std::memory_order_relaxed); ++mine) {
    if (mine % 2 != 0) {
      polypool::task<void> setting = db.async_set(key_of(mine), "a value of some length");
      co_await std::move(setting);
    } else {
      polypool::task<std::optional<std::string>> getting = db.async_get(key_of(mine));
      const std::optional<std::string> value = co_await std::move(getting);
      if (!value) std::abort();
    }
    ++calls;
  }
}

double tasks_per_second(const polypool::redis_database& db, int tasks) {
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

// What redis-benchmark does by itself: the mean of GET and SET, 50 connections, 16 commands in each write.
double benchmark_per_second(const std::string& host, int port) {
  const std::string command = "redis-benchmark -h " + host + " -p " + std::to_string(port) +
                              " -t set,get -n 300000 -r 1000 -d 22 -P 16 --csv 2>/dev/null";
  FILE* pipe = ::popen(command.c_str(), "r");
  double all = 0;
  int lines = 0;
  char line[256];
  while (pipe != nullptr && std::fgets(line, sizeof line, pipe) != nullptr) {
    const char* number = std::strstr(line, "\",\"");
    if (number == nullptr || std::strncmp(line, "\"test\"", 6) == 0) continue;
    all += std::atof(number + 3);
    ++lines;
  }
  if (pipe == nullptr || ::pclose(pipe) != 0 || lines != 2) throw std::runtime_error("redis-benchmark failed");
  return all / lines;
}

}  // namespace

// usage: redis_ratio [WORDS]: only the lines that begin with them
int main(int count, char** words) {
  const auto wanted = [&](const std::string& what) { return count < 2 || what.starts_with(words[1]); };
  const auto compare = [&](const std::string& what, const std::function<double()>& raw,
                           const std::function<double()>& ours) {
    if (wanted(what)) polypool::bench::compare(what, rounds, raw, ours);
  };
  const char* url = std::getenv("REDIS_URL");
  if (!url) {
    std::fputs("REDIS_URL is not set; `make bench` starts a server and sets it\n", stderr);
    return 2;
  }
  polypool::config::settings settings;
  settings.connections.push_back(polypool::config::connection_from_url("redis", url));
  const auto where = settings.connections.front().where;
  polypool::manager_options options;
  options.drivers.push_back(polypool::redis::make_driver());
  polypool::manager mgr(std::move(settings), std::move(options));
  mgr.connect();
  auto db = mgr.redis("redis");
  for (int i = 0; i < keys; ++i) db.set(key_of(static_cast<std::uint64_t>(i)), "a value of some length", 600s);

  std::vector<raw_connection> raw;
  for (int i = 0; i < 8; ++i) raw.emplace_back(redisConnect(where.host.c_str(), where.port));
  const auto raw_work = [&](bool sets) {
    return [&, sets](int thread, const std::atomic<bool>& stop) {
      return raw_loop(raw[static_cast<std::size_t>(thread)].get(), stop, sets);
    };
  };
  for (const int threads : {1, 2, 8}) {
    if (!wanted("blocking GET")) continue;
    polypool::bench::thread_ratio("blocking GET", threads)
        .measure(turns, raw_work(false), [&](int, const std::atomic<bool>& stop) { return polypool_loop(db, stop); });
  }
  compare(
      "100 tasks, 1 thread, GET/SET (raw: 8 threads)", [&] { return calls_per_second(8, span, raw_work(true)); },
      [&] { return tasks_per_second(db, 100); });
  compare(
      "100 tasks, 1 thread (raw: redis-benchmark -P 16)", [&] { return benchmark_per_second(where.host, where.port); },
      [&] { return tasks_per_second(db, 100); });
  for (int i = 0; i < keys; ++i) db.del(key_of(static_cast<std::uint64_t>(i)));
}
