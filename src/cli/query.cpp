// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"
#include "cli/configuration.hpp"
#include "cli/exit_codes.hpp"
#include "cli/parameters.hpp"

#include <polypool/manager.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <unistd.h>

namespace polypool::cli {
namespace {

std::string read_all(std::istream& in) { return {std::istreambuf_iterator<char>(in), {}}; }

std::string read_file(const std::string& name) {
  if (name == "-") return read_all(std::cin);
  std::ifstream in(name, std::ios::binary);
  if (!in) throw command_error(usage, "cannot read '" + name + "': " + std::strerror(errno));
  return read_all(in);
}

sql_database open_database(manager& mgr, const arguments& given) {
  call how;
  how.named(given.command);
  if (given.timeout) how.timeout(*given.timeout);
  return mgr.sql(given.name).with(std::move(how));
}

// In constant memory, however many rows there are.
void write_streamed(row_stream rows, row_writer& writer) {
  const bool has_rows = rows.columns().size() > 0;
  if (has_rows) writer.begin(rows.columns());
  while (const auto each = rows.next()) {
    writer.add(*each);
    if (!std::cout) throw command_error(failed, "cannot write the rows: " + std::string(std::strerror(errno)));
  }
  if (has_rows) return writer.end();
  writer.changed(rows.affected_rows());
}

}  // namespace

int query(const arguments& given) {
  const auto found = find_configuration(given.config);
  manager mgr(for_one_command(found.settings));
  auto db = open_database(mgr, given);
  const bool typed = mgr.get(given.name).type() == config::database_type::sqlite && !given.all_text;
  const auto parameters = read_parameters(given.words, typed, given.null_word);
  const std::string text = given.text == "-" ? read_all(std::cin) : given.text;
  const auto writer = make_row_writer(given.format, std::cout, terminal::of(STDOUT_FILENO));
  write_streamed(db.stream_with(text, parameters), *writer);
  std::cout.flush();
  return std::cout ? success : failed;
}

int script(const arguments& given) {
  const std::string text = read_file(given.text);
  const auto found = find_configuration(given.config);
  manager mgr(for_one_command(found.settings));
  open_database(mgr, given).execute_script(text);
  std::cout << "connection '" << given.name << "': ran " << (given.text == "-" ? "standard input" : given.text) << '\n';
  return success;
}

}  // namespace polypool::cli
