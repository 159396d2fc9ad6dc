// SPDX-License-Identifier: Apache-2.0
#include "server/router.hpp"

#include "base/edit_distance.hpp"

#include <algorithm>
#include <array>

namespace polypool::server {
namespace {

constexpr std::array<std::string_view, 7> method_names{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

}  // namespace

std::string_view to_string(http_method method) noexcept {
  const auto index = static_cast<std::size_t>(method);
  return index < method_names.size() ? method_names[index] : "OTHER";
}

http_method parse_method(std::string_view text) noexcept {
  const auto found = std::find(method_names.begin(), method_names.end(), text);
  return found == method_names.end() ? http_method::other : static_cast<http_method>(found - method_names.begin());
}

void router::add(http_method method, std::string path, handler answer) {
  routes_[std::move(path)][method] = std::move(answer);
}

const handler* router::find(http_method method, std::string_view path) const {
  const auto route = routes_.find(path);
  if (route == routes_.end()) return nullptr;
  const auto found = route->second.find(method == http_method::head ? http_method::get : method);
  return found == route->second.end() ? nullptr : &found->second;
}

std::string router::allowed(std::string_view path) const {
  std::string text;
  const auto route = routes_.find(path);
  if (route == routes_.end()) return text;
  for (const auto& [method, unused] : route->second) {
    text += std::string(to_string(method)) + ", ";
    if (method == http_method::get) text += "HEAD, ";
  }
  return text + "OPTIONS";
}

std::string router::closest(std::string_view path) const {
  constexpr std::size_t longest = 200;  // of a path worth comparing: the work grows with its length
  if (path.size() > longest) return {};
  std::string best;
  std::size_t least = std::max<std::size_t>(path.size() / 3, 2) + 1;
  for (const auto& [known, unused] : routes_) {
    const auto distance = edit_distance(path, known);
    if (known.size() > 1 && distance < least) {
      least = distance;
      best = known;
    }
  }
  return best;
}

std::vector<std::string> router::list() const {
  std::vector<std::string> all;
  for (const auto& [path, methods] : routes_) {
    for (const auto& [method, unused] : methods) all.push_back(std::string(to_string(method)) + ' ' + path);
  }
  return all;
}

}  // namespace polypool::server
