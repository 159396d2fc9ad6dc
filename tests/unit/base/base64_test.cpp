// SPDX-License-Identifier: Apache-2.0
#include "base/base64.hpp"

#include <gtest/gtest.h>

#include <random>

namespace polypool {
namespace {

std::string encoded(std::string_view text) {
  return to_base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}
std::string decoded(std::string_view text) {
  const auto out = from_base64(text);
  return out ? std::string(out->begin(), out->end()) : "refused";
}

TEST(base64, examples_of_the_standard) {
  const std::pair<std::string_view, std::string_view> all[] = {{"", ""},
                                                               {"f", "Zg=="},
                                                               {"fo", "Zm8="},
                                                               {"foo", "Zm9v"},
                                                               {"foob", "Zm9vYg=="},
                                                               {"fooba", "Zm9vYmE="},
                                                               {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : all) {
    EXPECT_EQ(encoded(plain), text);
    EXPECT_EQ(decoded(text), plain);
  }
  EXPECT_EQ(decoded("Zm8"), "fo") << "padding may be left out";
}

TEST(base64, refuses_what_it_is_not) {
  for (const auto* text : {"Z", "Zg=", "Zg===", "Zm9v!", "Zm 9v", "=", "====", "Zh==", "Zm9=", "Zg==Zg=="}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

TEST(base64, any_bytes_come_back) {
  std::mt19937 random(4711);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::uint8_t> data(random() % 64);
    for (auto& each : data) each = static_cast<std::uint8_t>(random());
    EXPECT_EQ(from_base64(to_base64(data)), data);
  }
}

}  // namespace
}  // namespace polypool
