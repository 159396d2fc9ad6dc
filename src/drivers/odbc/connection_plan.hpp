// SPDX-License-Identifier: Apache-2.0
// From an endpoint to what ODBC is told: which driver, which connection string.
#pragma once

#include "drivers/odbc/profile.hpp"

#include <polypool/driver.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::odbc {

/// What is installed on this machine. Tests replace it.
class installation {
 public:
  virtual ~installation() = default;
  /// The names in odbcinst.ini.
  virtual std::vector<std::string> drivers() const = 0;
  /// A driver's library; empty when there is no driver of that name.
  virtual std::string library_of(const std::string& driver) const = 0;
  /// The driver of a data source, a name or a library; empty when there is no source of that name.
  virtual std::string driver_of_source(const std::string& source) const = 0;
  /// Libraries that are there without being registered.
  virtual bool has_file(const std::string& path) const = 0;
};

/// What unixODBC knows.
const installation& this_machine();

/// All that is needed to connect.
struct connection_plan {
  secret text;        ///< the connection string
  secret password;    ///< what of it no message may show
  std::string place;  ///< for messages: "127.0.0.1:5432", "data source 'sales'"
  driver_family family = driver_family::other;
  std::uint16_t port = 0;  ///< of the server; 0: not known
  std::string schema;      ///< wanted as the session's default
  bool owns_data = false;  ///< the database is gone with the session
  bool prepares = true;
  std::size_t statement_cache = 0;
};

/// Plans a connection of `type: odbc`. Throws invalid_configuration.
connection_plan plan_odbc(const endpoint& where, const installation& installed);
/// Plans a connection of `type: mssql`, over Microsoft's driver or FreeTDS. Throws invalid_configuration.
connection_plan plan_mssql(const endpoint& where, const installation& installed);

/// Puts `key=value` behind a connection string so that the value is nothing but a value.
/// Throws invalid_configuration where the driver has no way to write it; says the key, never the value.
class connection_string {
 public:
  explicit connection_string(driver_family family) noexcept : family_(family) {}
  void add(std::string_view key, std::string_view value);
  secret take() { return secret(std::move(text_)); }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string written(std::string_view key, std::string_view value) const;
  void grow(std::size_t more);
  driver_family family_;
  std::string text_;
};

}  // namespace polypool::odbc
