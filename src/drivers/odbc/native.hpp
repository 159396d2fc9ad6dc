// SPDX-License-Identifier: Apache-2.0
// unixODBC's objects as resources.
#pragma once

#include <cstddef>
#include <sql.h>
#include <sqlext.h>
#include <sqltypes.h>
#include <sqlucode.h>
#include <utility>

namespace polypool::odbc {

inline bool succeeded(SQLRETURN code) noexcept { return code == SQL_SUCCESS || code == SQL_SUCCESS_WITH_INFO; }

/// For attributes that are numbers in the place of a pointer.
inline SQLPOINTER as_pointer(std::size_t number) noexcept {
  return reinterpret_cast<SQLPOINTER>(number);  // NOLINT(performance-no-int-to-ptr): ODBC's way
}

/// ODBC's environment: what connections are made from. Thread-safe.
class environment_handle {
 public:
  /// Throws internal_error.
  environment_handle();
  ~environment_handle();
  environment_handle(const environment_handle&) = delete;
  environment_handle& operator=(const environment_handle&) = delete;
  SQLHENV get() const noexcept { return handle_; }

 private:
  SQLHENV handle_ = nullptr;
};

/// A statement of a connection, which outlives it or frees it together with itself (then it is disowned).
class statement_handle {
 public:
  statement_handle() noexcept = default;
  explicit statement_handle(SQLHSTMT handle) noexcept : handle_(handle) {}
  statement_handle(statement_handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  statement_handle& operator=(statement_handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~statement_handle() {
    if (handle_ != nullptr) SQLFreeHandle(SQL_HANDLE_STMT, handle_);
  }
  SQLHSTMT get() const noexcept { return handle_; }
  void disown() noexcept { handle_ = nullptr; }

 private:
  SQLHSTMT handle_ = nullptr;
};

}  // namespace polypool::odbc
