// SPDX-License-Identifier: Apache-2.0
// Results of libpq as rows of Polypool.
#pragma once

#include "drivers/postgres/native.hpp"

#include <polypool/result.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace polypool::postgres {

/// The portable type of a PostgreSQL type.
data_type type_of(Oid oid) noexcept;

/// The columns of a result, and what is needed to tell whether the next result has the same.
class result_shape {
 public:
  /// The columns of this result; the same object as long as names and types stay the same.
  const std::shared_ptr<const column_list>& columns_of(const PGresult* answer);

 private:
  bool fits(const PGresult* answer) const noexcept;
  std::shared_ptr<const column_list> columns_;
  std::vector<Oid> types_;
};

/// Rows as libpq keeps them.
class native_rows final : public row_block {
 public:
  native_rows(result_ptr answer, std::shared_ptr<const column_list> columns) noexcept
      : answer_(std::move(answer)), columns_(std::move(columns)) {}
  std::size_t rows() const noexcept override { return static_cast<std::size_t>(PQntuples(answer_.get())); }
  field at(std::size_t row, std::size_t column) const noexcept override;

 private:
  result_ptr answer_;
  std::shared_ptr<const column_list> columns_;
};

/// Rows gathered one by one, close together.
class packed_rows final : public row_block {
 public:
  explicit packed_rows(std::shared_ptr<const column_list> columns) noexcept : columns_(std::move(columns)) {}
  /// Copies the first row of a result.
  void append(const PGresult* answer);
  std::size_t size_in_bytes() const noexcept { return data_.size() + values_.size() * sizeof(place); }
  std::size_t rows() const noexcept override { return rows_; }
  field at(std::size_t row, std::size_t column) const noexcept override;

 private:
  struct place {
    std::uint32_t begin;
    std::int32_t length;  // negative: NULL
  };
  std::shared_ptr<const column_list> columns_;
  std::string data_;
  std::vector<place> values_;
  std::size_t rows_ = 0;
};

/// The bytes of a result's first row.
std::size_t first_row_size(const PGresult* answer) noexcept;

/// Rows that the statement inserted, changed, deleted or gave.
std::uint64_t affected_rows(PGresult* answer) noexcept;

}  // namespace polypool::postgres
