// SPDX-License-Identifier: Apache-2.0
#include "base/host_port.hpp"

#include <gtest/gtest.h>

namespace polypool {
namespace {

TEST(HostAndPort, IsWrittenAsUrlsHaveIt) {
  EXPECT_EQ(host_and_port("db.example", "5432"), "db.example:5432");
  EXPECT_EQ(host_and_port("127.0.0.1", "1"), "127.0.0.1:1");
  EXPECT_EQ(host_and_port("::1", "5432"), "[::1]:5432");
  EXPECT_EQ(host_and_port("fe80::1%eth0", "5432"), "[fe80::1%eth0]:5432");
  EXPECT_EQ(host_and_port("[::1]", "5432"), "[::1]:5432");
  EXPECT_EQ(host_and_port("a,b", "5432"), "a,b:5432");
}

}  // namespace
}  // namespace polypool
