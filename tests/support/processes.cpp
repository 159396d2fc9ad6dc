// SPDX-License-Identifier: Apache-2.0
#include "support/processes.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <set>
#include <sstream>
#include <stdexcept>
#include <sys/wait.h>

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

// The sockets of this process, as /proc names them.
std::set<std::string> own_sockets() {
  std::set<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const auto target = std::filesystem::read_symlink(entry.path(), ignored).string();
    if (target.starts_with("socket:[")) out.insert(target.substr(8, target.size() - 9));
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

std::pair<std::string, int> shell(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed: " + command);
  std::string out;
  char buffer[4096];
  while (const auto count = ::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, count);
  const int status = ::pclose(pipe);
  return {out, WIFEXITED(status) ? WEXITSTATUS(status) : 255};
}

std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool process_runs(int pid) {
  const char state = state_of(pid).state;
  return state != 'X' && state != 'Z';
}

std::vector<int> process_family(int pid) {
  if (pid <= 0 || !process_runs(pid)) return {};
  std::vector<int> out{pid};
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const int other = std::atoi(entry.path().filename().c_str());
    if (other > 0 && state_of(other).parent == pid) out.push_back(other);
  }
  return out;
}

int connections_to(std::uint16_t port) {
  const auto mine = own_sockets();
  int count = 0;
  for (const char* table : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string number, local, remote, state, queues, timer, retries, user, timeout, inode;
      words >> number >> local >> remote >> state >> queues >> timer >> retries >> user >> timeout >> inode;
      const auto colon = remote.rfind(':');
      if (colon == std::string::npos || state != "01") continue;
      if (std::strtoul(remote.c_str() + colon + 1, nullptr, 16) == port && mine.contains(inode)) ++count;
    }
  }
  return count;
}

}  // namespace polypool::test
