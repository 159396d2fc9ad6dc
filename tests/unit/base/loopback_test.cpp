// SPDX-License-Identifier: Apache-2.0
#include "base/loopback.hpp"

#include <gtest/gtest.h>

#include <string>

namespace polypool {
namespace {

using namespace std::string_view_literals;

TEST(Loopback, IsWhatOnlyThisMachineReaches) {
  for (const auto host :
       {"127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost", "LocalHost", "::1", "[::1]", "0:0::1"}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
}

TEST(Loopback, IsNothingElse) {
  for (const auto host :
       {""sv, "0.0.0.0"sv, "128.0.0.1"sv, "127.1"sv, "127.0.0.1."sv, "127.0.0.1.nip.io"sv, "::"sv, "[::1"sv, "::1]"sv,
        "[127.0.0.1]"sv, "::ffff:1.2.3.4"sv, "localhost.example"sv, "[]"sv, "127.0.0.1\0.example"sv, "::1%lo"sv}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
  EXPECT_FALSE(is_loopback_host(std::string(1000, '1')));
}

}  // namespace
}  // namespace polypool
