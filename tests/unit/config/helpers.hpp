// SPDX-License-Identifier: Apache-2.0
// What the tests of configuration share.
#pragma once

#include <polypool/config.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace polypool::config::testing {

using variable_map = std::map<std::string, std::string>;

/// A lookup that knows these variables and no others.
inline variable_lookup only(variable_map variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

inline load_options with(variable_map variables, std::string environment = {}) {
  return {.variables = only(std::move(variables)), .environment = std::move(environment)};
}

inline settings read(std::string_view text, variable_map variables = {}, std::string environment = {}) {
  return parse(text, "test.yaml", with(std::move(variables), std::move(environment)));
}
inline settings read_json(std::string_view text, variable_map variables = {}) {
  return parse(text, "test.json", with(std::move(variables)));
}

/// The problems that `work` throws; none when it does not throw.
template <class Work>
std::vector<problem> problems_of(const Work& work) {
  try {
    work();
  } catch (const configuration_error& failed) {
    EXPECT_EQ(failed.portable_code(), errc::invalid_configuration);
    EXPECT_FALSE(failed.problems().empty());
    for (const auto& one : failed.problems())
      EXPECT_NE(std::string(failed.what()).find(one.to_string()), std::string::npos);
    return failed.problems();
  }
  return {};
}

/// All texts, a line each.
inline std::string as_text(const std::vector<problem>& problems) {
  std::string out;
  for (const auto& one : problems) out += one.to_string() + "\n";
  return out;
}

inline std::string problems_in(std::string_view text, variable_map variables = {}, std::string environment = {}) {
  return as_text(problems_of([&] { read(text, std::move(variables), std::move(environment)); }));
}
inline std::string problems_in_json(std::string_view text, variable_map variables = {}) {
  return as_text(problems_of([&] { read_json(text, std::move(variables)); }));
}

inline const connection& named(const settings& whole, std::string_view name) {
  const auto found = std::ranges::find(whole.connections, name, &connection::name);
  if (found == whole.connections.end()) throw std::out_of_range("no connection " + std::string(name));
  return *found;
}

/// A folder for one test, gone with it.
class temporary_folder {
 public:
  temporary_folder() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::temp_directory_path() /
            ("polypool_config_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path write(std::string_view name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace polypool::config::testing
