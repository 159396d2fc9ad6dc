// SPDX-License-Identifier: Apache-2.0
// The picture of `polypool top`.
#include "cli/steering.hpp"
#include "cli/top_model.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace polypool::cli {
namespace {

constexpr std::size_t unlimited_width = 132;  // of a picture that is not for a terminal
constexpr std::size_t least_event_width = 20;

struct column {
  std::string_view title;
  std::size_t width;
  bool right;
};
// Together 79 with the blanks between them: what every terminal has.
constexpr std::array<column, 10> columns{{{"NAME", 12, false},
                                          {"TYPE", 8, false},
                                          {"HEALTH", 9, false},
                                          {"USE/IDLE/OPEN/MAX", 9, false},
                                          {"WAIT", 4, true},
                                          {"Q/S", 6, true},
                                          {"ERR/S", 5, true},
                                          {"P50", 6, true},
                                          {"P95", 6, true},
                                          {"BREAKER", 5, false}}};

std::string formatted(const char* how, double value) {
  std::array<char, 32> text{};
  const int length = std::snprintf(text.data(), text.size(), how, value);
  return {text.data(), static_cast<std::size_t>(std::clamp(length, 0, 31))};
}

std::string rate(const std::optional<double>& value) {
  if (!value) return "-";
  if (*value >= 1e6) return formatted("%.3gM", *value / 1e6);
  if (*value >= 1e4) return formatted("%.3gk", *value / 1e3);
  return formatted(*value >= 100 ? "%.0f" : "%.1f", *value);
}

std::string time(const std::optional<double>& ms) {
  if (!ms) return "-";
  if (*ms >= 1000) return formatted("%.3gs", *ms / 1000);
  return *ms >= 1 ? formatted("%.3gms", *ms) : formatted("%.3gus", *ms * 1000);
}

std::string padded(std::string_view text, std::size_t width, bool right) {
  auto fitting = fit(text, width);
  const auto used = display_width(fitting);
  const std::string blanks(width > used ? width - used : 0, ' ');
  return right ? blanks + fitting : fitting + blanks;
}

// The columns' widths on this terminal: names and pools get what there is to spare, and then the last events.
struct layout {
  std::array<std::size_t, columns.size()> widths{};
  std::size_t event = 0;  // 0: not shown
};

layout layout_for(const top_model& model, std::size_t width) {
  layout out;
  std::size_t used = columns.size() - 1;
  for (std::size_t i = 0; i < columns.size(); ++i) used += out.widths[i] = columns[i].width;
  const auto widen = [&](std::size_t index, std::size_t wanted) {
    if (wanted <= out.widths[index] || used >= width) return;
    const auto more = std::min(wanted - out.widths[index], width - used);
    out.widths[index] += more;
    used += more;
  };
  std::size_t longest = 0;
  for (const auto& each : model.rows()) longest = std::max(longest, display_width(each.shown_name()) + 1);
  widen(0, std::min<std::size_t>(longest, 32));
  widen(9, 9);
  widen(3, 17);
  if (width > used + least_event_width) out.event = width - used - 1;
  return out;
}

std::string heading(const layout& how, const terminal& where) {
  std::string out;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const bool narrow = i == 3 && how.widths[i] < columns[i].title.size();
    const bool short_breaker = i == 9 && how.widths[i] < columns[i].title.size();
    const auto title = narrow ? std::string_view("U/I/O/M") : short_breaker ? "BRK" : columns[i].title;
    out += (i == 0 ? "" : " ") + padded(title, how.widths[i], columns[i].right);
  }
  if (how.event > 0) out += " " + padded("LAST EVENT", how.event, false);
  return where.paint(out, style::bold);
}

std::string row_line(const top_row& row, const layout& how, bool selected, const terminal& where) {
  const auto pool = row.group ? std::string("-")
                              : std::to_string(row.in_use) + "/" + std::to_string(row.idle) + "/" +
                                    std::to_string(row.open) + "/" + std::to_string(row.max);
  const bool errors = row.errors_per_second && *row.errors_per_second > 0;
  const std::array<std::pair<std::string, style>, columns.size()> cells{
      {{(selected && !where.colors ? ">"
         : row.active              ? "*"
                                   : " ") +
            row.shown_name(),
        style::plain},
       {row.type, style::plain},
       {row.health, style_of_health(row.health)},
       {pool, row.waiting > 0 ? style::yellow : style::plain},
       {row.group ? "-" : std::to_string(row.waiting), row.waiting > 0 ? style::yellow : style::plain},
       {rate(row.queries_per_second), style::plain},
       {rate(row.errors_per_second), errors ? style::red : style::plain},
       {time(row.p50_ms), style::plain},
       {time(row.p95_ms), style::plain},
       {row.breaker.empty() ? "-" : row.breaker, style_of_breaker(row.breaker)}}};
  std::string out;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto text = padded(cells[i].first, how.widths[i], columns[i].right);
    out += (i == 0 ? "" : " ") + (selected ? text : where.paint(text, cells[i].second));
  }
  if (how.event > 0) out += " " + padded(row.last_event, how.event, false);
  if (!selected) return out;
  return where.colors ? "\x1b[7m" + out + "\x1b[0m" : out;
}

