// SPDX-License-Identifier: Apache-2.0
// What has to hold between the fields of a configuration, however it was put together.
#pragma once

#include <polypool/config.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace polypool::config {

/// Takes the field's name (may be empty) and what is wrong with it.
using complaint = std::function<void(std::string_view field, std::string what)>;

void check_connection(const connection& one, const tuning& defaults, const complaint& wrong);
/// Everything but the connections; the default connection is only checked for being there.
void check_settings(const settings& whole, const complaint& wrong);

/// Checks that default_connection and default_redis name connections of their kind.
/// @param wrong takes the field, the name chosen, and what is wrong; empty when no connection has that name
void check_active(
    const settings& whole,
    const std::function<void(std::string_view field, const std::string& chosen, std::string what)>& wrong);

/// What is known of a name that a group gives as a member's: its type, or why it cannot be one. Neither: say nothing.
struct member_type {
  std::optional<database_type> type;
  std::string problem;
};
using known_type = std::function<member_type(const std::string& name)>;
void check_group(const group& one, const known_type& type_of, const complaint& wrong);
/// All groups of a configuration.
using group_complaint = std::function<void(const group& one, std::string_view field, std::string what)>;
void check_groups(const settings& whole, const group_complaint& wrong);
member_type type_in(const settings& whole, const std::string& name);
/// That of its first member.
std::optional<database_type> type_of_group(const settings& whole, const group& one);

/// Fills in what a type of database has by default: its port, MongoDB's auth_source.
void complete(connection& one);

}  // namespace polypool::config
