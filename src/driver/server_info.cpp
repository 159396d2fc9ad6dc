// SPDX-License-Identifier: Apache-2.0
#include <polypool/driver.hpp>

namespace polypool {

std::string_view to_string(server_info::role_type role) noexcept {
  switch (role) {
    case server_info::role_type::primary:
      return "primary";
    case server_info::role_type::replica:
      return "replica";
    case server_info::role_type::read_only:
      return "read_only";
    case server_info::role_type::unknown:
      break;
  }
  return "unknown";
}

}  // namespace polypool
