// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/sockets.hpp"

#include <charconv>
#include <cstdint>
#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <memory>
#include <netinet/in.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace polypool::odbc {
namespace {

struct open_socket {
  int descriptor;
  ino_t inode;
  bool local;  // a Unix socket, whose traffic nobody counts
};

std::uint16_t port_of(const sockaddr_storage& address) noexcept {
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

// The sockets of this process that are connected to that port of any machine.
std::vector<open_socket> connected_sockets(std::uint16_t port) {
  std::vector<open_socket> out;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), &::closedir);
  if (!folder) return out;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    int descriptor = -1;
    if (std::from_chars(name.data(), name.data() + name.size(), descriptor).ec != std::errc()) continue;
    struct stat about{};
    if (::fstat(descriptor, &about) != 0 || !S_ISSOCK(about.st_mode)) continue;
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (port != 0 && port_of(peer) != port) continue;
    out.push_back({descriptor, about.st_ino, peer.ss_family == AF_UNIX});
  }
  return out;
}

// How many segments with data have gone out; what changes when the connection talks.
std::uint64_t traffic_of(int descriptor) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return info.tcpi_data_segs_out;
}

// A duplicate, if the descriptor still is that socket.
int duplicate(const open_socket& one) {
  const int copy = ::fcntl(one.descriptor, F_DUPFD_CLOEXEC, 0);
  struct stat about{};
  if (copy >= 0 && (::fstat(copy, &about) != 0 || about.st_ino != one.inode)) {
    ::close(copy);
    return -1;
  }
  return copy;
}

}  // namespace

socket_search::socket_search(std::uint16_t port) : port_(port) {
  for (const auto& each : connected_sockets(port_)) before_.insert(each.inode);
}

// Other threads open sockets, too: the one we look for talks whenever we make it talk.
int socket_search::find(const std::function<void()>& talk) const {
  std::vector<open_socket> fresh;
  for (const auto& each : connected_sockets(port_)) {
    if (!before_.contains(each.inode)) fresh.push_back(each);
  }
  constexpr int rounds = 4;
  for (int round = 0; round < rounds && fresh.size() > 1; ++round) {
    std::vector<std::uint64_t> before;
    for (const auto& each : fresh) before.push_back(traffic_of(each.descriptor));
    talk();
    std::vector<open_socket> talked;
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      if (traffic_of(fresh[i].descriptor) != before[i]) talked.push_back(fresh[i]);
    }
    fresh = std::move(talked);
  }
  if (fresh.size() != 1) return -1;
  const std::uint64_t before = traffic_of(fresh.front().descriptor);
  talk();
  if (!fresh.front().local && traffic_of(fresh.front().descriptor) == before) return -1;
  return duplicate(fresh.front());
}

}  // namespace polypool::odbc
