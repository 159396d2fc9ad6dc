// SPDX-License-Identifier: Apache-2.0
// Many threads on a small pool, millions of rounds: no wake-up is lost, no waiter is overtaken.
//
//   pool_rounds [rounds = 10000000] [threads = 8] [sessions = 4]
//
// A lost wake-up shows as a caller who is not served within 30 seconds. Whether somebody is overtaken is checked in a
// tenth of the rounds, where callers draw tickets in the order in which they join the queue. Exit code 1 for either.
#include "idle_session.hpp"

#include <polypool/error.hpp>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace polypool;

void hold(std::uint64_t round) {
  for (std::atomic<std::uint64_t> i = 0; i < round % 16; ++i) {
  }
  if (round % 64 == 0) std::this_thread::yield();  // with the session in hand, so that others queue
}

/// Lets callers in one by one: the next one draws its ticket once the one before is in the queue or has its session.
class ticket_gate {
 public:
  explicit ticket_gate(pool& from) : pool_(from) {}

  std::uint64_t enter(std::atomic<bool>& served) {
    const std::scoped_lock lock(mutex_);
    auto queued = pool_.statistics().wait_count;
    while (previous_ && !*previous_ && queued == queued_before_) {
      std::this_thread::yield();
      queued = pool_.statistics().wait_count;
    }
    served = false;
    previous_ = &served;
    queued_before_ = queued;
    return tickets_++;
  }
  /// Whether somebody with an earlier ticket still waits: more wait than drew a later one.
  bool overtook(std::uint64_t ticket) const {
    const auto waiting = pool_.statistics().waiting;
    return waiting > tickets_ - ticket - 1;
  }

 private:
  pool& pool_;
  std::mutex mutex_;
  std::atomic<std::uint64_t> tickets_{0};
  std::atomic<bool>* previous_ = nullptr;
  std::uint64_t queued_before_ = 0;
};

struct report {
  std::uint64_t rounds = 0;
  std::uint64_t overtaken = 0;
  std::uint64_t not_served = 0;
  std::uint64_t waits = 0;
  double seconds = 0;
};

class trial {
 public:
  trial(std::uint64_t rounds, unsigned threads, std::uint32_t sessions)
      : rounds_(rounds), threads_(threads), pool_(bench::make_pool(sessions, make_thread_background())) {}

  report plain() {
    return all([this] {
      for (auto round = left_.fetch_sub(1); round > 0; round = left_.fetch_sub(1)) {
        const lease mine = run(pool_->acquire());
        hold(static_cast<std::uint64_t>(round));
      }
    });
  }
  report with_tickets() {
    ticket_gate gate(*pool_);
    std::vector<std::atomic<bool>> served(threads_);
    std::atomic<unsigned> number{0};
    return all([&] {
      std::atomic<bool>& mine_served = served[number++];
      for (auto round = left_.fetch_sub(1); round > 0; round = left_.fetch_sub(1)) {
        const auto ticket = gate.enter(mine_served);
        const lease mine = run(pool_->acquire());
        mine_served = true;
        if (gate.overtook(ticket)) ++overtaken_;
        hold(static_cast<std::uint64_t>(round));
      }
      mine_served = true;
    });
  }

 private:
  template <class Work>
  report all(Work work) {
    left_ = static_cast<std::int64_t>(rounds_);
    const auto started = std::chrono::steady_clock::now();
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 0; i < threads_; ++i) {
        threads.emplace_back([&] {
          try {
            work();
          } catch (const error& e) {
            std::cerr << e.what() << '\n';
            ++not_served_;
          }
        });
      }
    }
    report r;
    r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    r.rounds = rounds_;
    r.overtaken = overtaken_;
    r.not_served = not_served_;
    r.waits = pool_->statistics().wait_count;
    return r;
  }
  std::uint64_t rounds_;
  unsigned threads_;
  std::unique_ptr<pool> pool_;
  std::atomic<std::int64_t> left_{0};
  std::atomic<std::uint64_t> overtaken_{0};
  std::atomic<std::uint64_t> not_served_{0};
};

bool print(std::string_view what, const report& r) {
  std::cout << what << ": " << r.rounds << " rounds in " << r.seconds << " s, "
            << static_cast<std::uint64_t>(static_cast<double>(r.rounds) / r.seconds) << " rounds/s, waited " << r.waits
            << " times, overtaken " << r.overtaken << ", not served " << r.not_served << '\n';
  return r.overtaken == 0 && r.not_served == 0;
}

std::uint64_t number_at(std::span<char*> arguments, std::size_t index, std::uint64_t otherwise) {
  if (index >= arguments.size()) return otherwise;
  const std::string_view text = arguments[index];
  std::uint64_t number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

int main(int count, char** values) {
  const std::span<char*> arguments(values, static_cast<std::size_t>(count));
  const auto rounds = number_at(arguments, 1, 10'000'000);
  const auto threads = static_cast<unsigned>(number_at(arguments, 2, 8));
  const auto sessions = static_cast<std::uint32_t>(number_at(arguments, 3, 4));
  const bool served = print("plain", trial(rounds, threads, sessions).plain());
  const bool fair = print("with tickets", trial(rounds / 10, threads, sessions).with_tickets());
  return served && fair ? 0 : 1;
}
