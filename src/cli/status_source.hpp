// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/commands.hpp"

#include <boost/json.hpp>

namespace polypool::cli {

// What `list`, `health` and `stats` show, in the daemon's own JSON: from a daemon with --url, else from here.
// `list` gives an array of summaries, `health` `{healthy, databases: {name: …}}`, `stats` `{summary, connections:
// […]}`.
boost::json::array list_source(const arguments& given);
boost::json::object health_source(const arguments& given);
boost::json::object stats_source(const arguments& given);

}  // namespace polypool::cli
