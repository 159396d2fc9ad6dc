// SPDX-License-Identifier: Apache-2.0
#include "config/webhook_reader.hpp"

#include <boost/system/result.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <array>
#include <utility>

namespace polypool::config {
namespace {

// The kinds of event, as polypool/events.hpp has them: that room is above this one, and a test compares them.
constexpr std::array<std::string_view, 13> kinds{
    "health-change",     "connection-error", "connection-recovery", "failover", "circuit-open",
    "circuit-half-open", "circuit-closed",   "pool-exhausted",      "leak",     "active-changed",
    "registered",        "removed",          "configuration"};
const std::vector<std::string_view> lists{"events", "connections"};

/// A list of words; a single one may stand without its list.
void read_list(reading& with, const node& value, const std::string& path, std::vector<std::string>& into) {
  if (value.is_null()) return;
  if (value.is_scalar()) {
    if (auto text = text_of(with, value, path)) into.push_back(std::move(*text));
    return;
  }
  if (!value.is_list()) {
    with.problems.add(value.where, path, "is " + std::string(value.what()) + "; a list is expected");
    return;
  }
  for (const auto& each : value.children) {
    if (auto text = text_of(with, each.value, path)) into.push_back(std::move(*text));
  }
}

void read_webhook(reading& with, const node& from, const std::string& path, std::vector<webhook>& into) {
  if (!from.is_map()) {
    with.problems.add(from.where, path, "is " + std::string(from.what()) + "; a map of fields is expected");
    return;
  }
  webhook one;
  const auto before = with.problems.size();
  read_fields(with, from, path, webhook_fields(), one, lists, [&](const entry& child) {
    if (child.key == "events") {
      read_list(with, child.value, inside(path, child.key), one.events);
    } else if (child.key == "connections") {
      read_list(with, child.value, inside(path, child.key), one.connections);
    } else {
      return false;
    }
    return true;
  });
  if (with.problems.size() != before) return;
  check_webhook(one, [&](std::string_view field, std::string what) {
    const auto* at = from.find(field);
    with.problems.add(at == nullptr ? from.where : at->where, inside(path, field), std::move(what));
  });
  into.push_back(std::move(one));
}

}  // namespace

void read_webhooks(reading& with, const node& root, std::vector<webhook>& into) {
  const auto* section = root.find("webhooks");
  if (section == nullptr || section->is_null()) return;
  if (!section->is_list()) {
    with.problems.add(section->where, "webhooks",
                      "is " + std::string(section->what()) + "; a list of maps with 'url' is expected");
    return;
  }
  for (std::size_t i = 0; i < section->children.size(); ++i) {
    read_webhook(with, section->children[i].value, "webhooks[" + std::to_string(i) + "]", into);
  }
}

namespace {

boost::system::result<boost::urls::url_view> parts_of(const std::string& url) {
  return boost::urls::parse_uri(boost::core::string_view(url.data(), url.size()));
}

}  // namespace

std::string webhook::shown_name() const {
  if (!name.empty()) return name;
  const auto parsed = parts_of(url);
  return parsed ? std::string(parsed->host_address()) : std::string();
}

void check_webhook(const webhook& one, const complaint& wrong) {
  if (one.url.empty()) {
    wrong("url", "is missing; such as https://hooks.example.com/polypool");
  } else if (const auto parsed = parts_of(one.url);
             !parsed || (parsed->scheme() != "http" && parsed->scheme() != "https") || parsed->host().empty() ||
             (parsed->has_port() && parsed->port_number() == 0)) {
    wrong("url",
          "is not the URL of a web server; allowed: http://… and https://…, with special characters of a "
          "password written as %40");
  }
  if (!one.name.empty() && !wrong_name(one.name).empty()) {
    wrong("name", shown(one.name) + " is not a name; allowed: up to 128 letters, digits and _ - . :");
  }
  for (const auto& each : one.events) {
    if (std::ranges::find(kinds, each) != kinds.end()) continue;
    const std::vector<std::string_view> known(kinds.begin(), kinds.end());
    wrong("events", shown(each) + " is no kind of event; allowed: " + joined(known));
  }
  if (one.timeout <= nanoseconds(0)) wrong("timeout", "is too small; allowed: more than 0");
  if (one.retry_delay < nanoseconds(0)) wrong("retry_delay", "is too small; allowed: 0 and more");
  if (one.attempts == 0) wrong("attempts", "0 is too small; allowed: 1 and more");
  if (one.max_pending == 0) wrong("max_pending", "0 is too small; allowed: 1 and more");
}

}  // namespace polypool::config