std::string summary(const top_model& model, const top_view& view) {
  std::size_t healthy = 0, degraded = 0, unhealthy = 0;
  for (const auto& each : model.rows()) {
    healthy += each.health == "healthy";
    degraded += each.health == "degraded";
    unhealthy += each.health == "unhealthy";
  }
  const auto all = model.rows().size();
  std::string out = "polypool top  " + view.url + "  " + view.clock + "  " + std::to_string(all) +
                    (all == 1 ? " connection" : " connections");
  for (const auto& [count, word] :
       {std::pair{healthy, " healthy"}, std::pair{degraded, " degraded"}, std::pair{unhealthy, " unhealthy"}}) {
    if (count > 0) out += ", " + std::to_string(count) + word;
  }
  return out;
}

const std::array<std::string_view, 11> help_lines{
    "Keys",
    "  up, down, k, j   select a connection      home, end, page up, page down",
    "  s                switch: unnamed calls go to the selected connection",
    "  f                fail over: writes of its group go to the selected connection, or to the next one",
    "  r                reconnect: replace all sessions of the selected connection",
    "  q, Ctrl-C        quit                     ?, h    this help; any key leaves it",
    "",
    "  * before a name: active. U/I/O/M: sessions in use, idle, open, at most; those of groups are their members'.",
    "  WAIT: callers that wait for a session. Q/S and ERR/S: calls and errors a second.",
    "  P50 and P95: half and 95 % of the latest calls took at most this long.",
    "  BREAKER: closed (calls pass), half-open (a few try), open (calls are refused)."};

std::string line(std::string_view text, style how, const terminal& where) {
  return where.paint(fit(text, where.width == 0 ? unlimited_width : where.width), how);
}

// What came of the last key, what is asked, or why there is nothing new.
std::string note_of(const top_view& view, const terminal& where) {
  if (!view.trouble.empty()) return line(view.trouble, style::red, where);
  if (!view.question.empty()) return line(view.question, style::yellow, where);
  return line(view.message, view.refused ? style::red : style::green, where);
}

// As many rows as there is room for, the selected one among them.
void add_rows(std::vector<std::string>& out, const top_model& model, const top_view& view, const terminal& where) {
  const bool bounded = where.height > 0;
  const auto how = layout_for(model, where.width == 0 ? unlimited_width : where.width);
  out.push_back(heading(how, where));
  const auto& rows = model.rows();
  std::size_t shown = rows.size();
  if (bounded) {
    const std::size_t taken = out.size() + 1;  // and the keys
    const std::size_t room = where.height > taken ? where.height - taken : 0;
    const std::size_t for_events = std::min<std::size_t>(room / 3, model.events().size() + 2);
    shown = std::min(shown, room - for_events);
  }
  const std::size_t selected = std::min(view.selected, rows.empty() ? 0 : rows.size() - 1);
  const std::size_t first = selected >= shown && shown > 0 ? selected - shown + 1 : 0;
  for (std::size_t i = first; i < std::min(first + shown, rows.size()); ++i) {
    out.push_back(row_line(rows[i], how, bounded && i == selected, where));
  }
}

void add_events(std::vector<std::string>& out, const top_model& model, const terminal& where) {
  const std::size_t most_lines = where.height > 0 ? where.height - 1 : out.size() + 12;
  if (model.events().empty() || out.size() + 3 > most_lines) return;
  out.emplace_back();
  out.push_back(line("EVENTS", style::bold, where));
  for (const auto& each : model.events()) {
    if (out.size() >= most_lines) break;
    std::string text = each.time + "  " + padded(each.kind, 19, false) + " " + each.connection;
    if (!each.change.empty()) text += "  " + each.change;
    if (!each.detail.empty()) text += "  " + each.detail;
    out.push_back(line(text, each.how, where));
  }
}

}  // namespace

std::vector<std::string> draw(const top_model& model, const top_view& view, const terminal& where) {
  const bool bounded = where.height > 0;
  std::vector<std::string> out{line(summary(model, view), style::bold, where)};
  const bool noted = !view.trouble.empty() || !view.question.empty() || !view.message.empty();
  if (bounded || noted) out.push_back(note_of(view, where));
  if (view.help) {
    for (const auto each : help_lines) out.push_back(line(each, style::plain, where));
    if (bounded && out.size() > where.height) out.resize(where.height);
    return out;
  }
  add_rows(out, model, view, where);
  add_events(out, model, where);
  if (bounded) {
    while (out.size() + 1 < where.height) out.emplace_back();
    if (out.size() + 1 > where.height) out.resize(where.height > 0 ? where.height - 1 : 0);
    out.push_back(line("up/down select  s switch  f fail over  r reconnect  ? help  q quit", style::dim, where));
  }
  return out;
}

}  // namespace polypool::cli
