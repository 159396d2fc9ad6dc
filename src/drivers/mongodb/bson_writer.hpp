// SPDX-License-Identifier: Apache-2.0
// From JSON to BSON.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <bson/bson.h>
#include <string_view>

namespace polypool::mongodb {

/// Appends all members of a document, extended JSON as what it stands for. Numbers become the smallest integer type
/// that holds them. Throws invalid_argument and invalid_value, which name the member.
void append_members(bson_t* target, const boost::json::object& source);

/// Appends one member. @param name must not hold NUL characters
void append_value(bson_t* target, std::string_view name, const boost::json::value& value);

/// Appends the elements of an array to what bson_append_array_begin gave.
void append_elements(bson_t* target, const boost::json::array& source);

}  // namespace polypool::mongodb
