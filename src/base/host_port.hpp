// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace polypool {

/// `host:port`, and `[::1]:port` for an IPv6 address. A list of hosts, or the path of a socket, stays as it is.
inline std::string host_and_port(std::string_view host, std::string_view port) {
  const bool six = host.find(':') != std::string_view::npos && host.find_first_of(",/[") == std::string_view::npos;
  std::string out = six ? "[" + std::string(host) + "]" : std::string(host);
  return out.append(":").append(port);
}

}  // namespace polypool
