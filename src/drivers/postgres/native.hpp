// SPDX-License-Identifier: Apache-2.0
// libpq's objects as resources.
#pragma once

#include <libpq-fe.h>

#include <memory>

namespace polypool::postgres {

struct native_deleter {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  void operator()(PGresult* result) const noexcept { PQclear(result); }
  void operator()(PGcancel* cancel) const noexcept { PQfreeCancel(cancel); }
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using connection_ptr = std::unique_ptr<PGconn, native_deleter>;
using result_ptr = std::unique_ptr<PGresult, native_deleter>;
using cancel_ptr = std::unique_ptr<PGcancel, native_deleter>;
using options_ptr = std::unique_ptr<PQconninfoOption, native_deleter>;

/// True when the server (or libpq) reported an error.
inline bool failed(const PGresult* answer) noexcept {
  const auto status = PQresultStatus(answer);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR;
}

}  // namespace polypool::postgres
