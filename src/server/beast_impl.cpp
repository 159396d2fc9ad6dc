// SPDX-License-Identifier: Apache-2.0
// Boost.Beast's own code, compiled once.
#include <boost/beast/src.hpp>
