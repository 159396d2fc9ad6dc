// SPDX-License-Identifier: Apache-2.0
// Text is UTF-8 here and UTF-16 in ODBC.
#pragma once

#include <optional>
#include <span>
#include <sqltypes.h>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::odbc {

using wide_text = std::vector<SQLWCHAR>;

/// Puts the text's UTF-16 behind what is there. @return false when it is not UTF-8; then some of it is there
bool append_utf16(wide_text& out, std::string_view text);

/// The same with U+FFFD for what is not UTF-8, and a NUL behind it: for names and statements.
wide_text to_wide(std::string_view text);

/// UTF-16 that comes in pieces, which may end between the halves of a character. Halves without the other one become
/// U+FFFD.
class utf16_decoder {
 public:
  void append(std::string& out, std::span<const SQLWCHAR> piece);
  /// Behind the last piece.
  void finish(std::string& out);

 private:
  SQLWCHAR high_ = 0;  // the first half of a character whose second has not come yet
};

/// All of a text.
std::string to_utf8(std::span<const SQLWCHAR> text);

}  // namespace polypool::odbc
