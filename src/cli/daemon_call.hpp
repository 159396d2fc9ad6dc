// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace polypool::cli {

// The URL of a daemon: the given one, or http://127.0.0.1:8080.
std::string daemon_url(const std::string& given);

// A daemon's answer to a call. A refusal becomes a command_error with its words; `not_found` when it says 404.
boost::json::object ask(const std::string& url, std::string_view path);
boost::json::object tell(const std::string& url, std::string_view path, const boost::json::object& body);

// The `data` of its envelope.
boost::json::object data_of(boost::json::object answer);

// Fields of an answer; what is missing or of another type reads as nothing, because daemons may be older.
std::string text_field(const boost::json::object& from, std::string_view name);
double number_field(const boost::json::object& from, std::string_view name);
bool flag_field(const boost::json::object& from, std::string_view name);
const boost::json::object& object_field(const boost::json::object& from, std::string_view name);
const boost::json::array& array_field(const boost::json::object& from, std::string_view name);

}  // namespace polypool::cli
