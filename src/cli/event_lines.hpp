// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/terminal.hpp"

#include <boost/json.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace polypool::cli {

// An event's parts for people.
struct event_line {
  std::string time;  // HH:MM:SS, UTC
  std::string kind;
  std::string connection;
  std::string change;  // "healthy → degraded"; may be empty
  std::string detail;
  style how = style::plain;
};
event_line line_of(const boost::json::object& event);

// Puts server-sent events together from the pieces that they come in.
class event_reader {
 public:
  // @param take gets the id and the data of each
  explicit event_reader(std::function<void(const std::string& id, const std::string& data)> take)
      : take_(std::move(take)) {}
  void add(std::string_view piece);

 private:
  void line(std::string_view text);
  std::function<void(const std::string&, const std::string&)> take_;
  std::string rest_, id_, data_;
};

}  // namespace polypool::cli
