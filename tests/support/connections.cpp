// SPDX-License-Identifier: Apache-2.0
#include "support/connections.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace polypool::test {
namespace {

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
