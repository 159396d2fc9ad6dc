// SPDX-License-Identifier: Apache-2.0
// What `polypool top` knows and shows. No terminal and no network.
#pragma once

#include "cli/event_lines.hpp"
#include "cli/group_places.hpp"
#include "cli/terminal.hpp"

#include <boost/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace polypool::cli {

// One connection.
struct top_row {
  std::string name, type, health, phase, breaker;
  bool active = false, redis = false, group = false;
  std::uint64_t in_use = 0, idle = 0, open = 0, max = 0, waiting = 0;
  std::optional<double> queries_per_second, errors_per_second;  // since the answer before
  std::optional<double> p50_ms, p95_ms;  // since then, or of all time when nothing was asked meanwhile
  std::string last_event;
  std::vector<group_place> places;  // in groups

  // Its name; of a group, also where its writes go; of a member, what it is there.
  std::string shown_name() const;
};

// What the daemon said, as rows.
class top_model {
 public:
  // @param status data of /api/admin/connections/status @param events data of /api/events
  // @param groups data of /api/admin/connections/groups
  void update(const boost::json::object& status, const boost::json::object& events, const boost::json::object& groups,
              std::chrono::steady_clock::time_point now);
  const std::vector<top_row>& rows() const noexcept { return rows_; }
  const std::vector<event_line>& events() const noexcept { return events_; }  // the newest first

 private:
  using buckets = std::map<double, double>;  // upper bound in ms → count
  struct totals {
    double queries = 0, errors = 0;
    buckets times;
  };
  top_row row_of(const boost::json::object& one, double seconds);
  std::vector<top_row> rows_;
  std::vector<event_line> events_;
  std::map<std::string, totals> before_;
  std::optional<std::chrono::steady_clock::time_point> last_;
};

// What stands around the rows.
struct top_view {
  std::string url;
  std::string clock;     // HH:MM:SS
  std::string trouble;   // why there is nothing new; red
  std::string message;   // what an action came to
  bool refused = false;  // and that is nothing
  std::string question;  // asked of the user, who answers y or n
  std::size_t selected = 0;
  bool help = false;
};

// The lines of one picture, none wider than the terminal and no more than it has.
std::vector<std::string> draw(const top_model& model, const top_view& view, const terminal& where);

}  // namespace polypool::cli
