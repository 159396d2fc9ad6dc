// SPDX-License-Identifier: Apache-2.0
#include "server/event_stream.hpp"

#include "base/plain_json.hpp"
#include "server/health_json.hpp"
#include "server/query.hpp"
#include "telemetry/log_line.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>

namespace polypool::server {
namespace {

namespace json = boost::json;

constexpr std::size_t batch = 100;  // events sent with one write

std::string known_kinds() {
  std::string out;
  for (std::size_t i = 0; i < event_kind_count; ++i) {
    out += (i == 0 ? "" : ", ") + std::string(to_string(static_cast<event_kind>(i)));
  }
  return out;
}

void add_kinds(std::vector<event_kind>& into, std::string_view words) {
  while (!words.empty()) {
    const auto word = words.substr(0, words.find(','));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    const auto kind = parse_event_kind(word);
    if (!kind) {
      throw http_failure(400, "Unknown kind of event", "'" + std::string(word) + "' is none of " + known_kinds());
    }
    into.push_back(*kind);
  }
}

std::uint64_t read_number(std::string_view name, std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (status == std::errc() && end == text.data() + text.size() && !text.empty()) return out;
  throw http_failure(400, "Bad request", "'" + std::string(name) + "' has to be a number");
}

std::string as_text(const connection_event& what) {
  return "id: " + std::to_string(what.id) + "\nevent: " + std::string(to_string(what.kind)) +
         "\ndata: " + plain_json(event_json(what)) + "\n\n";
}

}  // namespace

json::object event_json(const connection_event& what) {
  json::object out;
  out["id"] = what.id;
  out["kind"] = to_string(what.kind);
  out["at"] = telemetry::iso_time(what.at);
  out["connection"] = json_text(what.connection);
  out["type"] = config::to_string(what.type);
  out["from"] = json_text(what.from);
  out["to"] = json_text(what.to);
  out["detail"] = json_text(what.detail);
  return out;
}

bool event_filter::takes(const connection_event& what) const {
  return (kinds.empty() || std::ranges::find(kinds, what.kind) != kinds.end()) &&
         (connections.empty() || std::ranges::find(connections, what.connection) != connections.end());
}

event_query decode_event_query(const request& asked) {
  event_query out;
  if (!asked.last_event_id.empty()) out.since = read_number("Last-Event-ID", asked.last_event_id);
  for (const auto& [name, value] : parse_query(asked.query)) {
    if (name == "kind") {
      add_kinds(out.filter.kinds, value);
    } else if (name == "connection") {
      out.filter.connections.push_back(value);
    } else if (name == "since") {
      if (!out.since) out.since = read_number(name, value);
    } else if (name == "limit") {
      out.limit = std::min<std::uint64_t>(read_number(name, value), event_bus::kept);
    } else {
      throw http_failure(400, "Bad request", "there is no '" + name + "'; allowed: kind, connection, since, limit");
    }
  }
  return out;
}

event_feed::place::place(event_feed& feed, std::function<void()> ready) : feed_(feed) {
  std::call_once(feed_.subscribed_, [&] {
    feed_.subscription_ = feed_.bus_.subscribe([&all = feed_](const connection_event&) {
      const std::scoped_lock lock(all.mutex_);
      for (const auto& each : all.places_) each();
    });
  });
  const std::scoped_lock lock(feed_.mutex_);
  mine_ = feed_.places_.insert(feed_.places_.end(), std::move(ready));
}

event_feed::place::~place() {
  const std::scoped_lock lock(feed_.mutex_);
  feed_.places_.erase(mine_);
}

// An id from before a restart is greater than any there is: then all of this life is new.
event_stream::event_stream(event_feed& feed, event_query wanted) : feed_(feed), wanted_(std::move(wanted)) {
  const auto last = feed_.bus().last_id();
  sent_ = !wanted_.since ? last : *wanted_.since > last ? 0 : *wanted_.since;
}

void event_stream::on_ready(std::function<void()> ready) {
  place_ = std::make_unique<event_feed::place>(feed_, std::move(ready));
}

std::string event_stream::next() {
  std::string out;
  if (over_) return out;
  if (!greeted_) out = "retry: 2000\n\n";
  for (;;) {
    const auto fresh = feed_.bus().next(sent_, batch);
    if (fresh.empty()) break;
    const auto missed = fresh.front().id - sent_ - 1;
    if (missed > 0 && greeted_) {  // it reads more slowly than things happen
      over_ = true;
      return ": too slow: " + std::to_string(missed) + " events are gone\n\n";
    }
    if (missed > 0) out += ": " + std::to_string(missed) + " events before these are gone\n\n";
    greeted_ = true;
    sent_ = fresh.back().id;
    for (const auto& each : fresh) {
      if (wanted_.filter.takes(each)) out += as_text(each);
    }
    if (!out.empty()) return out;
  }
  greeted_ = true;
  return out;
}

}  // namespace polypool::server
