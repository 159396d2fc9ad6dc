// SPDX-License-Identifier: Apache-2.0
// Waiting for something, and looking at processes: what tests with servers of their own share.
#pragma once

#include <polypool/clock.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace polypool::test {

/// Asks again and again until the answer is yes. @return false when it was not within the timeout
bool wait_until(const std::function<bool()>& predicate, duration timeout = std::chrono::seconds(20));

/// The output and status of a shell command.
std::pair<std::string, int> shell(const std::string& command);

/// The first line of a file; empty when there is none.
std::string first_line_of(const std::string& path);

/// Whether a process is there and alive.
bool process_runs(int pid);

/// A process and its children; empty when it does not run.
std::vector<int> process_family(int pid);

/// How many connections this process has open to a TCP port.
int connections_to(std::uint16_t port);

}  // namespace polypool::test
