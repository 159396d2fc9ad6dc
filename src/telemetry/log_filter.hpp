// SPDX-License-Identifier: Apache-2.0
// Which component logs from which level on: the level for all, and what DEBUG says beside it.
#pragma once

#include <polypool/log.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace polypool::telemetry {

/// Worked out once; asking costs one comparison for most records.
class log_filter {
 public:
  log_filter(log::level least, std::string_view debug);
  bool enabled(log::level severity, std::string_view component) const noexcept {
    if (severity == log::level::off) return false;
    if (severity >= least_) return true;
    return !raised_.empty() && severity >= log::level::debug && raised(component);
  }

 private:
  struct pattern {
    std::string name;  // without the star
    bool prefix = false;
    bool matches(std::string_view component) const noexcept {
      return prefix ? component.starts_with(name) : component == name;
    }
  };
  bool raised(std::string_view component) const noexcept;
  void add(std::string_view word);

  log::level least_;
  std::vector<pattern> raised_;
  std::vector<pattern> excluded_;
};

}  // namespace polypool::telemetry
