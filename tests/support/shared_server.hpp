// SPDX-License-Identifier: Apache-2.0
// The servers that all tests of a run share: those that the environment names, or those that `servers start` has
// started.
#pragma once

#include "support/process.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace polypool::test {

struct shared_url {
  std::string url;      // empty: there is no server
  std::string why_not;  // then
};

/// @param name as in `redis.env` and `REDIS_URL` @param title for people
inline shared_url shared_url_of(const std::string& name, const std::string& title) {
  const std::string folder = POLYPOOL_SERVERS_DIR;
  std::string variable = name + "_URL";
  std::ranges::transform(variable, variable.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (const char* url = std::getenv(variable.c_str()); url != nullptr && *url != 0) return {url, {}};
  const auto line = first_line(folder + "/" + name + ".env");
  if (line.starts_with(variable + "=")) return {line.substr(variable.size() + 1), {}};
  std::string reason = first_line(folder + "/" + name + ".skip");
  if (reason.empty()) reason = "set " + variable + ", or run tests/support/servers start " + folder;
  return {{}, "no " + title + " server to test with: " + reason};
}

template <class Address>
struct shared_server {
  std::optional<Address> address;
  std::string why_not;
};

template <class Address>
const shared_server<Address>& shared_server_of(const std::string& name, const std::string& title) {
  static const shared_server<Address> instance = [&] {
    auto found = shared_url_of(name, title);
    shared_server<Address> made;
    made.why_not = std::move(found.why_not);
    if (!found.url.empty()) made.address = Address::parse(found.url);
    return made;
  }();
  return instance;
}

}  // namespace polypool::test
