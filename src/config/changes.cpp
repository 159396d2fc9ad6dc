// SPDX-License-Identifier: Apache-2.0
#include "config/fields.hpp"

#include <polypool/config_changes.hpp>

#include <algorithm>

namespace polypool::config {
namespace {

using kind = change::kind_type;

/// Collects names of fields whose values differ.
class differences {
 public:
  template <class Value>
  void note(std::string_view field, const Value& before, const Value& after) {
    if (!(before == after)) fields_.emplace_back(field);
  }
  std::vector<std::string> take() { return std::move(fields_); }

 private:
  std::vector<std::string> fields_;
};

void note_place(differences& found, const endpoint& before, const endpoint& after) {
  found.note("host", before.host, after.host);
  found.note("port", before.port, after.port);
  found.note("user", before.user, after.user);
  found.note("password", before.password, after.password);
  found.note("database", before.database, after.database);
  found.note("sslmode", before.tls, after.tls);
  found.note("schema", before.schema, after.schema);
  found.note("filepath", before.filepath, after.filepath);
  found.note("options", before.options, after.options);
}

std::string_view word_for(const connection& one) noexcept {
  return kind_of(one.type) == database_kind::key_value ? "redis" : "connection";
}

const connection* find_same(const std::vector<connection>& among, const connection& like) {
  const auto found = std::ranges::find_if(
      among, [&](const connection& each) { return each.name == like.name && word_for(each) == word_for(like); });
  return found == among.end() ? nullptr : &*found;
}

void add_if_any(std::vector<change>& out, std::string what, std::vector<std::string> fields, bool needs_restart) {
  if (fields.empty()) return;
  change one;
  one.what = std::move(what);
  one.fields = std::move(fields);
  one.needs_restart = needs_restart;
  out.push_back(std::move(one));
}

}  // namespace

std::string_view to_string(change::kind_type kind) noexcept {
  switch (kind) {
    case kind::added:
      return "added";
    case kind::removed:
      return "removed";
    case kind::changed:
      break;
  }
  return "changed";
}

std::string change::to_string() const {
  std::string text = kind == kind_type::added ? "+ " : kind == kind_type::removed ? "- " : "~ ";
  text += what;
  if (!name.empty()) text += " '" + name + "'";
  for (std::size_t i = 0; i < fields.size(); ++i) text += (i == 0 ? ": " : ", ") + fields[i];
  if (needs_restart) text += " (needs a restart)";
  return text;
}

tuning_overrides overrides_of(const tuning& all) noexcept {
  tuning_overrides out;
  for_each_tuning([&](const auto& row) { out.*row.for_one = all.*row.for_all; });
  return out;
}

tuning limits_of(const settings& whole, const connection& one) noexcept {
  return one.overrides.applied_to(defaults_for(one.type, whole.defaults));
}

std::vector<std::string> differing_fields(const connection& before, const tuning& before_limits,
                                          const connection& after, const tuning& after_limits) {
  differences found;
  found.note("type", before.type, after.type);
  note_place(found, before.where, after.where);
  for_each_tuning(
      [&](const auto& row) { found.note(row.name, before_limits.*row.for_all, after_limits.*row.for_all); });
  found.note("enable_tracing", before.enable_tracing, after.enable_tracing);
  found.note("enable_metrics", before.enable_metrics, after.enable_metrics);
  found.note("enable_logging", before.enable_logging, after.enable_logging);
  found.note("default_orm", before.default_orm, after.default_orm);
  found.note("critical", before.critical, after.critical);
  found.note("tags", before.tags, after.tags);
  return found.take();
}

std::vector<std::optional<std::size_t>> match_webhooks(const std::vector<webhook>& before,
                                                       const std::vector<webhook>& after) {
  std::vector<std::optional<std::size_t>> out(after.size());
  std::vector<bool> taken(before.size());
  const auto match = [&](const auto& same) {
    for (std::size_t i = 0; i < after.size(); ++i) {
      for (std::size_t j = 0; j < before.size() && !out[i]; ++j) {
        if (taken[j] || !same(before[j], after[i])) continue;
        taken[j] = true;
        out[i] = j;
      }
    }
  };
  match([](const webhook& a, const webhook& b) { return a == b; });
  match([](const webhook& a, const webhook& b) { return !a.name.empty() && a.name == b.name; });
  match([](const webhook& a, const webhook& b) { return a.url == b.url && (a.name.empty() || b.name.empty()); });
  return out;
}

namespace {

std::vector<std::string> differing_fields(const webhook& before, const webhook& after) {
  differences found;
  found.note("name", before.name, after.name);
  found.note("url", before.url, after.url);
  found.note("events", before.events, after.events);
  found.note("connections", before.connections, after.connections);
  found.note("secret", before.key, after.key);
  found.note("timeout", before.timeout, after.timeout);
  found.note("attempts", before.attempts, after.attempts);
  found.note("retry_delay", before.retry_delay, after.retry_delay);
  found.note("retry_max_delay", before.retry_max_delay, after.retry_max_delay);
  found.note("max_pending", before.max_pending, after.max_pending);
  found.note("ca_file", before.ca_file, after.ca_file);
  return found.take();
}

std::vector<change> compare_webhooks(const std::vector<webhook>& before, const std::vector<webhook>& after) {
  std::vector<change> out;
  const auto add = [&](kind how, const webhook& what, std::vector<std::string> fields) {
    change one;
    one.kind = how;
    one.what = "webhook";
    one.name = what.shown_name();
    one.fields = std::move(fields);
    out.push_back(std::move(one));
  };
  const auto continued = match_webhooks(before, after);
  std::vector<bool> stays(before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (!continued[i]) {
      add(kind::added, after[i], {});
      continue;
    }
    stays[*continued[i]] = true;
    auto fields = differing_fields(before[*continued[i]], after[i]);
    if (!fields.empty()) add(kind::changed, after[i], std::move(fields));
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!stays[i]) add(kind::removed, before[i], {});
  }
  return out;
}

}  // namespace

