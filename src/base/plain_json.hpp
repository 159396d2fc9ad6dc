// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/fwd.hpp>

#include <string>

namespace polypool {

/// JSON on one line with numbers as people write them: Boost.JSON writes 0.5 as 5E-1, which is right but nobody's way.
/// What is no number at all (NaN, infinity) becomes null. The texts in it have to be UTF-8.
std::string plain_json(const boost::json::value& value);
std::string plain_json(const boost::json::object& fields);
std::string plain_json(const boost::json::array& items);

/// A number with as many digits as it takes to read it back; also `nan`, `inf` and `-inf`.
std::string shortest(double number);

}  // namespace polypool
