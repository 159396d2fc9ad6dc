// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup config
/// What differs between two configurations.
#pragma once

#include <polypool/config.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace polypool::config {

/// One thing that differs. Names fields, never their values: some are secrets.
struct change {
  enum class kind_type : std::uint8_t { added, removed, changed };
  kind_type kind = kind_type::changed;
  std::string what;  ///< "connection", "redis" (a connection of that name space), "group", "webhook", "settings" …
  std::string name;  ///< of the connection; empty for what there is only one of
  std::vector<std::string> fields;  ///< of what changed
  bool needs_restart = false;       ///< a running daemon keeps what it has
  /// `+ connection 'orders'`, `~ connection 'primary': host, password`
  std::string to_string() const;
  bool operator==(const change&) const = default;
};
/// "added", "removed", "changed".
std::string_view to_string(change::kind_type kind) noexcept;

/// The fields that two connections of the same name differ in, with what each inherits.
/// @param before_limits, after_limits the tuning that counts for each
std::vector<std::string> differing_fields(const connection& before, const tuning& before_limits,
                                          const connection& after, const tuning& after_limits);

/// What becomes different when `after` takes the place of `before`: connections in the order of `after`, then those
/// that are gone, then everything else.
std::vector<change> compare(const settings& before, const settings& after);

/// The part of compare() that is not about connections.
std::vector<change> compare_rest(const settings& before, const settings& after);

/// For each webhook of `after` the index of the one of `before` that it continues: an equal one, or else one of the
/// same name, or of the same URL. None is continued twice.
std::vector<std::optional<std::size_t>> match_webhooks(const std::vector<webhook>& before,
                                                       const std::vector<webhook>& after);

/// Overrides that say all of a tuning.
tuning_overrides overrides_of(const tuning& all) noexcept;

/// The tuning that counts for one of its connections.
tuning limits_of(const settings& whole, const connection& one) noexcept;

}  // namespace polypool::config
