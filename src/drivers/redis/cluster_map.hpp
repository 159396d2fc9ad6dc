// SPDX-License-Identifier: Apache-2.0
// Which node of a cluster has which slots, as far as is known.
#pragma once

#include "drivers/redis/settings.hpp"
#include "drivers/redis/slots.hpp"

#include <polypool/redis_reply.hpp>

#include <optional>
#include <string>
#include <vector>

namespace polypool::redis {

/// Where a redirection points: `MOVED 3999 127.0.0.1:6381`, `ASK 3999 127.0.0.1:6381`.
struct redirection {
  bool ask = false;
  std::uint16_t slot = 0;
  server_address to;
};
/// @param asked who said it: a node that does not know its own name leaves it out
std::optional<redirection> redirection_in(std::string_view complaint, const server_address& asked);

/// Not synchronized.
class cluster_map {
 public:
  /// Takes over what CLUSTER SLOTS answered. @return false when that is no such answer
  bool learn(const redis_value& slots, const server_address& asked);
  /// A slot has moved.
  void move(std::uint16_t slot, const server_address& to);
  /// Nothing when nobody is known to have it.
  std::optional<server_address> node_of(std::uint16_t slot) const;
  /// All primaries, in the order of their addresses.
  std::vector<server_address> primaries() const;
  bool empty() const noexcept { return nodes_.empty(); }

 private:
  std::uint16_t index_of(const server_address& node);
  static constexpr std::uint16_t nobody = 0xffff;
  std::vector<server_address> nodes_;
  std::vector<std::uint16_t> owners_ = std::vector<std::uint16_t>(slot_count, nobody);
};

}  // namespace polypool::redis
