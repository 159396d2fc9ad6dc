// SPDX-License-Identifier: Apache-2.0
// Which handler answers a path.
#pragma once

#include "server/http_types.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::server {

class router {
 public:
  void add(http_method method, std::string path, handler answer);
  bool knows(std::string_view path) const { return routes_.contains(path); }
  /// Null when this path does not take the method. HEAD is answered by what answers GET.
  const handler* find(http_method method, std::string_view path) const;
  /// "GET, HEAD, OPTIONS": what a path takes.
  std::string allowed(std::string_view path) const;
  /// A known path that looks like this one; empty when none does.
  std::string closest(std::string_view path) const;
  /// All as "GET /health", sorted.
  std::vector<std::string> list() const;

 private:
  std::map<std::string, std::map<http_method, handler>, std::less<>> routes_;
};

}  // namespace polypool::server
