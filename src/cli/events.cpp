// SPDX-License-Identifier: Apache-2.0
// Events of a daemon: the last ones, or as they come.
#include "base/plain_json.hpp"
#include "cli/commands.hpp"
#include "cli/daemon_call.hpp"
#include "cli/event_lines.hpp"
#include "cli/exit_codes.hpp"
#include "cli/http_client.hpp"
#include "cli/table.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>
#include <unistd.h>

namespace polypool::cli {

namespace json = boost::json;

namespace {

std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '_' || c == '.' || c == ',';
    if (plain) {
      out += c;
    } else {
      out += {'%', digits[byte >> 4U], digits[byte & 15U]};
    }
  }
  return out;
}

std::string path_for(const arguments& given) {
  std::string out = "/api/events?limit=" + std::to_string(given.limit);
  for (const auto& each : given.kinds) out += "&kind=" + escaped(each);
  for (const auto& each : given.connections) out += "&connection=" + escaped(each);
  return out;
}

void print_line(const json::object& event, const terminal& where) {
  const auto one = line_of(event);
  std::string text = one.time + "  " + where.paint(one.kind, one.how) + "  " + one.connection;
  if (!one.change.empty()) text += "  " + one.change;
  if (!one.detail.empty()) text += "  " + where.paint(one.detail, style::dim);
  std::cout << text << std::endl;
}

int recent(const arguments& given) {
  const auto data = data_of(ask(given.url, path_for(given)));
  const auto& list = array_field(data, "events");
  if (given.format == row_format::json) {
    std::cout << plain_json(list) << '\n';
    return success;
  }
  table rows({{"TIME"}, {"EVENT"}, {"CONNECTION"}, {"CHANGE"}, {"DETAIL"}});
  for (const auto& each : list) {
    if (!each.is_object()) continue;
    auto one = line_of(each.as_object());
    rows.add({{one.time}, {one.kind, one.how}, {one.connection}, {one.change}, {one.detail}});
  }
  rows.print(std::cout, terminal::of(STDOUT_FILENO));
  return success;
}

// A daemon that goes away may come back: what happened meanwhile is asked for by the id of the last event.
int follow(const arguments& given) {
  const auto where = terminal::of(STDOUT_FILENO);
  const auto path = path_for(given);
  const bool raw = given.format == row_format::json;
  std::string last;
  bool connected = false;
  for (;;) {
    event_reader reader([&](const std::string& id, const std::string& data) {
      last = id;
      boost::system::error_code wrong;
      const auto event = json::parse(data, wrong);
      if (wrong || !event.is_object()) return;
      if (raw) {
        std::cout << data << std::endl;
      } else {
        print_line(event.as_object(), where);
      }
    });
    try {
      http_follow(daemon_url(given.url), path, last, [&](std::string_view piece) {
        connected = true;
        reader.add(piece);
      });
    } catch (const command_error&) {
      if (!connected) throw;
    }
    if (!std::cout) return failed;
    std::this_thread::sleep_for(std::chrono::seconds(1));  // between two attempts; nobody waits for it
  }
}

}  // namespace

event_line line_of(const json::object& event) {
  event_line out;
  const auto at = text_field(event, "at");  // 2026-01-31T12:00:00.123Z
  out.time = at.size() >= 19 ? at.substr(11, 8) : at;
  out.kind = text_field(event, "kind");
  out.connection = text_field(event, "connection");
  const auto from = text_field(event, "from");
  auto to = text_field(event, "to");
  if (to.empty() && out.kind == "failover") to = "nobody";
  if (!to.empty()) out.change = from.empty() ? to : from + " → " + to;
  out.detail = text_field(event, "detail");
  const bool bad = out.kind == "connection-error" || out.kind == "circuit-open" || to == "unhealthy";
  const bool odd = out.kind == "pool-exhausted" || out.kind == "leak" || out.kind == "failover" ||
                   out.kind == "circuit-half-open" || to == "degraded";
  const bool good = out.kind == "connection-recovery" || out.kind == "circuit-closed" || to == "healthy";
  out.how = bad ? style::red : odd ? style::yellow : good ? style::green : style::plain;
  return out;
}

void event_reader::add(std::string_view piece) {
  constexpr std::size_t most = 1024 * 1024;
  rest_ += piece;
  std::size_t begin = 0;
  for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
    auto text = std::string_view(rest_).substr(begin, end - begin);
    if (text.ends_with('\r')) text.remove_suffix(1);
    line(text);
    begin = end + 1;
  }
  rest_.erase(0, begin);
  if (rest_.size() > most) throw command_error(failed, "the daemon's events make no sense");
}

void event_reader::line(std::string_view text) {
  if (text.empty()) {
    if (!data_.empty()) take_(id_, data_);
    data_.clear();
    return;
  }
  const auto colon = std::min(text.find(':'), text.size());
  const auto name = text.substr(0, colon);
  auto value = text.substr(std::min(colon + 1, text.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "id") id_ = value;
  if (name == "data") data_ += (data_.empty() ? "" : "\n") + std::string(value);
}

int events(const arguments& given) { return given.follow ? follow(given) : recent(given); }

}  // namespace polypool::cli
