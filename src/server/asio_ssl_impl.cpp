// SPDX-License-Identifier: Apache-2.0
// Boost.Asio's own sources for TLS, compiled once (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/ssl/impl/src.hpp>
