// SPDX-License-Identifier: Apache-2.0
#include "base/words.hpp"

#include <polypool/redis_command.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace polypool {
namespace {

struct effect_row {
  std::string_view name;
  redis_effect effect;
};

using enum redis_effect;

// In the order of their names. Those with a say of their own below stand here as what they may be.
constexpr std::array rows{
    effect_row{"ASKING", state},
    effect_row{"AUTH", state},
    effect_row{"BLMOVE", blocks},
    effect_row{"BLMPOP", blocks},
    effect_row{"BLPOP", blocks},
    effect_row{"BRPOP", blocks},
    effect_row{"BRPOPLPUSH", blocks},
    effect_row{"BZMPOP", blocks},
    effect_row{"BZPOPMAX", blocks},
    effect_row{"BZPOPMIN", blocks},
    effect_row{"CLIENT", state},
    effect_row{"DISCARD", state},
    effect_row{"EXEC", state},
    effect_row{"HELLO", unmatchable},
    effect_row{"MONITOR", unmatchable},
    effect_row{"MULTI", state},
    effect_row{"PSUBSCRIBE", subscribes},
    effect_row{"PSYNC", unmatchable},
    effect_row{"PUNSUBSCRIBE", subscribes},
    effect_row{"QUIT", unmatchable},
    effect_row{"READONLY", state},
    effect_row{"READWRITE", state},
    effect_row{"RESET", unmatchable},
    effect_row{"SCRIPT", state},
    effect_row{"SELECT", state},
    effect_row{"SSUBSCRIBE", subscribes},
    effect_row{"SUBSCRIBE", subscribes},
    effect_row{"SUNSUBSCRIBE", subscribes},
    effect_row{"SYNC", unmatchable},
    effect_row{"UNSUBSCRIBE", subscribes},
    effect_row{"UNWATCH", state},
    effect_row{"WAIT", blocks},
    effect_row{"WAITAOF", blocks},
    effect_row{"WATCH", state},
    effect_row{"XREAD", blocks},
    effect_row{"XREADGROUP", blocks},
};
static_assert(std::ranges::is_sorted(rows, {}, &effect_row::name));

bool has_word(const redis_command& what, std::string_view word) noexcept {
  for (std::size_t i = 1; i < what.size(); ++i) {
    if (same_word(what[i], word)) return true;
    if (same_word(what[i], "STREAMS")) return false;  // names of keys follow
  }
  return false;
}

redis_effect effect_of_client(std::string_view subcommand) noexcept {
  if (same_word(subcommand, "REPLY")) return unmatchable;
  for (const std::string_view word : {"SETNAME", "SETINFO", "TRACKING", "CACHING", "NO-EVICT", "NO-TOUCH"}) {
    if (same_word(subcommand, word)) return state;
  }
  return none;
}

}  // namespace

redis_effect effect_of(const redis_command& what) noexcept {
  constexpr std::size_t longest = 12;
  const std::string_view name = what.name();
  if (name.size() < 4 || name.size() > longest) return none;
  std::array<char, longest> buffer;
  std::ranges::transform(name, buffer.begin(), ascii_upper);
  const std::string_view word(buffer.data(), name.size());
  const auto found = std::ranges::lower_bound(rows, word, {}, &effect_row::name);
  if (found == rows.end() || found->name != word) return none;
  if (word == "CLIENT") return effect_of_client(what[1]);
  if (word == "SCRIPT") return same_word(what[1], "DEBUG") ? unmatchable : none;
  if (word.starts_with("XREAD") && !has_word(what, "BLOCK")) return none;
  return found->effect;
}

void redis_traces::note(const redis_command& what) noexcept {
  if (effect_of(what) != state) return;
  const std::string_view name = what.name();
  if (same_word(name, "MULTI")) {
    transaction = true;
  } else if (same_word(name, "EXEC") || same_word(name, "DISCARD")) {
    transaction = watches = false;
  } else if (same_word(name, "WATCH")) {
    watches = true;
  } else if (same_word(name, "UNWATCH")) {
    watches = false;
  } else if (same_word(name, "SELECT")) {
    database = true;
  } else {
    other = true;
  }
}

}  // namespace polypool
