// SPDX-License-Identifier: Apache-2.0
#include "driver/postgres_words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>

namespace polypool::postgres {
namespace {

constexpr std::array<std::string_view, 6> stateful_starts{"set", "listen", "load", "do", "call", "prepare"};
constexpr std::array<std::string_view, 6> stateful_words{"set_config", "temp",    "temporary",
                                                         "pg_temp",    "setseed", "dblink_connect"};

// std::ranges::contains, which g++ 12 does not have.
template <std::size_t Count>
bool contains(const std::array<std::string_view, Count>& words, std::string_view word) noexcept {
  return std::ranges::find(words, word) != words.end();
}

bool is_word_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

// Reads words in lower case. Only comments before the first word are skipped: elsewhere a false hit does no harm.
class word_reader {
 public:
  explicit word_reader(std::string_view text) noexcept : rest_(text) { skip_comments(); }

  // The next word; empty at the end. Longer ones than any that matters are cut.
  std::string_view next() noexcept {
    std::size_t begin = 0;
    while (begin < rest_.size() && !is_word_character(rest_[begin])) ++begin;
    std::size_t end = begin;
    while (end < rest_.size() && is_word_character(rest_[end])) ++end;
    const auto length = std::min(end - begin, buffer_.size());
    std::ranges::transform(rest_.substr(begin, length), buffer_.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; });
    rest_.remove_prefix(end);
    return {buffer_.data(), length};
  }

 private:
  void skip_comments() noexcept {
    for (;;) {
      const auto begin = rest_.find_first_not_of(" \t\r\n\f(;");
      rest_.remove_prefix(std::min(begin, rest_.size()));
      if (rest_.starts_with("--")) {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (rest_.starts_with("/*")) {
        skip_block();
      } else {
        return;
      }
    }
  }
  // Comments nest in PostgreSQL.
  void skip_block() noexcept {
    std::size_t depth = 0;
    do {
      if (rest_.starts_with("/*")) {
        ++depth;
        rest_.remove_prefix(2);
      } else if (rest_.starts_with("*/")) {
        --depth;
        rest_.remove_prefix(2);
      } else if (!rest_.empty()) {
        rest_.remove_prefix(1);
      }
    } while (depth > 0 && !rest_.empty());
  }

  std::string_view rest_;
  std::array<char, 32> buffer_;
};

bool takes_advisory_lock(std::string_view word) noexcept {
  return (word.starts_with("pg_advisory_") || word.starts_with("pg_try_advisory_")) && !word.contains("_xact_");
}

// What the first two words say.
statement_kind kind_of_start(std::string_view first, std::string_view second) noexcept {
  statement_kind out;
  out.leaves_state = contains(stateful_starts, first);
  if (first == "set" && (second == "local" || second == "transaction" || second == "constraints")) {
    out.leaves_state = false;  // ends with the transaction
  }
  if (first == "prepare") out.prepares = out.leaves_state = second != "transaction";
  out.deallocates_all = (first == "deallocate" || first == "discard") && second == "all";
  return out;
}

}  // namespace

const char* const short_state_question =
    "SELECT pg_is_in_recovery() AS recovering, current_setting('default_transaction_read_only') AS read_only";

// A replica that has applied all it received, from a primary that it is connected to, is not behind. Else the age of
// the last transaction that it applied is what it can tell, which grows while nobody writes.
const char* const state_question =
    "SELECT r AS recovering, current_setting('default_transaction_read_only') AS read_only,"
    " CASE WHEN r THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END AS position,"
    " CASE WHEN NOT r THEN NULL"
    " WHEN EXISTS (SELECT FROM pg_stat_wal_receiver) AND pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0"
    " ELSE greatest(0, (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1e6)::bigint) END"
    " AS lag FROM (SELECT pg_is_in_recovery() AS r) AS now";

server_info read_state(std::string_view recovering, std::string_view read_only, std::string_view position,
                       std::string_view lag) {
  using role = server_info::role_type;
  server_info out;
  out.role = recovering.starts_with('t') ? role::replica : read_only == "on" ? role::read_only : role::primary;
  out.position = position;
  std::int64_t microseconds = 0;
  const auto [end, problem] = std::from_chars(lag.data(), lag.data() + lag.size(), microseconds);
  if (!lag.empty() && problem == std::errc()) out.lag = std::chrono::microseconds(microseconds);
  return out;
}

statement_kind kind_of(std::string_view text) noexcept {
  word_reader words(text);
  std::array<char, 32> kept;
  const auto keep = [&kept](std::string_view word) {
    std::ranges::copy(word, kept.begin());
    return std::string_view(kept.data(), word.size());
  };
  const auto first = keep(words.next());
  const bool declares = first == "declare";
  const bool deallocates = first == "deallocate";
  auto word = words.next();
  statement_kind out = kind_of_start(first, word);
  bool after_read = false;
  for (; !word.empty(); word = words.next()) {
    if (deallocates && word == "all") out.deallocates_all = true;  // DEALLOCATE PREPARE ALL
    if (contains(stateful_words, word) || takes_advisory_lock(word) || (declares && word == "hold")) {
      out.leaves_state = true;
    }
    if (after_read && word == "only") out.asks_read_only = true;
    after_read = word == "read";
    if (word == "default_transaction_read_only") out.asks_read_only = true;
  }
  return out;
}

bool tag_leaves_state(std::string_view tag) noexcept {
  constexpr std::array<std::string_view, 7> tags{"SET", "LISTEN", "LOAD", "DO", "CALL", "PREPARE", "DECLARE CURSOR"};
  return contains(tags, tag);
}

}  // namespace polypool::postgres
