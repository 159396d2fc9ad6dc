// SPDX-License-Identifier: Apache-2.0
#include "config/reader.hpp"
#include "config/webhook_reader.hpp"

#include <utility>

namespace polypool::config {
namespace {

const std::vector<std::string_view> sections{"connections", "groups", "server", "logging", "webhooks", "environments"};

template <class Target>
void read_section(reading& with, const node& root, std::string_view name, std::span<const field<Target>> fields,
                  Target& target) {
  const auto* section = root.find(name);
  if (section == nullptr || section->is_null()) return;
  if (!section->is_map()) {
    with.problems.add(section->where, std::string(name), "is " + std::string(section->what()) + "; a map is expected");
    return;
  }
  read_fields(with, *section, std::string(name), fields, target, {}, [](const entry&) { return false; });
}

void check_listen(reading& with, const node& root) {
  const auto* server = root.find("server");
  const auto* listen = server == nullptr ? nullptr : server->find("listen");
  if (listen == nullptr || (server->find("host") == nullptr && server->find("port") == nullptr)) return;
  with.problems.add(listen->where, "server.listen", "says the same as 'host' and 'port'; give one or the other");
}

/// The value at a path such as "server.host".
const node* value_at(const node& root, std::string_view path) {
  const auto* here = &root;
  while (here != nullptr && !path.empty()) {
    const auto dot = path.find('.');
    here = here->find(path.substr(0, dot));
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
  }
  return here;
}

void check_default(reading& with, const node& root, const settings& read) {
  const auto* connections = root.find("connections");
  std::vector<std::string_view> names;
  if (connections != nullptr) {
    for (const auto& child : connections->children) names.push_back(child.key);
  }
  check_active(read, [&](std::string_view field, const std::string& chosen, std::string what) {
    const auto* groups = root.find("groups");
    const bool written = (connections != nullptr && connections->find(chosen) != nullptr) ||
                         (groups != nullptr && groups->find(chosen) != nullptr);
    if (what.empty() && written) return;  // it was refused, and that was said
    const auto* at = root.find(field);
    if (what.empty()) what = shown(chosen) + " is not the name of a connection" + suggestion(chosen, names);
    with.problems.add(at == nullptr ? root.where : at->where, std::string(field), std::move(what));
  });
}

void read_groups(reading& with, const node& root, settings& out) {
  const auto* groups = root.find("groups");
  if (groups == nullptr || groups->is_null()) return;
  if (!groups->is_map()) {
    with.problems.add(groups->where, "groups",
                      "is " + std::string(groups->what()) + "; a map of groups by name is expected");
    return;
  }
  group_places places;
  for (const auto& child : groups->children) {
    if (auto one = read_group(with, child, places)) out.groups.push_back(std::move(*one));
  }
  const auto* connections = root.find("connections");
  check_groups(out, [&](const group& one, std::string_view field, std::string what) {
    const auto* from = places[one.name];
    // A member that was refused itself was complained about already.
    for (const auto& name : one.names()) {
      const bool written = connections != nullptr && connections->find(name) != nullptr;
      const bool refused = std::ranges::find(out.connections, name, &connection::name) == out.connections.end();
      if (written && refused && what.starts_with(shown(name) + " is not the name")) return;
    }
    const auto* at = from->value.find(field);
    with.problems.add(at == nullptr ? from->where : at->where,
                      field.empty() ? inside("groups", one.name) : inside(inside("groups", one.name), field),
                      std::move(what));
  });
}

}  // namespace

settings read_settings(reading& with, const node& root) {
  settings out;
  const auto fields = settings_fields();
  const auto done = read_fields(with, root, "", fields, out, sections, [](const entry& child) {
    return std::ranges::find(sections, child.key) != sections.end();
  });
  read_section(with, root, "server", server_fields(), out.server);
  read_section(with, root, "logging", logging_fields(), out.logging);
  read_webhooks(with, root, out.webhooks);
  check_listen(with, root);
  check_settings(out, [&](std::string_view field, std::string what) {
    const auto* known = find_field(fields, field);
    if (known != nullptr && done.refused[static_cast<std::size_t>(known - fields.data())]) return;
    const auto* at = value_at(root, field);
    with.problems.add(at == nullptr ? root.where : at->where, std::string(field), std::move(what));
  });
  const auto* connections = root.find("connections");
  if (connections != nullptr && !connections->is_null()) {
    if (connections->is_map()) {
      out.connections = read_connections(with, *connections, out.defaults);
    } else {
      with.problems.add(connections->where, "connections",
                        "is " + std::string(connections->what()) + "; a map of connections, or a list, is expected");
    }
  }
  read_groups(with, root, out);
  check_default(with, root, out);
  return out;
}

}  // namespace polypool::config
