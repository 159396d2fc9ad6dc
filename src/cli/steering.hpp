// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/terminal.hpp"

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace polypool::cli {

// What a daemon is asked to do; each gives its answer, and throws command_error with its refusal.
boost::json::object switch_to(const std::string& url, const std::string& name, bool redis);
boost::json::object fail_over(const std::string& url, const std::string& group, const std::string& to);
boost::json::object fail_back(const std::string& url, const std::string& group);
boost::json::object renew(const std::string& url, const std::string& name);

// How a breaker's state looks.
style style_of_breaker(std::string_view state) noexcept;

}  // namespace polypool::cli
