// SPDX-License-Identifier: Apache-2.0
// Finding documents by their id: raw libmongoc against Polypool, in threads and in tasks.
#include "canned_mongodb.hpp"
#include "ratio.hpp"

#include <polypool/asio.hpp>
#include <polypool/config.hpp>
#include <polypool/manager.hpp>
#include <polypool/mongodb.hpp>
#include <polypool/mongodb_database.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mongoc/mongoc.h>

namespace {

using namespace std::chrono_literals;
using polypool::bench::calls_per_second;
using polypool::bench::compare;

constexpr int documents = 10000;
constexpr auto span = 700ms;
constexpr int rounds = 9;
constexpr int sets = 7;
constexpr int turns = 12;

struct destroy {
  void operator()(mongoc_client_t* client) const { mongoc_client_destroy(client); }
  void operator()(mongoc_collection_t* collection) const { mongoc_collection_destroy(collection); }
  void operator()(mongoc_cursor_t* cursor) const { mongoc_cursor_destroy(cursor); }
  void operator()(char* text) const { bson_free(text); }
};
template <class T>
using owned = std::unique_ptr<T, destroy>;

struct raw_connection {
  explicit raw_connection(const char* url) : client(mongoc_client_new(url)) {
    mongoc_client_set_error_api(client.get(), 2);
    things.reset(mongoc_client_get_collection(client.get(), "polypool_bench", "things"));
  }
  owned<mongoc_client_t> client;
  owned<mongoc_collection_t> things;
};

std::uint64_t raw_loop(raw_connection& c, const std::atomic<bool>& stop) {
  std::uint64_t calls = 0;
  std::uint64_t seen = 0;
  bson_t options = BSON_INITIALIZER;
  BSON_APPEND_INT64(&options, "limit", 1);
  BSON_APPEND_BOOL(&options, "singleBatch", true);
  for (; !stop.load(std::memory_order_relaxed); ++calls) {
    bson_t filter = BSON_INITIALIZER;
    BSON_APPEND_INT32(&filter, "_id", static_cast<std::int32_t>(1 + calls % documents));
    const owned<mongoc_cursor_t> cursor(mongoc_collection_find_with_opts(c.things.get(), &filter, &options, nullptr));
    const bson_t* found = nullptr;
    bson_iter_t at;
    if (mongoc_cursor_next(cursor.get(), &found) && bson_iter_init_find(&at, found, "name")) {
      std::uint32_t size = 0;
      seen += std::string(bson_iter_utf8(&at, &size)).size();
    }
    bson_destroy(&filter);
  }
  bson_destroy(&options);
  return seen ? calls : 0;
}

std::uint64_t polypool_loop(const polypool::mongodb_collection& things, const std::atomic<bool>& stop) {
  std::uint64_t calls = 0;
  std::uint64_t seen = 0;
  for (; !stop.load(std::memory_order_relaxed); ++calls) {
    const auto found = things.find_one({{"_id", 1 + calls % documents}});
    seen += std::string(found->at("name").as_string()).size();
  }
  return seen ? calls : 0;
}

polypool::task<void> task_loop(polypool::mongodb_collection things, const std::atomic<bool>& stop,
                               std::uint64_t& calls) {
  while (!stop.load(std::memory_order_relaxed)) {
    polypool::document by_id;
    by_id["_id"] = 1 + calls % documents;
    polypool::task<std::optional<polypool::document>> asking = things.async_find_one(std::move(by_id));
    const std::optional<polypool::document> found = co_await std::move(asking);
    calls += found.has_value();
  }
}

double tasks_per_second(const polypool::mongodb_collection& things, int tasks) {
  return calls_per_second(1, span, [&](int, const std::atomic<bool>& stop) {
    boost::asio::io_context context(1);
    std::uint64_t calls = 0;
    for (int i = 0; i < tasks; ++i) {
      polypool::spawn(context.get_executor(), task_loop(things, stop, calls), boost::asio::detached);
    }
    context.run();
    return calls;
  });
}

std::unique_ptr<polypool::manager> manager_of(const char* url, std::uint32_t sessions) {
  polypool::config::settings settings;
  settings.connections.push_back(polypool::config::connection_from_url("documents", url));
  settings.connections.front().overrides.max_open_conns = sessions;
  settings.connections.front().overrides.max_idle_conns = sessions;
  polypool::manager_options options;
  options.drivers.push_back(polypool::mongodb::make_driver());
  auto made = std::make_unique<polypool::manager>(std::move(settings), std::move(options));
  made->connect();
  return made;
}

polypool::mongodb_collection things_of(const polypool::manager& mgr) {
  return mgr.mongodb("documents").in("polypool_bench").collection("things");
}

void compare_finds(const std::string& what, const char* url, int threads) {
  polypool::bench::thread_ratio ratio(what, threads);
  for (int set = 0; set < sets; ++set) {
    std::vector<std::unique_ptr<raw_connection>> raw;
    for (int i = 0; i < threads; ++i) raw.push_back(std::make_unique<raw_connection>(url));
    const auto mgr = manager_of(url, static_cast<std::uint32_t>(threads));
    ratio.measure(
        turns,
        [&](int thread, const std::atomic<bool>& stop) {
          return raw_loop(*raw[static_cast<std::size_t>(thread)], stop);
        },
        [&](int, const std::atomic<bool>& stop) { return polypool_loop(things_of(*mgr), stop); });
  }
}

}  // namespace

int main() {
  const char* url = std::getenv("MONGODB_URL");
  if (!url) {
    std::fputs("MONGODB_URL is not set; `make bench` starts a server and sets it\n", stderr);
    return 2;
  }
  const auto setup = manager_of(url, 1);
  things_of(*setup).drop();
  std::vector<polypool::document> made;
  for (int i = 1; i <= documents; ++i) made.push_back({{"_id", i}, {"name", "name " + std::to_string(i)}});
  things_of(*setup).insert_many(std::move(made));

  for (const int threads : {1, 2, 8}) compare_finds("blocking find by id", url, threads);
  {
    const polypool::bench::canned_mongodb at_once;
    for (const int threads : {1, 2}) compare_finds("the same, answered at once", at_once.url().c_str(), threads);
  }
  std::vector<std::unique_ptr<raw_connection>> raw;
  for (int i = 0; i < 8; ++i) raw.push_back(std::make_unique<raw_connection>(url));
  const auto mgr = manager_of(url, 8);
  compare(
      "100 tasks, 1 thread, 8 sessions (raw: 8 threads)", rounds,
      [&] {
        return calls_per_second(8, span, [&](int thread, const std::atomic<bool>& stop) {
          return raw_loop(*raw[static_cast<std::size_t>(thread)], stop);
        });
      },
      [&] { return tasks_per_second(things_of(*mgr), 100); });
  setup->mongodb("documents").in("polypool_bench").drop();
}
