// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"
#include "cli/exit_codes.hpp"
#include "cli/terminal.hpp"

#include <polypool/config.hpp>

#include <iostream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace polypool::cli {
namespace {

// A server's message may have several lines; what comes from it must not steer the terminal.
std::string safe_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (!out.empty()) out += "\n  ";
    out += printable(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return out;
}

void print_error(const terminal& where, std::string_view what, std::string_view hint) {
  if (what.empty()) return;
  std::cout.flush();
  std::cerr << where.paint("error:", style::red) << ' ' << safe_lines(what) << '\n';
  if (!hint.empty()) std::cerr << where.paint("hint:", style::yellow) << ' ' << safe_lines(hint) << '\n';
}

int exit_code_for(errc code) noexcept {
  switch (code) {
    case errc::connection_not_found:
    case errc::no_default_connection:
      return not_found;
    case errc::invalid_configuration:
    case errc::unsupported_database:
    case errc::not_sql_database:
    case errc::not_mongodb:
    case errc::not_redis:
      return usage;
    default:
      return failed;
  }
}

}  // namespace

int report(const std::exception& problem) {
  const auto where = terminal::of(STDERR_FILENO);
  if (const auto* own = dynamic_cast<const command_error*>(&problem)) {
    print_error(where, own->what(), own->hint());
    return own->code();
  }
  if (const auto* wrong = dynamic_cast<const config::configuration_error*>(&problem)) {
    std::cout.flush();
    for (const auto& each : wrong->problems()) {
      std::cerr << where.paint("error:", style::red) << ' ' << printable(each.to_string()) << '\n';
    }
    return usage;
  }
  if (const auto* known = dynamic_cast<const error*>(&problem)) {
    std::string_view text = known->what();
    const std::string ending = "; " + known->hint();
    if (!known->hint().empty() && text.ends_with(ending)) text.remove_suffix(ending.size());
    print_error(where, text, known->hint());
    return exit_code_for(known->portable_code());
  }
  print_error(where, problem.what(), {});
  return failed;
}

}  // namespace polypool::cli
