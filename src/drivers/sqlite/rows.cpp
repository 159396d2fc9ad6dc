// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/rows.hpp"

#include <sqlite3.h>

#include <new>

namespace polypool::sqlite {

void append_row(cell_block& out, sqlite3_stmt* statement, const column_kind* kinds, std::size_t columns) {
  out.begin_row();
  for (int i = 0; i < static_cast<int>(columns); ++i, ++kinds) {
    const auto view = [&](const void* data) {
      return std::string_view(static_cast<const char*>(data),
                              static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
    };
    switch (sqlite3_column_type(statement, i)) {
      case SQLITE_INTEGER: {
        const auto number = sqlite3_column_int64(statement, i);
        // A boolean column may hold any number, and only 0 and 1 are booleans.
        out.add_integer(number, number == 0 || number == 1 ? kinds->integer : data_type::integer);
        break;
      }
      case SQLITE_FLOAT:
        out.add_real(sqlite3_column_double(statement, i));
        break;
      case SQLITE_NULL:
        out.add_null();
        break;
      case SQLITE_TEXT: {
        const void* text = sqlite3_column_text(statement, i);
        if (!text) throw std::bad_alloc();  // converting from UTF-16 took more memory than there is
        out.add_text(kinds->text, view(text));
        break;
      }
      default:
        out.add_bytes(view(sqlite3_column_blob(statement, i)));
        break;
    }
  }
}

}  // namespace polypool::sqlite
