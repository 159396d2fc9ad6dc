// SPDX-License-Identifier: Apache-2.0
// Two programs in turn in one run, and the ratio between them: what holds on a noisy machine.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace polypool::bench {

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Runs `work(thread, stop)` on each thread for a while; gives calls per second of all together.
inline double calls_per_second(int threads, std::chrono::milliseconds span,
                               const std::function<std::uint64_t(int thread, const std::atomic<bool>& stop)>& work) {
  std::atomic<bool> stop{false};
  std::vector<std::uint64_t> counts(static_cast<std::size_t>(threads));
  const auto started = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&, i] { counts[static_cast<std::size_t>(i)] = work(i, stop); });
    }
    std::this_thread::sleep_for(span);
    stop = true;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  std::uint64_t all = 0;
  for (const auto each : counts) all += each;
  return static_cast<double>(all) / took.count();
}

/// Measures A and B in turn, and prints the medians and the median ratio B/A.
inline void compare(const std::string& what, int rounds, const std::function<double()>& raw,
                    const std::function<double()>& ours) {
  std::vector<double> a, b, ratios;
  raw();  // warm up, not counted
  ours();
  for (int i = 0; i < rounds; ++i) {
    a.push_back(raw());
    b.push_back(ours());
    ratios.push_back(b.back() / a.back());
  }
  const auto [least, most] = std::ranges::minmax(ratios);
  std::printf("%-44s raw %9.0f/s  polypool %9.0f/s  ratio %.3f (%.3f to %.3f)\n", what.c_str(), median(a), median(b),
              median(ratios), least, most);
  std::fflush(stdout);
}

}  // namespace polypool::bench
