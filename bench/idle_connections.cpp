// SPDX-License-Identifier: Apache-2.0
// What 10,000 registered connections cost that nobody has used yet.
#include <polypool/manager.hpp>
#include <polypool/postgres.hpp>
#include <polypool/sqlite.hpp>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <malloc.h>
#include <string>
#include <unistd.h>

namespace {

long resident_bytes() {
  ::malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  long size = 0;
  long resident = 0;
  statm >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

int main() {
  constexpr int count = 10000;
  polypool::config::settings settings;
  settings.defaults.lazy_connect = true;
  polypool::manager_options options;
  options.drivers.push_back(polypool::postgres::make_driver());
  options.drivers.push_back(polypool::sqlite::make_driver());
  polypool::manager mgr(std::move(settings), std::move(options));
  mgr.register_url("first", "postgres://app:secret@db-0.internal:5432/first");
  const long before = resident_bytes();
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    mgr.register_url("project_" + number, "postgres://app_" + number + ":a-long-secret-" + number + "@db-" +
                                              std::to_string(i % 50) + ".internal:5432/project_" + number);
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - started;
  const long after = resident_bytes();
  std::printf("%d connections registered in %.0f ms; %ld bytes resident each\n", count, took.count(),
              (after - before) / count);
}
