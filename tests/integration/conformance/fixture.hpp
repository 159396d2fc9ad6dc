// SPDX-License-Identifier: Apache-2.0
// What all conformance tests stand on.
#pragma once

#include "subject.hpp"
#include "support/caught.hpp"
#include "support/process.hpp"
#include "support/ways.hpp"

#include <polypool/manager.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace polypool::test {

using namespace std::chrono_literals;

/// Through the manager.
class conformance : public ::testing::TestWithParam<subject> {
 protected:
  void SetUp() override;
  void TearDown() override;
  /// The type's name in SQL; skips the rest of what is done with it when there is none.
  const std::string* type(data_type of) const;
  std::string integer() const { return GetParam().types.at(data_type::integer); }
  std::string text() const { return GetParam().types.at(data_type::text); }
  /// A handle to the database, over at most so many sessions; the first call decides.
  sql_database db(std::uint32_t sessions = 1);
  manager& mgr() { return *manager_; }
  /// The session's own name for itself; empty where it has none.
  std::string session_id();

  std::unique_ptr<subject_place> place_;
  std::unique_ptr<manager> manager_;
};

/// A driver's sessions, without a manager, both ways.
class session_conformance : public ::testing::TestWithParam<std::tuple<subject, way>> {
 protected:
  session_conformance() : go_(std::get<way>(GetParam())) {}
  void SetUp() override;
  void TearDown() override;
  const subject& on() const { return std::get<subject>(GetParam()); }
  endpoint where() const { return place_->connection().where; }
  sql_client make_client() { return sql_client(go_, *driver_, where()); }
  sql_client make_client(const endpoint& where) { return sql_client(go_, *driver_, where); }
  std::string id(sql_client& db) { return on().session_id.empty() ? std::string() : db.text(on().session_id); }

  runner go_;
  std::unique_ptr<subject_place> place_;
  std::shared_ptr<driver> driver_;
};

inline std::string database_and_way(const ::testing::TestParamInfo<std::tuple<subject, way>>& info) {
  return std::get<subject>(info.param).name + "_" + std::string(to_string(std::get<way>(info.param)));
}

#define POLYPOOL_EVERY_DATABASE(fixture)                                         \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(fixture);                        \
  INSTANTIATE_TEST_SUITE_P(                                                      \
      databases, fixture, ::testing::ValuesIn(::polypool::test::all_subjects()), \
      [](const ::testing::TestParamInfo<::polypool::test::subject>& info) { return info.param.name; })
#define POLYPOOL_EVERY_DATABASE_BOTH_WAYS(fixture)                                                               \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(fixture);                                                        \
  INSTANTIATE_TEST_SUITE_P(                                                                                      \
      databases, fixture,                                                                                        \
      ::testing::Combine(::testing::ValuesIn(::polypool::test::all_subjects()),                                  \
                         ::testing::Values(::polypool::test::way::blocking, ::polypool::test::way::event_loop)), \
      &::polypool::test::database_and_way)

}  // namespace polypool::test
