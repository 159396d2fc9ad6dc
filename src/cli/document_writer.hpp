// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/row_writers.hpp"

#include <polypool/document.hpp>

#include <iosfwd>
#include <memory>
#include <string_view>

namespace polypool::cli {

// Writes documents one after the other. Every field of the topmost level is a column of `table` and `csv`, which keep
// all documents to know them; `json` keeps nothing.
class document_writer {
 public:
  virtual ~document_writer() = default;
  virtual void begin() = 0;
  virtual void add(const document& each) = 0;
  virtual void end() = 0;
};
std::unique_ptr<document_writer> make_document_writer(row_format format, std::ostream& out, const terminal& where);

// The answer to a command that gives no cursor: as JSON, or a line for each field.
void write_document(const document& answer, row_format format, std::ostream& out);

// A command from its text, extended JSON. Throws command_error that says where it is wrong.
document command_document(std::string_view text);
// Whether the server answers a command with a cursor: find, aggregate and the lists.
bool gives_cursor(const document& command);

}  // namespace polypool::cli
