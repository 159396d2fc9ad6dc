// SPDX-License-Identifier: Apache-2.0
// Which socket belongs to a connection that somebody else's library has made.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <sys/types.h>
#include <vector>

namespace polypool::odbc {

/// Looks for the socket that appears between its construction and `find`.
class socket_search {
 public:
  /// @param port of the server, by which its socket is told from others; 0: not known
  explicit socket_search(std::uint16_t port);
  /// A duplicate of the socket, which the caller closes; -1 when none was made, or when it cannot be told which of
  /// several it is. @param talk makes the connection send and receive something
  int find(const std::function<void()>& talk) const;

 private:
  std::uint16_t port_;
  std::set<ino_t> before_;
};

}  // namespace polypool::odbc
