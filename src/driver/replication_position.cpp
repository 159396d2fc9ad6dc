// SPDX-License-Identifier: Apache-2.0
// Whether one server has what another one had.
#include "driver/replication_position.hpp"

#include <polypool/driver.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace polypool {
namespace {

std::optional<std::uint64_t> number(std::string_view text, int base = 10) {
  std::uint64_t out = 0;
  const auto end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, out, base);
  if (text.empty() || problem != std::errc() || stop != end) return std::nullopt;
  return out;
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(by);
    auto part = text.substr(0, at);
    while (!part.empty() && (part.front() == ' ' || part.front() == '\n')) part.remove_prefix(1);
    while (!part.empty() && (part.back() == ' ' || part.back() == '\n')) part.remove_suffix(1);
    if (!part.empty()) parts.push_back(part);
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// "16/B374D848", or a plain offset.
std::optional<std::uint64_t> place_in_log(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return number(text);
  const auto high = number(text.substr(0, slash), 16);
  const auto low = number(text.substr(slash + 1), 16);
  if (!high || !low || *high > 0xFFFFFFFF || *low > 0xFFFFFFFF) return std::nullopt;
  return *high << 32 | *low;
}

// "0-1-100,1-2-50" of MariaDB: the last number of each domain.
std::optional<std::map<std::uint64_t, std::uint64_t>> domains_of(std::string_view text) {
  std::map<std::uint64_t, std::uint64_t> out;
  for (const auto each : split(text, ',')) {
    const auto parts = split(each, '-');
    if (parts.size() != 3) return std::nullopt;
    const auto domain = number(parts[0]);
    const auto sequence = number(parts[2]);
    if (!domain || !sequence || !number(parts[1])) return std::nullopt;
    auto& last = out[*domain];
    last = std::max(last, *sequence);
  }
  return out;
}

struct span_of {
  std::uint64_t first = 0, last = 0;
};
using gtid_set = std::map<std::string, std::vector<span_of>, std::less<>>;

// "3e11fa47-…:1-5:11,…" of MySQL: which numbers of each source. Tags (8.3) count as part of the source.
std::optional<gtid_set> sources_of(std::string_view text) {
  gtid_set out;
  for (const auto each : split(text, ',')) {
    const auto parts = split(each, ':');
    if (parts.size() < 2 || parts[0].size() != 36) return std::nullopt;
    std::string source(parts[0]);
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const auto dash = parts[i].find('-');
      const auto first = number(parts[i].substr(0, dash));
      const auto last = dash == std::string_view::npos ? first : number(parts[i].substr(dash + 1));
      if (first && last) {
        out[source].push_back({*first, *last});
      } else {
        source = std::string(parts[0]) + ":" + std::string(parts[i]);
      }
    }
  }
  return out;
}

// MongoDB's.
struct optime {
  std::uint64_t term = 0, seconds = 0, increment = 0;
};

std::optional<optime> optime_of(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 3) return std::nullopt;
  const auto term = number(parts[0]);
  const auto seconds = number(parts[1]);
  const auto increment = number(parts[2]);
  if (!term || !seconds || !increment) return std::nullopt;
  return optime{*term, *seconds, *increment};
}

bool covers(const gtid_set& has, const gtid_set& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& source) {
    const auto mine = has.find(source.first);
    return mine != has.end() && std::ranges::all_of(source.second, [&](const span_of& part) {
             return std::ranges::any_of(mine->second, [&](const span_of& whole) {
               return whole.first <= part.first && part.last <= whole.last;
             });
           });
  });
}

}  // namespace

bool position_reached(std::string_view position, std::string_view wanted) noexcept {
  if (position.empty() || wanted.empty()) return false;
  try {
    if (const auto there = place_in_log(wanted)) {
      const auto here = place_in_log(position);
      return here && *here >= *there;
    }
    if (const auto there = domains_of(wanted)) {
      const auto here = domains_of(position);
      return here && std::ranges::all_of(*there, [&](const auto& each) {
               const auto found = here->find(each.first);
               return found != here->end() && found->second >= each.second;
             });
    }
    if (const auto there = optime_of(wanted)) {
      // Of another term it may be what a new primary has rolled back.
      const auto here = optime_of(position);
      return here && here->term == there->term &&
             std::pair(here->seconds, here->increment) >= std::pair(there->seconds, there->increment);
    }
    const auto there = sources_of(wanted);
    const auto here = sources_of(position);
    return there && here && covers(*here, *there);
  } catch (...) {
    return false;  // no memory to find out
  }
}

std::string optime_position(std::int64_t term, std::uint64_t seconds, std::uint64_t increment) {
  // Before the first election it is -1.
  return std::to_string(std::max<std::int64_t>(term, 0)) + ":" + std::to_string(seconds) + ":" +
         std::to_string(increment);
}

std::optional<duration> position_lag(std::string_view position, std::string_view of_another) noexcept {
  try {
    const auto here = optime_of(position);
    const auto there = optime_of(of_another);
    if (!here || !there) return std::nullopt;
    const auto most = static_cast<std::uint64_t>(std::chrono::seconds(std::chrono::hours(24 * 3650)).count());
    const auto behind = there->seconds > here->seconds ? there->seconds - here->seconds : 0;
    return std::chrono::seconds(std::min(behind, most));
  } catch (...) {
    return std::nullopt;  // no memory to find out
  }
}

}  // namespace polypool
