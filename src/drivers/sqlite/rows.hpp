// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "driver/cell_block.hpp"

struct sqlite3_stmt;

namespace polypool::sqlite {

/// What the values of a column are called, by how SQLite stores them.
struct column_kind {
  data_type text = data_type::text;        ///< of values stored as text
  data_type integer = data_type::integer;  ///< of values stored as integers
};

/// Copies the row that the statement stands on.
void append_row(cell_block& out, sqlite3_stmt* statement, const column_kind* kinds, std::size_t columns);

}  // namespace polypool::sqlite
