// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

#include <utility>

namespace polypool::test {
namespace {

// Made before main() by the subjects' files, in whatever order.
std::vector<subject>& subjects() {
  static std::vector<subject> all;
  return all;
}

}  // namespace

bool add_subject(subject added) {
  subjects().push_back(std::move(added));
  return true;
}

const std::vector<subject>& all_subjects() { return subjects(); }

void conformance::SetUp() {
  if (const auto reason = GetParam().why_not(); !reason.empty()) GTEST_SKIP() << reason;
  place_ = GetParam().open();
}

void conformance::TearDown() {
  manager_.reset();
  if (place_) {
    EXPECT_TRUE(place_->becomes_quiet()) << "sessions leaked";
  }
}

const std::string* conformance::type(data_type of) const {
  const auto found = GetParam().types.find(of);
  return found == GetParam().types.end() ? nullptr : &found->second;
}

sql_database conformance::db(std::uint32_t sessions) {
  if (!manager_) {
    config::settings settings;
    settings.drain_timeout = 5s;
    settings.force_timeout = 6s;
    settings.defaults.health_check_interval = 0s;
    settings.defaults.circuit_breaker = false;  // half the calls of a test may fail on purpose
    settings.connections.push_back(place_->connection());
    settings.connections.front().overrides.max_open_conns = sessions;
    settings.connections.front().overrides.max_idle_conns = sessions;
    manager_options options;
    options.drivers.push_back(GetParam().make_driver());
    manager_ = std::make_unique<manager>(std::move(settings), std::move(options));
  }
  return manager_->sql("db");
}

std::string conformance::session_id() {
  const auto& query = GetParam().session_id;
  return query.empty() ? std::string() : db().query(query).front()[0].to_display();
}

void session_conformance::SetUp() {
  if (const auto reason = on().why_not(); !reason.empty()) GTEST_SKIP() << reason;
  place_ = on().open();
  driver_ = on().make_driver();
}

void session_conformance::TearDown() {
  if (place_) {
    EXPECT_TRUE(place_->becomes_quiet()) << "sessions leaked";
  }
}

TEST(conformance_subjects, are_there) { EXPECT_FALSE(all_subjects().empty()); }

}  // namespace polypool::test
