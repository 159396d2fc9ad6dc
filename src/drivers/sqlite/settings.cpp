// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/settings.hpp"

#include "base/utf8.hpp"
#include "base/words.hpp"

#include <polypool/duration.hpp>
#include <polypool/sqlite.hpp>

#include <algorithm>
#include <array>

namespace polypool::sqlite {
namespace {

[[noreturn]] void refuse(std::string_view option, std::string_view text, std::string_view allowed) {
  error problem(errc::invalid_configuration, "option " + std::string(option) + ": '" + excerpt(text) +
                                                 "' is not allowed; allowed: " + std::string(allowed));
  throw problem;
}

template <std::size_t N>
std::string one_of(std::string_view option, std::string_view text, const std::array<std::string_view, N>& words) {
  auto word = lower_case(text);
  if (std::ranges::find(words, word) != words.end()) return word;
  std::string allowed;
  for (const auto each : words) allowed += (allowed.empty() ? "" : ", ") + std::string(each);
  refuse(option, text, allowed);
}

bool read_flag(std::string_view option, std::string_view text) {
  constexpr std::array<std::string_view, 8> words{"on", "true", "yes", "1", "off", "false", "no", "0"};
  const auto word = one_of(option, text, words);
  return std::ranges::find(words, word) < words.begin() + 4;
}

settings::open_mode read_mode(std::string_view text) {
  if (text == "ro") return settings::open_mode::read_only;
  if (text == "rw") return settings::open_mode::read_write;
  if (text == "rwc") return settings::open_mode::create;
  refuse("mode", text, "ro (read only), rw (the file must exist), rwc (a missing file is created)");
}

void read_option(settings& out, std::string_view name, std::string_view text) {
  constexpr std::array<std::string_view, 6> journal_modes{"wal", "delete", "truncate", "persist", "memory", "off"};
  constexpr std::array<std::string_view, 4> sync_modes{"off", "normal", "full", "extra"};
  if (name == "busy_timeout") {
    const auto span = parse_duration(text);
    if (!span) refuse(name, text, "a duration such as 5s, 250ms or 0");
    out.busy_timeout = *span;
  } else if (name == "mode") {
    out.mode = read_mode(text);
  } else if (name == "journal_mode") {
    out.journal_mode = one_of(name, text, journal_modes);
    out.journal_mode_asked = true;
  } else if (name == "synchronous") {
    out.synchronous = one_of(name, text, sync_modes);
  } else if (name == "foreign_keys") {
    out.foreign_keys = read_flag(name, text);
  } else {
    error problem(errc::invalid_configuration, "the SQLite driver knows no option '" + excerpt(name) + "'");
    problem.with_hint("it knows busy_timeout, mode, journal_mode, synchronous and foreign_keys");
    throw problem;
  }
}

}  // namespace

settings read_settings(const endpoint& where) {
  if (where.filepath.empty()) {
    error problem(errc::invalid_configuration, "filepath is missing");
    problem.with_hint("give the path of the database file, or :memory: for a database in memory");
    throw problem;
  }
  if (where.filepath.find('\0') != std::string::npos) {
    throw error(errc::invalid_configuration, "filepath contains a NUL byte");
  }
  settings out;
  out.path = where.filepath;
  out.is_uri = out.path.starts_with("file:");
  out.in_memory = is_in_memory(out.path);
  out.statement_cache = where.statement_cache;
  if (!out.in_memory) out.journal_mode = "wal";
  for (const auto& [name, text] : where.options) read_option(out, name, text);
  if (out.mode == settings::open_mode::read_only) {
    if (out.journal_mode_asked) refuse("journal_mode", out.journal_mode, "none together with mode=ro");
    out.journal_mode.clear();
  }
  return out;
}

}  // namespace polypool::sqlite
