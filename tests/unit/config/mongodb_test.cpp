// SPDX-License-Identifier: Apache-2.0
// What configuration reads for MongoDB.
#include "helpers.hpp"

#include <polypool/config.hpp>

#include <gtest/gtest.h>

namespace polypool::config {
namespace {

using namespace std::chrono_literals;

TEST(mongodb_config, pools_have_limits_of_their_own) {
  const auto own = defaults_for(database_type::mongodb, tuning());
  EXPECT_EQ(own.min_open_conns, 2u);
  EXPECT_EQ(own.max_open_conns, 10u);
  EXPECT_EQ(own.connect_timeout, 10s);
  EXPECT_EQ(defaults_for(database_type::postgres, tuning()), tuning());
  tuning written;
  written.max_open_conns = 50;
  EXPECT_EQ(defaults_for(database_type::mongodb, written).max_open_conns, 50u) << "what is written for all counts";
  written.max_open_conns = 1;
  EXPECT_EQ(defaults_for(database_type::mongodb, written).min_open_conns, 1u) << "never more than fit";
  tuning_overrides one;
  one.max_open_conns = 1;
  EXPECT_EQ(one.applied_to(own).min_open_conns, 1u);
  one.max_open_conns = 30;
  one.min_open_conns = 0;
  EXPECT_EQ(one.applied_to(own).max_open_conns, 30u);
  EXPECT_EQ(one.applied_to(own).min_open_conns, 0u);
}

TEST(mongodb_config, pool_options_of_urls_are_fields) {
  const auto one = connection_from_url(
      "m",
      "mongodb://h/db?maxPoolSize=7&minPoolSize=1&maxIdleTimeMS=60000&waitQueueTimeoutMS=500&connectTimeoutMS=250");
  EXPECT_EQ(one.overrides.max_open_conns, 7u);
  EXPECT_EQ(one.overrides.min_open_conns, 1u);
  EXPECT_EQ(one.overrides.conn_max_idle_time, 60s);
  EXPECT_EQ(one.overrides.acquire_timeout, 500ms);
  EXPECT_EQ(one.overrides.connect_timeout, 250ms);
  EXPECT_TRUE(one.where.options.contains("auth_source"));
  EXPECT_THROW(connection_from_url("m", "mongodb://h/db?maxPoolSize=many"), configuration_error);
  EXPECT_THROW(connection_from_url("m", "mongodb://h/db?minPoolSize=20"), configuration_error) << "of at most 10";
}

TEST(mongodb_config, read_preferences_in_both_spellings) {
  for (const auto* spelling : {"secondaryPreferred", "secondary_preferred", "SecondaryPreferred"}) {
    const auto one = connection_from_url("m", std::string("mongodb://h/db?readPreference=") + spelling);
    EXPECT_EQ(one.where.options.at("read_preference"), "secondaryPreferred");
    const auto whole =
        parse("polypool: {connections: {m: {type: mongodb, host: h, read_preference: " + std::string(spelling) + "}}}");
    EXPECT_EQ(whole.connections.at(0).where.options.at("read_preference"), "secondaryPreferred");
  }
  EXPECT_THROW(connection_from_url("m", "mongodb://h/db?readPreference=closest"), configuration_error);
}

}  // namespace
}  // namespace polypool::config
