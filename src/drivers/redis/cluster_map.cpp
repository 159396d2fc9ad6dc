// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/cluster_map.hpp"

#include <algorithm>
#include <charconv>

namespace polypool::redis {

std::optional<redirection> redirection_in(std::string_view complaint, const server_address& asked) {
  redirection out;
  if (complaint.starts_with("MOVED ")) {
    complaint.remove_prefix(6);
  } else if (complaint.starts_with("ASK ")) {
    complaint.remove_prefix(4);
    out.ask = true;
  } else {
    return std::nullopt;
  }
  const auto [end, failed] = std::from_chars(complaint.data(), complaint.data() + complaint.size(), out.slot);
  if (failed != std::errc() || out.slot >= slot_count) return std::nullopt;
  complaint.remove_prefix(static_cast<std::size_t>(end - complaint.data()));
  const auto colon = complaint.rfind(':');
  if (!complaint.starts_with(' ') || colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = complaint.substr(1, colon - 1);
  const std::string_view port = complaint.substr(colon + 1);
  std::from_chars(port.data(), port.data() + port.size(), out.to.port);
  out.to.host = host.empty() || host == "?" ? asked.host : std::string(host);
  if (out.to.port == 0) return std::nullopt;
  return out;
}

std::uint16_t cluster_map::index_of(const server_address& node) {
  const auto found = std::ranges::find(nodes_, node);
  if (found != nodes_.end()) return static_cast<std::uint16_t>(found - nodes_.begin());
  nodes_.push_back(node);
  return static_cast<std::uint16_t>(nodes_.size() - 1);
}

bool cluster_map::learn(const redis_value& slots, const server_address& asked) {
  if (slots.type() != redis_type::array || slots.empty()) return false;
  cluster_map fresh;
  for (const redis_value range : slots) {
    if (range.size() < 3 || range[2].size() < 2) return false;
    const auto first = range[0].integer();
    const auto last = range[1].integer();
    if (first < 0 || last < first || last >= slot_count) return false;
    server_address node;
    const std::string_view host = range[2][0].text();
    node.host = host.empty() || host == "?" ? asked.host : std::string(host);
    node.port = static_cast<std::uint16_t>(range[2][1].integer());
    const auto index = fresh.index_of(node);
    std::fill(fresh.owners_.begin() + first, fresh.owners_.begin() + last + 1, index);
  }
  *this = std::move(fresh);
  return true;
}

void cluster_map::move(std::uint16_t slot, const server_address& to) { owners_[slot] = index_of(to); }

std::optional<server_address> cluster_map::node_of(std::uint16_t slot) const {
  if (owners_[slot] == nobody) return std::nullopt;
  return nodes_[owners_[slot]];
}

std::vector<server_address> cluster_map::primaries() const {
  std::vector<server_address> out;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (std::ranges::find(owners_, static_cast<std::uint16_t>(i)) != owners_.end()) out.push_back(nodes_[i]);
  }
  std::ranges::sort(out, {}, [](const server_address& node) { return std::pair(node.host, node.port); });
  return out;
}

}  // namespace polypool::redis
