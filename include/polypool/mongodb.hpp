// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup drivers
/// The MongoDB driver. Native handle: `mongoc_client_t*`.
#pragma once

#include <polypool/document.hpp>

#include <memory>

namespace polypool::mongodb {

/// The driver for `type: mongodb`. Its sessions are document_session.
///
/// `endpoint::host` is a name, an address, the path of a Unix socket, or several `host:port` with commas between them
/// (a replica set's members, or a cluster's routers). Options, in MongoDB's spelling or with underscores:
///
/// - `auth_source` ("admin"): the database that knows the user
/// - `auth_mechanism` (what the server offers): `SCRAM-SHA-256`, `SCRAM-SHA-1`, `PLAIN`, `MONGODB-X509`, `GSSAPI`
/// - `replica_set`: its name; the primary is found, and found again after a failover
/// - `read_preference` (primary): `primaryPreferred`, `secondary`, `secondaryPreferred`, `nearest`, or with underscores
/// - `read_preference_tags`, `max_staleness_seconds`, `local_threshold`: which members may answer reads
/// - `read_concern_level`, `w`, `w_timeout`, `journal` (the server's): how safe reads and writes are
/// - `retry_reads`, `retry_writes` (true): once, over a new connection; writes only where the server tells repeated
/// ones
/// - `server_selection_timeout` (10s): how long a call waits for a replica set to have a server for it
/// - `socket_timeout` (30s): how long the server may say nothing; unless set, only in calls without a deadline
/// - `direct_connection` (false): talks to this server alone, though it is a member of a set
/// - `srv` (false): `host` stands for servers found in DNS (`mongodb+srv://`)
/// - `tls_ca_file` (the system's authorities), `tls_certificate_key_file`, `tls_certificate_key_file_password`: PEM
/// files
/// - `app_name` (polypool), `compressors` (none), `zlib_compression_level`
///
/// A session is one client of libmongoc with connections of its own: one to a single server, one to each member of a
/// replica set. libmongoc blocks, so asynchronous tasks make its calls on a worker thread; every wait in it ends at
/// once at the task's deadline or stop, and when the session is closed by force. Only looking names up, and a wait of
/// half a second that libmongoc makes before it looks for servers again, cannot be ended early.
///
/// libmongoc's log belongs to the process and goes to stderr by default. make_driver() switches it off; whoever wants
/// it sets a handler of his own afterwards.
std::shared_ptr<driver> make_driver();

}  // namespace polypool::mongodb
