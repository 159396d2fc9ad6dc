// SPDX-License-Identifier: Apache-2.0
// Where Debian puts ODBC drivers; tests name them by their paths, so that no odbcinst.ini has to know them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace polypool::test {

inline std::string odbc_library(std::string_view name) { return "/usr/lib/x86_64-linux-gnu/odbc/" + std::string(name); }
/// Why a driver's tests cannot run here; empty when they can.
inline std::string why_no_library(std::string_view name) {
  const std::string path = odbc_library(name);
  return std::filesystem::exists(path) ? std::string() : "the ODBC driver " + path + " is not installed";
}

}  // namespace polypool::test
