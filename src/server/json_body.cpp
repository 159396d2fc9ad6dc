// SPDX-License-Identifier: Apache-2.0
#include "server/json_body.hpp"

#include "server/http_types.hpp"

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include <set>
#include <string>
#include <vector>

namespace polypool::server {
namespace {

namespace json = boost::json;

// Boost.JSON keeps the last of two equal keys silently. Two readers that keep different ones would see different
// requests, so such a body is refused.
class key_watcher {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  std::string duplicate;
  bool found = false;

  bool on_object_begin(json::error_code&) {
    keys_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    keys_.pop_back();
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    key_ += std::string_view(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code& ec) {
    key_ += std::string_view(part.data(), part.size());
    if (!keys_.back().insert(key_).second) {
      found = true;
      duplicate = key_;
      ec = json::error::exception;
      return false;
    }
    key_.clear();
    return true;
  }
  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t, json::error_code&) { return true; }
  bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }
  bool on_double(double, json::string_view, json::error_code&) { return true; }
  bool on_bool(bool, json::error_code&) { return true; }
  bool on_null(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  std::vector<std::set<std::string>> keys_;
  std::string key_;
};

[[noreturn]] void refuse(std::string details) { throw http_failure(400, "Invalid JSON body", std::move(details)); }

}  // namespace

json::object parse_body(std::string_view text, std::size_t max_depth) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return {};
  json::parse_options options;
  options.max_depth = max_depth;
  json::error_code ec;
  json::basic_parser<key_watcher> watcher(options);
  const auto used = watcher.write_some(false, text.data(), text.size(), ec);
  if (watcher.handler().found) refuse("the key '" + watcher.handler().duplicate + "' is there twice");
  if (ec == json::error::too_deep) refuse("nested deeper than " + std::to_string(max_depth) + " levels");
  if (ec) refuse("at byte " + std::to_string(used) + ": " + ec.message());
  auto value = json::parse(json::string_view(text.data(), text.size()), ec, {}, options);
  if (ec) refuse(ec.message());
  if (!value.is_object()) refuse("the body has to be a JSON object");
  return std::move(value.as_object());
}

}  // namespace polypool::server
