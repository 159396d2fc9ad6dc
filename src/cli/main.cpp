// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.hpp"
#include "cli/exit_codes.hpp"
#include "cli/output.hpp"

#include <polypool/telemetry.hpp>

#include <csignal>
#include <exception>
#include <iostream>

namespace {

using namespace polypool::cli;

int dispatch(const arguments& given) {
  if (given.command == "serve") return serve(given);
  if (given.command == "check") return check(given);
  if (given.command == "diff") return diff(given);
  if (given.command == "list") return list(given);
  if (given.command == "health") return health(given);
  if (given.command == "stats") return stats(given);
  if (given.command == "query") return query(given);
  if (given.command == "script") return script(given);
  if (given.command == "top") return top(given);
  if (given.command == "events") return events(given);
  if (given.command == "switch") return switch_active(given);
  if (given.command == "failover") return failover(given);
  if (given.command == "breaker") return breaker(given);
  std::cout << "polypool " << polypool::build_version() << '\n';
  return success;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // `| head` closes early: then writing fails, and that is told by the exit code
  try {
    const auto given = read_command_line(argc, argv);
    const int code = given ? dispatch(*given) : success;
    std::cout.flush();
    require_output();  // a full disk must not look like a short answer
    return code;
  } catch (const std::exception& problem) {
    return report(problem);
  }
}
