// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/log.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::test {

/// Keeps everything that is logged, one text per record: `component: message name=value …`.
class log_capture final : public log::sink {
 public:
  void write(log::level, std::string_view component, std::string_view message,
             std::initializer_list<log::field> fields) noexcept override {
    std::string text = std::string(component) + ": " + std::string(message);
    for (const auto& each : fields) text += " " + std::string(each.name) + "=" + each.value;
    const std::scoped_lock lock(mutex_);
    texts_.push_back(std::move(text));
  }
  bool enabled(log::level, std::string_view) const noexcept override { return true; }
  /// All records that have this part.
  std::vector<std::string> with(std::string_view part) const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> found;
    for (const auto& each : texts_) {
      if (each.find(part) != std::string::npos) found.push_back(each);
    }
    return found;
  }
  /// The first of them; empty when there is none.
  std::string find(std::string_view part) const {
    const auto found = with(part);
    return found.empty() ? std::string() : found.front();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

}  // namespace polypool::test
