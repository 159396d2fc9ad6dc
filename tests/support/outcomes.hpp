// SPDX-License-Identifier: Apache-2.0
// What callers saw of a fault, and what the server's books say of it afterwards.
#pragma once

#include "support/whole_stack.hpp"

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace polypool::test {

/// What came of each transfer, as its caller knows it.
class outcomes {
 public:
  void acknowledged(std::string id);
  void failed(std::string id, const error& why);
  /// A read gave this sum of all balances; `right` is what it has to be at any time.
  void read(const std::string& sum, const std::string& right);
  void read_failed(const error& why);
  /// The fault is over now: the next transfer that succeeds tells how long it took to recover.
  void wait_for_recovery();
  std::optional<duration> recovery() const;
  int done() const noexcept { return done_; }
  int failures() const noexcept { return failures_; }
  /// "circuit_open 12, connection_lost 3"
  std::string failures_by_kind() const;
  int failures_of(errc kind) const;
  /// Errors of kinds that neither faults of servers and networks nor these explain.
  std::vector<std::string> problems(const std::set<errc>& also_expected) const;
  /// Against the server's ledger: how often each id is in it.
  struct verdict {
    int lost = 0;     ///< acknowledged, and not there
    int doubled = 0;  ///< there more than once, or though it certainly failed
  };
  verdict check(const std::map<std::string, int>& ledger) const;

 private:
  void count(const error& why);
  mutable std::mutex mutex_;
  std::set<std::string> acknowledged_, in_doubt_, failed_;
  std::map<errc, int> kinds_;
  std::map<errc, std::string> unexpected_;  // the first one of each kind
  std::optional<stopwatch> ended_;
  std::optional<duration> recovery_;
  std::atomic<int> done_ = 0;
  std::atomic<int> failures_ = 0;
};

/// How long each call took on a connection that the fault does not concern.
class latencies {
 public:
  enum phase { calm, fault, after };
  void enter(phase next) noexcept { phase_ = next; }
  void note(duration took);
  std::size_t count(phase when) const;
  /// In microseconds.
  double p99(phase when) const;

 private:
  mutable std::mutex mutex_;
  std::array<std::vector<duration>, 3> seen_;
  std::atomic<phase> phase_ = calm;
};

}  // namespace polypool::test
