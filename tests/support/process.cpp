// SPDX-License-Identifier: Apache-2.0
#include "support/process.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>

namespace polypool::test {
namespace {

struct process_state {
  char state = 'X';
  int parent = 0;
};

process_state state_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  process_state out;
  if (const auto end = text.rfind(')'); end != std::string::npos && end + 4 < text.size()) {
    out.state = text[end + 2];
    out.parent = std::atoi(text.c_str() + end + 4);
  }
  return out;
}

}  // namespace

bool wait_until(const std::function<bool()>& predicate, duration timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 5);  // only to leave the processor to those we wait for
  }
  return true;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::pair<std::string, int> shell(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed: " + command);
  std::string out;
  char buffer[4096];
  while (const auto count = ::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, count);
  const int status = ::pclose(pipe);
  return {out, WIFEXITED(status) ? WEXITSTATUS(status) : 255};
}

bool runs(int pid) {
  const char state = state_of(pid).state;
  return state != 'X' && state != 'Z';
}

int parent_of(int pid) { return state_of(pid).parent; }

namespace {

bool stands_still(int pid) {
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
    const std::string text = first_line((thread.path() / "stat").string());
    const auto end = text.rfind(')');
    if (end != std::string::npos && text.substr(end, 3) != ") T") return false;
  }
  return true;
}

}  // namespace

void suspend_process(int pid) {
  ::kill(pid, SIGSTOP);
  if (!wait_until([pid] { return stands_still(pid); })) throw std::runtime_error("process does not stop");
}

}  // namespace polypool::test
