// SPDX-License-Identifier: Apache-2.0
// What has to hold between the fields of a configuration, however it was put together.
#pragma once

#include <polypool/config.hpp>

#include <functional>
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

/// Fills in what a type of database has by default: its port, MongoDB's auth_source.
void complete(connection& one);

}  // namespace polypool::config
