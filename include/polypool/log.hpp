// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup base
/// Structured logging: a level, a component, a message, and fields.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace polypool::log {

enum class level : std::uint8_t { trace, debug, info, warning, error, off };

/// One fact beside a message. Values are never secrets.
struct field {
  std::string_view name;
  std::string value;
};

/// Where records go. Made by the application (telemetry.hpp's make_log_sink does it); without one it is silent.
class sink {
 public:
  virtual ~sink() = default;
  /// Thread-safe; never throws.
  virtual void write(level severity, std::string_view component, std::string_view message,
                     std::initializer_list<field> fields) noexcept = 0;
  /// Whether a record of this level and component would be kept. Thread-safe and fast.
  virtual bool enabled(level severity, std::string_view component) const noexcept = 0;
};

/// A logger handed down by the manager to what it makes; copies share the sink. A default one is silent.
class logger {
 public:
  logger() = default;
  explicit logger(std::shared_ptr<sink> target) noexcept : sink_(std::move(target)) {}
  /// Off for this copy: a connection with `enable_logging: false`.
  logger silenced() const noexcept { return logger{}; }
  bool enabled(level severity, std::string_view component) const noexcept {
    return sink_ != nullptr && sink_->enabled(severity, component);
  }
  /// @param component the room it comes from: "pool", "manager", "postgres" …
  void write(level severity, std::string_view component, std::string_view message,
             std::initializer_list<field> fields = {}) const noexcept {
    if (enabled(severity, component)) sink_->write(severity, component, message, fields);
  }
  void debug(std::string_view component, std::string_view message,
             std::initializer_list<field> fields = {}) const noexcept {
    write(level::debug, component, message, fields);
  }
  void info(std::string_view component, std::string_view message,
            std::initializer_list<field> fields = {}) const noexcept {
    write(level::info, component, message, fields);
  }
  void warning(std::string_view component, std::string_view message,
               std::initializer_list<field> fields = {}) const noexcept {
    write(level::warning, component, message, fields);
  }
  void error(std::string_view component, std::string_view message,
             std::initializer_list<field> fields = {}) const noexcept {
    write(level::error, component, message, fields);
  }

 private:
  std::shared_ptr<sink> sink_;
};

}  // namespace polypool::log
