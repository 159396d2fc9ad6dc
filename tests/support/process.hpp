// SPDX-License-Identifier: Apache-2.0
// Waiting for something to happen, and the processes of test servers.
#pragma once

#include <polypool/clock.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <utility>

namespace polypool::test {

/// Asks again and again until the answer is yes. @return false when it was not within the timeout
bool wait_until(const std::function<bool()>& predicate, duration timeout = std::chrono::seconds(20));

/// The first line of a file; empty when there is none.
std::string first_line(const std::string& path);

/// The output (of both kinds) and the status of a shell command.
std::pair<std::string, int> shell(const std::string& command);

/// Whether a process is there and no zombie.
bool runs(int pid);
/// Stops a process and waits until all of its threads stand still: the signal takes its time to reach each of them.
void suspend_process(int pid);
/// The parent of a process; 0 when it is gone.
int parent_of(int pid);

}  // namespace polypool::test
