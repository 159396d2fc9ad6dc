// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup drivers
/// The driver for Redis and what speaks its protocol (Valkey, KeyDB …): single servers, sentinels, clusters.
///
/// Of an endpoint it reads host (a list where there are sentinels or a cluster), port, user, password, database (a
/// number), tls (not `allow` and `prefer`: Redis does not negotiate it), connect_timeout, and these options:
/// - `client_name` ("polypool"): what CLIENT LIST shows
/// - `protocol` (3): RESP's version; a server that knows only 2 gets that
/// - `max_reply_bytes` (536870912), `max_reply_depth` (64): what one reply may make us keep
/// - `sslrootcert`, `sslcert`, `sslkey`, `sslsni`: files and name for TLS
/// - `cluster` (false): the hosts are nodes of a cluster
/// - `sentinel`: the name of the primary; the hosts are sentinels. `sentinel_user`, `sentinel_password`: for them
#pragma once

#include <polypool/driver.hpp>

#include <memory>

namespace polypool::redis {

/// Sessions are polypool::key_value_session; so is the native handle.
std::shared_ptr<driver> make_driver();

}  // namespace polypool::redis