std::vector<change> compare_rest(const settings& before, const settings& after) {
  std::vector<change> out;
  differences whole;
  whole.note("default_connection", before.default_connection, after.default_connection);
  whole.note("default_redis", before.default_redis, after.default_redis);
  whole.note("max_concurrent_total", before.max_concurrent_total, after.max_concurrent_total);
  whole.note("drain_timeout", before.drain_timeout, after.drain_timeout);
  whole.note("force_timeout", before.force_timeout, after.force_timeout);
  add_if_any(out, "settings", whole.take(), false);
  differences server;
  server.note("max_body_bytes", before.server.max_body_bytes, after.server.max_body_bytes);
  server.note("request_timeout", before.server.request_timeout, after.server.request_timeout);
  add_if_any(out, "server", server.take(), false);
  differences listening;
  listening.note("enabled", before.server.enabled, after.server.enabled);
  listening.note("host", before.server.host, after.server.host);
  listening.note("port", before.server.port, after.server.port);
  add_if_any(out, "server", listening.take(), true);
  differences logging;
  logging.note("level", before.logging.level, after.logging.level);
  logging.note("format", before.logging.format, after.logging.format);
  logging.note("debug", before.logging.debug, after.logging.debug);
  add_if_any(out, "logging", logging.take(), false);
  std::ranges::move(compare_webhooks(before.webhooks, after.webhooks), std::back_inserter(out));
  return out;
}

namespace {

std::vector<change> compare_groups(const std::vector<group>& before, const std::vector<group>& after) {
  std::vector<change> out;
  const auto add = [&](kind how, const std::string& name) {
    change one;
    one.kind = how;
    one.what = "group";
    one.name = name;
    out.push_back(std::move(one));
  };
  for (const auto& each : after) {
    const auto known = std::ranges::find(before, each.name, &group::name);
    if (known == before.end()) {
      add(kind::added, each.name);
    } else if (!(*known == each)) {
      add(kind::changed, each.name);
    }
  }
  for (const auto& each : before) {
    if (std::ranges::find(after, each.name, &group::name) == after.end()) add(kind::removed, each.name);
  }
  return out;
}

}  // namespace

std::vector<change> compare(const settings& before, const settings& after) {
  std::vector<change> out;
  for (const auto& each : after.connections) {
    change one;
    one.what = word_for(each);
    one.name = each.name;
    if (const auto* known = find_same(before.connections, each)) {
      one.fields = differing_fields(*known, limits_of(before, *known), each, limits_of(after, each));
      if (one.fields.empty()) continue;
    } else {
      one.kind = kind::added;
    }
    out.push_back(std::move(one));
  }
  for (const auto& each : before.connections) {
    if (find_same(after.connections, each)) continue;
    change one;
    one.kind = kind::removed;
    one.what = word_for(each);
    one.name = each.name;
    out.push_back(std::move(one));
  }
  std::ranges::move(compare_groups(before.groups, after.groups), std::back_inserter(out));
  std::ranges::move(compare_rest(before, after), std::back_inserter(out));
  return out;
}

}  // namespace polypool::config
