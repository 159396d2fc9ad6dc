// SPDX-License-Identifier: Apache-2.0
#include "support/outcomes.hpp"

#include <algorithm>

namespace polypool::test {

void outcomes::acknowledged(std::string id) {
  const std::scoped_lock lock(mutex_);
  acknowledged_.insert(std::move(id));
  if (ended_) recovery_ = std::max(recovery_.value_or(duration()), ended_->elapsed());
  ended_.reset();
  ++done_;
}

// Expects the lock.
void outcomes::count(const error& why) {
  static const std::set<errc> expected{errc::connection_lost,       errc::connect_failed,    errc::circuit_open,
                                       errc::pool_timeout,          errc::deadline_exceeded, errc::in_doubt,
                                       errc::serialization_failure, errc::deadlock,          errc::transaction_aborted,
                                       errc::too_many_connections};
  if (!expected.contains(why.portable_code())) unexpected_.emplace(why.portable_code(), why.what());
  if (why.portable_code() == errc::circuit_open) {
    EXPECT_EQ(std::string_view(why.what()).find("(-"), std::string_view::npos) << why.what();  // since a later time
  }
  ++kinds_[why.portable_code()];
  ++failures_;
}

void outcomes::failed(std::string id, const error& why) {
  const std::scoped_lock lock(mutex_);
  count(why);
  (why.portable_code() == errc::in_doubt ? in_doubt_ : failed_).insert(std::move(id));
}

void outcomes::read(const std::string& sum, const std::string& right) { EXPECT_EQ(sum, right) << "money came or went"; }

void outcomes::read_failed(const error& why) {
  const std::scoped_lock lock(mutex_);
  count(why);
}

void outcomes::wait_for_recovery() {
  const std::scoped_lock lock(mutex_);
  ended_.emplace();
}

std::optional<duration> outcomes::recovery() const {
  const std::scoped_lock lock(mutex_);
  return recovery_;
}

std::string outcomes::failures_by_kind() const {
  const std::scoped_lock lock(mutex_);
  std::string text;
  for (const auto& [code, times] : kinds_) {
    text += (text.empty() ? "" : ", ") + std::string(to_string(code)) + " " + std::to_string(times);
  }
  return text;
}

int outcomes::failures_of(errc kind) const {
  const std::scoped_lock lock(mutex_);
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? 0 : found->second;
}

std::vector<std::string> outcomes::problems(const std::set<errc>& also_expected) const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> texts;
  for (const auto& [code, text] : unexpected_) {
    if (!also_expected.contains(code)) texts.push_back(text);
  }
  return texts;
}

outcomes::verdict outcomes::check(const std::map<std::string, int>& ledger) const {
  const std::scoped_lock lock(mutex_);
  verdict out;
  for (const auto& id : acknowledged_) out.lost += ledger.contains(id) ? 0 : 1;
  for (const auto& [id, times] : ledger) {
    const bool may_be = acknowledged_.contains(id) || in_doubt_.contains(id);
    out.doubled += times > 1 || !may_be ? 1 : 0;
  }
  return out;
}

void latencies::note(duration took) {
  const std::scoped_lock lock(mutex_);
  seen_[phase_].push_back(took);
}

std::size_t latencies::count(phase when) const {
  const std::scoped_lock lock(mutex_);
  return seen_[when].size();
}

double latencies::p99(phase when) const {
  const std::scoped_lock lock(mutex_);
  auto all = seen_[when];
  if (all.empty()) return 0;
  const auto nth = all.begin() + static_cast<std::ptrdiff_t>(all.size() * 99 / 100);
  std::ranges::nth_element(all, nth);
  return std::chrono::duration<double, std::micro>(*nth).count();
}

}  // namespace polypool::test
