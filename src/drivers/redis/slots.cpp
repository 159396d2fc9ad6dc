// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/slots.hpp"

#include "base/words.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace polypool::redis {
namespace {

constexpr std::array<std::uint16_t, 256> make_table() {
  std::array<std::uint16_t, 256> out{};
  for (unsigned i = 0; i < 256; ++i) {
    unsigned value = i << 8;
    for (int bit = 0; bit < 8; ++bit) value = (value & 0x8000U) != 0 ? (value << 1) ^ 0x1021U : value << 1;
    out[i] = static_cast<std::uint16_t>(value);
  }
  return out;
}
constexpr auto crc_table = make_table();

template <std::size_t Count>
bool one_of(std::string_view text, const std::array<std::string_view, Count>& words) noexcept {
  return std::ranges::any_of(words, [text](std::string_view word) { return same_word(text, word); });
}

constexpr std::array<std::string_view, 6> split_commands{"MGET", "MSET", "DEL", "UNLINK", "EXISTS", "TOUCH"};
constexpr std::array<std::string_view, 4> commands_for_all{"DBSIZE", "KEYS", "FLUSHDB", "FLUSHALL"};
constexpr std::array<std::string_view, 36> keyless_commands{
    "PING",    "ECHO",    "INFO",    "CONFIG",   "TIME",      "PUBLISH",      "CLUSTER",   "COMMAND",    "CLIENT",
    "ACL",     "LATENCY", "SLOWLOG", "LASTSAVE", "RANDOMKEY", "WAIT",         "WAITAOF",   "MULTI",      "EXEC",
    "DISCARD", "UNWATCH", "ROLE",    "SAVE",     "BGSAVE",    "BGREWRITEAOF", "READONLY",  "READWRITE",  "ASKING",
    "AUTH",    "SELECT",  "SCRIPT",  "FUNCTION", "PUBSUB",    "MODULE",       "SUBSCRIBE", "PSUBSCRIBE", "LOLWUT"};
// The number of keys, and then the keys.
constexpr std::array<std::string_view, 7> counted_at_1{"ZUNION",     "ZINTER", "ZDIFF", "ZINTERCARD",
                                                       "SINTERCARD", "LMPOP",  "ZMPOP"};
constexpr std::array<std::string_view, 8> counted_at_2{"EVAL",  "EVALSHA",  "EVAL_RO", "EVALSHA_RO",
                                                       "FCALL", "FCALL_RO", "BLMPOP",  "BZMPOP"};
// A word for what is done, and then the key.
constexpr std::array<std::string_view, 4> keyed_at_2{"OBJECT", "XGROUP", "XINFO", "BITOP"};

std::size_t counted(const std::vector<std::string_view>& words, std::size_t at) noexcept {
  std::size_t count = 0;
  if (words.size() > at) std::from_chars(words[at].data(), words[at].data() + words[at].size(), count);
  return count > 0 ? at + 1 : 0;
}

// Which word is the first key; 0: none.
std::size_t first_key(const std::vector<std::string_view>& words) noexcept {
  const std::string_view name = words.empty() ? std::string_view() : words.front();
  if (one_of(name, keyless_commands) || one_of(name, commands_for_all)) return 0;
  if (one_of(name, counted_at_1)) return counted(words, 1);
  if (one_of(name, counted_at_2)) return counted(words, 2);
  if (one_of(name, keyed_at_2)) return 2;
  if (same_word(name, "MEMORY")) return words.size() > 1 && same_word(words[1], "USAGE") ? 2 : 0;
  if (same_word(name, "DEBUG")) return words.size() > 1 && same_word(words[1], "OBJECT") ? 2 : 0;
  if (same_word(name, "MIGRATE")) return 3;
  if (same_word(name, "XREAD") || same_word(name, "XREADGROUP")) {
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (same_word(words[i], "STREAMS")) return i + 1;
    }
    return 0;
  }
  return 1;
}

}  // namespace

std::uint16_t slot_of(std::string_view key) noexcept {
  if (const auto open = key.find('{'); open != std::string_view::npos) {
    const auto close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  unsigned crc = 0;
  for (const char c : key) {
    crc = ((crc << 8) ^ crc_table[((crc >> 8) ^ static_cast<unsigned char>(c)) & 0xffU]) & 0xffffU;
  }
  return static_cast<std::uint16_t>(crc % slot_count);
}

std::vector<std::string_view> words_of(std::string_view wire) {
  const auto number = [&wire] {
    std::size_t out = 0;
    const auto end = std::from_chars(wire.data() + 1, wire.data() + wire.size(), out).ptr;
    wire.remove_prefix(static_cast<std::size_t>(end - wire.data()) + 2);
    return out;
  };
  std::vector<std::string_view> out;
  for (std::size_t left = number(); left > 0; --left) {
    const std::size_t length = number();
    out.push_back(wire.substr(0, length));
    wire.remove_prefix(length + 2);
  }
  return out;
}

cluster_way way_of(const std::vector<std::string_view>& words) noexcept {
  const std::string_view name = words.empty() ? std::string_view() : words.front();
  if (same_word(name, "SCAN")) return cluster_way::scan;
  if (one_of(name, commands_for_all)) return cluster_way::all;
  const bool loads = words.size() > 1 && (same_word(words[1], "LOAD") || same_word(words[1], "FLUSH"));
  if (loads && (same_word(name, "SCRIPT") || same_word(name, "FUNCTION"))) return cluster_way::all;
  if (one_of(name, split_commands)) return cluster_way::split;
  return first_key(words) > 0 && first_key(words) < words.size() ? cluster_way::by_key : cluster_way::anywhere;
}

std::optional<std::uint16_t> slot_of_command(const std::vector<std::string_view>& words) noexcept {
  const std::size_t at = first_key(words);
  if (at == 0 || at >= words.size()) return std::nullopt;
  return slot_of(words[at]);
}

}  // namespace polypool::redis
