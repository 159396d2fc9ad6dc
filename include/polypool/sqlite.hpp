// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup drivers
/// The SQLite driver. Native handle: `sqlite3*`.
#pragma once

#include <polypool/driver.hpp>

#include <memory>
#include <string_view>

namespace polypool::sqlite {

/// The driver for `type: sqlite`.
///
/// `endpoint::filepath` is a file (created when missing; its folder is not), a `file:` URI as SQLite reads it, or
/// `:memory:`. Options:
///
/// | option | default | |
/// |---|---|---|
/// | `busy_timeout` | `5s` | how long a statement waits for a lock of another session or process |
/// | `mode` | `rwc` | `ro`: read only; `rw`: the file must exist; `rwc`: it is created when missing |
/// | `journal_mode` | `wal` for files | `wal`, `delete`, `truncate`, `persist`, `memory`, `off` |
/// | `synchronous` | `normal` with WAL, else `full` | `off`, `normal`, `full`, `extra` |
/// | `foreign_keys` | `on` | `on`, `off` |
///
/// **A database in memory belongs to its session**: a second session has another, empty one, and it is gone when the
/// session closes. A pool over one must have exactly one session that never expires; driver::session_owns_data tells.
///
/// SQLite blocks, so asynchronous tasks make its calls on a worker thread. A statement ends at its task's deadline or
/// stop, also while it waits for a lock, and the session is usable again at once. When an error ends a whole
/// transaction (a full disk, a deadline in the middle of a write), every statement up to the ROLLBACK throws
/// `transaction_aborted`: nothing of it can be committed by accident.
///
/// Dates, times, UUIDs, JSON and exact numbers are sent as text, booleans as 0 and 1. What SQLite could not keep as it
/// is throws `invalid_value`: integers over 9223372036854775807, NaN, and text that is not valid UTF-8. A column of
/// type NUMERIC or DECIMAL keeps at most 15 digits; declare it TEXT where all of them matter.
///
/// SQLite isolates all transactions as `serializable`, whatever is asked for. A transaction takes the write lock when
/// it begins; one that is `read_only` takes none, but writes in it are not refused.
std::shared_ptr<driver> make_driver();

/// True for `:memory:` and for the URIs that mean the same: a database that only its own session sees.
bool is_in_memory(std::string_view filepath) noexcept;

}  // namespace polypool::sqlite
