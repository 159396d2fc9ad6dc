// SPDX-License-Identifier: Apache-2.0
// What unixODBC has in its odbcinst.ini and odbc.ini.
#include "drivers/odbc/connection_plan.hpp"
#include "drivers/odbc/native.hpp"

#include <algorithm>
#include <array>
#include <unistd.h>

namespace polypool::odbc {
namespace {

struct known_driver {
  std::string name;
  std::string library;
};

// The value of a key in a list of `key=value`, each with a NUL behind it.
std::string value_of(std::string_view list, std::string_view key) {
  while (!list.empty() && list.front() != '\0') {
    const auto pair = list.substr(0, list.find('\0'));
    list.remove_prefix(std::min(pair.size() + 1, list.size()));
    if (pair.starts_with(key) && pair.substr(key.size()).starts_with('=')) {
      return std::string(pair.substr(key.size() + 1));
    }
  }
  return {};
}

std::vector<known_driver> registered_drivers() {
  std::vector<known_driver> out;
  const environment_handle environment;
  std::array<SQLCHAR, 256> name{};
  std::array<SQLCHAR, 4096> attributes{};
  SQLSMALLINT ignored = 0;
  for (SQLUSMALLINT which = SQL_FETCH_FIRST;; which = SQL_FETCH_NEXT) {
    const auto code = SQLDrivers(environment.get(), which, name.data(), name.size(), &ignored, attributes.data(),
                                 attributes.size(), &ignored);
    if (!succeeded(code)) return out;
    const std::string_view list(reinterpret_cast<const char*>(attributes.data()), attributes.size());
    auto library = value_of(list, "Driver64");
    if (library.empty()) library = value_of(list, "Driver");
    out.push_back({reinterpret_cast<const char*>(name.data()), std::move(library)});
  }
}

class unixodbc final : public installation {
 public:
  std::vector<std::string> drivers() const override {
    std::vector<std::string> out;
    for (auto& each : registered_drivers()) out.push_back(std::move(each.name));
    return out;
  }
  std::string library_of(const std::string& driver) const override {
    for (auto& each : registered_drivers()) {
      if (each.name == driver) return each.library;
    }
    return {};
  }
  std::string driver_of_source(const std::string& source) const override {
    const environment_handle environment;
    std::array<SQLCHAR, 256> name{};
    std::array<SQLCHAR, 1024> driver{};
    SQLSMALLINT ignored = 0;
    for (SQLUSMALLINT which = SQL_FETCH_FIRST;; which = SQL_FETCH_NEXT) {
      const auto code = SQLDataSources(environment.get(), which, name.data(), name.size(), &ignored, driver.data(),
                                       driver.size(), &ignored);
      if (!succeeded(code)) return {};
      if (reinterpret_cast<const char*>(name.data()) == source) return reinterpret_cast<const char*>(driver.data());
    }
  }
  bool has_file(const std::string& path) const override { return ::access(path.c_str(), R_OK) == 0; }
};

}  // namespace

const installation& this_machine() {
  static const unixodbc instance;
  return instance;
}

}  // namespace polypool::odbc
