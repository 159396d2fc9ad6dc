// SPDX-License-Identifier: Apache-2.0
// Two programs in turn in one run, and the ratio between them: what holds on a noisy machine.
#pragma once

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <numeric>
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

/// The medians, and how far the middle half of the ratios goes.
inline void print_ratio(const std::string& what, const std::vector<double>& raw, const std::vector<double>& ours,
                        std::vector<double> ratios) {
  std::ranges::sort(ratios);
  std::printf("%-48s raw %9.0f/s  polypool %9.0f/s  ratio %.3f (middle half %.3f to %.3f)\n", what.c_str(), median(raw),
              median(ours), median(ratios), ratios[ratios.size() / 4], ratios[ratios.size() * 3 / 4]);
  std::fflush(stdout);
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
  print_ratio(what, a, b, ratios);
}

/// Calls until it is told to stop. @return how many
using thread_work = std::function<std::uint64_t(int thread, const std::atomic<bool>& stop)>;

/// The same for blocking threads, in short turns. The threads stay: where the scheduler puts clients and server makes
/// more difference than what they do, and so it is the same for both. Where each session has a process of its own on
/// the server, several sets of sessions even that out.
class thread_ratio {
 public:
  thread_ratio(std::string what, int threads)
      : what_(std::move(what) + ", " + std::to_string(threads) + " threads"), threads_(threads) {}
  ~thread_ratio() { print_ratio(what_, raw_, ours_, ratios_); }
  thread_ratio(const thread_ratio&) = delete;

  void measure(int turns, const thread_work& raw, const thread_work& ours) {
    std::barrier turn(threads_ + 1);
    std::vector<std::uint64_t> counts(static_cast<std::size_t>(threads_));
    std::atomic<bool> stop{false};
    std::vector<std::jthread> running;
    for (int i = 0; i < threads_; ++i) {
      running.emplace_back([&, i] {
        for (int done = 0; done < 2 * (turns + 1); ++done) {
          turn.arrive_and_wait();
          counts[static_cast<std::size_t>(i)] = (done % 2 ? ours : raw)(i, stop);
          turn.arrive_and_wait();
        }
      });
    }
    const auto one_turn = [&] {
      stop = false;
      turn.arrive_and_wait();
      const auto started = std::chrono::steady_clock::now();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      stop = true;
      turn.arrive_and_wait();
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
      return static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0})) / took.count();
    };
    one_turn();  // warm up, not counted
    one_turn();
    for (int i = 0; i < turns; ++i) {
      raw_.push_back(one_turn());
      ours_.push_back(one_turn());
      ratios_.push_back(ours_.back() / raw_.back());
    }
  }

 private:
  const std::string what_;
  const int threads_;
  std::vector<double> raw_, ours_, ratios_;
};

}  // namespace polypool::bench
