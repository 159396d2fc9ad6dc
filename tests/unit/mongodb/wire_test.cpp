// SPDX-License-Identifier: Apache-2.0
// Which messages of a server are taken.
#include "drivers/mongodb/wire.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace polypool::mongodb {
namespace {

std::string number(std::uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

const std::string empty_document = number(5) + std::string(1, '\0');

std::string message(std::uint32_t operation, const std::string& body) {
  return number(static_cast<std::uint32_t>(16 + body.size())) + number(1) + number(2) + number(operation) + body;
}
std::string answer(const std::string& sections, std::uint32_t flags = 0) {
  return message(2013, number(flags) + sections);
}
std::string section(const std::string& document) { return std::string(1, '\0') + document; }
std::string old_answer(const std::string& documents, std::uint32_t count = 1) {
  return message(1, number(8) + number(0) + number(0) + number(0) + number(count) + documents);
}

TEST(mongodb_wire, sizes) {
  EXPECT_EQ(message_size(""), 0u);
  EXPECT_EQ(message_size("abc"), 0u);
  EXPECT_EQ(message_size(number(16)), 16u);
  EXPECT_EQ(message_size(number(15)), std::nullopt);
  EXPECT_EQ(message_size(number(0)), std::nullopt);
  EXPECT_EQ(message_size(number(0xffffffff)), std::nullopt);
  EXPECT_EQ(message_size("HTTP/1.1"), std::nullopt);
}

TEST(mongodb_wire, sound_answers) {
  EXPECT_TRUE(is_sound_answer(answer(section(empty_document)), false));
  EXPECT_TRUE(is_sound_answer(answer(section(empty_document) + "sum.", 1), false)) << "with a checksum";
  EXPECT_TRUE(is_sound_answer(old_answer(empty_document), false));
  const auto compressed = message(2012, std::string(12, 'x'));
  EXPECT_FALSE(is_sound_answer(compressed, false));
  EXPECT_TRUE(is_sound_answer(compressed, true));
}

TEST(mongodb_wire, everything_else) {
  const auto whole = answer(section(empty_document));
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(is_sound_answer(whole.substr(0, size), false));
  EXPECT_FALSE(is_sound_answer(whole + "x", false));
  EXPECT_FALSE(is_sound_answer(answer(""), false)) << "no section: libmongoc reads memory that is nobody's";
  EXPECT_FALSE(is_sound_answer(answer(section("")), false));
  EXPECT_FALSE(is_sound_answer(answer(section(number(6) + std::string(1, '\0'))), false)) << "longer than the message";
  EXPECT_FALSE(is_sound_answer(answer(section(number(4))), false));
  EXPECT_FALSE(is_sound_answer(answer(section(number(5) + "x")), false)) << "no end";
  EXPECT_FALSE(is_sound_answer(answer("\1" + empty_document), false));
  EXPECT_FALSE(is_sound_answer(answer(section(empty_document) + section(empty_document)), false));
  EXPECT_FALSE(is_sound_answer(answer("abc", 1), false));
  EXPECT_FALSE(is_sound_answer(old_answer(empty_document, 2), false));
  EXPECT_FALSE(is_sound_answer(old_answer("", 1), false));
  EXPECT_FALSE(is_sound_answer(message(2004, empty_document), false));
  EXPECT_FALSE(is_sound_answer(message(0, ""), false));
}

}  // namespace
}  // namespace polypool::mongodb
