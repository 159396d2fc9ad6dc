// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// What comes back: fields, rows, results.
#pragma once

#include <polypool/error.hpp>
#include <polypool/value.hpp>

#include <concepts>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace polypool {

/// A column of a result.
struct column {
  std::string name;
  data_type type = data_type::other;  ///< `null` where the database types values, not columns, and has not seen one
};

/// The columns of a result, shared by all its rows.
class column_list {
 public:
  column_list() = default;
  explicit column_list(std::vector<column> columns) noexcept : columns_(std::move(columns)) {}
  std::size_t size() const noexcept { return columns_.size(); }
  const column& operator[](std::size_t index) const noexcept { return columns_[index]; }
  auto begin() const noexcept { return columns_.begin(); }
  auto end() const noexcept { return columns_.end(); }
  /// The first column of that name (exact spelling). Throws column_not_found that lists the names there are.
  std::size_t index_of(std::string_view name) const;
  /// Throws column_not_found when there is no such column.
  void check(std::size_t index) const;

 private:
  std::vector<column> columns_;
};

/// One value of a result, seen where it lies: valid as long as its result (or, in a stream, until the next row).
class field {
 public:
  /// How the value lies in memory.
  enum class form : std::uint8_t { null, integer, unsigned_integer, real, text, raw_bytes, hex_bytes };

  field() noexcept = default;
  static field null(data_type type = data_type::null) noexcept { return field(type, form::null, {}); }
  static field integer(std::int64_t number, data_type type = data_type::integer) noexcept {
    field f(type, form::integer, {});
    f.integer_ = number;
    return f;
  }
  static field unsigned_integer(std::uint64_t number) noexcept {
    field f(data_type::unsigned_integer, form::unsigned_integer, {});
    f.integer_ = static_cast<std::int64_t>(number);
    return f;
  }
  static field real(double number) noexcept {
    field f(data_type::real, form::real, {});
    f.real_ = number;
    return f;
  }
  static field text(data_type type, std::string_view text) noexcept { return field(type, form::text, text); }
  static field raw_bytes(std::string_view data) noexcept { return field(data_type::bytes, form::raw_bytes, data); }
  /// Bytes as PostgreSQL writes them: `\x` and hexadecimal digits.
  static field hex_bytes(std::string_view text) noexcept { return field(data_type::bytes, form::hex_bytes, text); }

  data_type type() const noexcept { return type_; }
  bool is_null() const noexcept { return form_ == form::null; }
  form stored_as() const noexcept { return form_; }

  /// The value as a C++ type: bool, any integer, float, double, std::string, std::string_view, bytes, numeric, date,
  /// time_of_day, timestamp, timestamp_tz, uuid, json_text, or std::optional of one of these.
  /// Throws `null_value` for NULL without an optional, `type_mismatch` when the value is not of that type or does not
  /// fit.
  template <class T>
  T get() const {
    if constexpr (is_optional<T>::value) {
      if (is_null()) return std::nullopt;
      return T(get<typename T::value_type>());
    } else {
      T out{};
      read(out);
      return out;
    }
  }
  /// The value, or `fallback` when it is NULL.
  template <class T>
  T get_or(T fallback) const {
    return is_null() ? std::move(fallback) : get<T>();
  }
  /// The value as text for people and files; NULL gives "NULL", bytes give `\x…`.
  std::string to_display() const;

 private:
  template <class T>
  struct is_optional : std::false_type {};
  template <class T>
  struct is_optional<std::optional<T>> : std::true_type {};

  field(data_type type, form stored, std::string_view text) noexcept : text_(text), type_(type), form_(stored) {}

  void read(bool& out) const;
  void read(std::int64_t& out) const;
  void read(std::uint64_t& out) const;
  void read(double& out) const;
  void read(float& out) const;
  void read(std::string& out) const;
  void read(std::string_view& out) const;
  void read(bytes& out) const;
  void read(numeric& out) const;
  void read(date& out) const;
  void read(time_of_day& out) const;
  void read(timestamp& out) const;
  void read(timestamp_tz& out) const;
  void read(uuid& out) const;
  void read(json_text& out) const;
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  void read(T& out) const {
    if constexpr (std::is_signed_v<T>) {
      std::int64_t wide = 0;
      read(wide);
      if (!std::in_range<T>(wide)) fail("an integer of this size");
      out = static_cast<T>(wide);
    } else {
      std::uint64_t wide = 0;
      read(wide);
      if (!std::in_range<T>(wide)) fail("an integer of this size");
      out = static_cast<T>(wide);
    }
  }
  [[noreturn]] void fail(std::string_view wanted) const;

  std::string_view text_;
  union {
    std::int64_t integer_ = 0;
    double real_;
  };
  data_type type_ = data_type::null;
  form form_ = form::null;
};

/// Rows as a driver keeps them. Immutable once made.
class row_block {
 public:
  virtual ~row_block() = default;
  virtual std::size_t rows() const noexcept = 0;
  /// @param row less than rows() @param column less than the number of columns
  virtual field at(std::size_t row, std::size_t column) const noexcept = 0;
};

/// One row, seen where it lies: valid as long as its result (or, in a stream, until the next row).
class row {
 public:
  row(const row_block& block, const column_list& columns, std::size_t index) noexcept
      : block_(&block), columns_(&columns), index_(index) {}
  std::size_t size() const noexcept { return columns_->size(); }
  const column_list& columns() const noexcept { return *columns_; }
  /// Throws column_not_found.
  field operator[](std::size_t column) const {
    columns_->check(column);
    return block_->at(index_, column);
  }
  field operator[](std::string_view name) const { return block_->at(index_, columns_->index_of(name)); }
  /// The value of a column; errors name the column.
  template <class T>
  T get(std::size_t column) const {
    const field value = (*this)[column];
    try {
      return value.get<T>();
    } catch (const error& problem) {
      rethrow_for(problem, column);
    }
  }
  template <class T>
  T get(std::string_view name) const {
    return get<T>(columns_->index_of(name));
  }

 private:
  [[noreturn]] void rethrow_for(const error& problem, std::size_t column) const;
  const row_block* block_;
  const column_list* columns_;
  std::size_t index_;
};

/// The whole result of a statement. Owns its rows; independent of the session it came from. Cheap to move and to copy.
class result {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = row;
    using difference_type = std::ptrdiff_t;
    using reference = row;
    using pointer = void;
    iterator() noexcept = default;
    iterator(const result* owner, std::size_t index) noexcept : owner_(owner), index_(index) {}
    row operator*() const { return (*owner_)[index_]; }
    iterator& operator++() noexcept {
      ++index_;
      return *this;
    }
    iterator operator++(int) noexcept { return {owner_, index_++}; }
    bool operator==(const iterator& other) const noexcept { return index_ == other.index_; }

   private:
    const result* owner_ = nullptr;
    std::size_t index_ = 0;
  };

  result() = default;
  result(std::shared_ptr<const column_list> columns, std::shared_ptr<const row_block> block,
         std::uint64_t affected_rows = 0, std::int64_t last_insert_id = 0) noexcept
      : columns_(std::move(columns)),
        block_(std::move(block)),
        affected_rows_(affected_rows),
        last_insert_id_(last_insert_id) {}

  std::size_t size() const noexcept { return block_ ? block_->rows() : 0; }
  bool empty() const noexcept { return size() == 0; }
  const column_list& columns() const noexcept { return columns_ ? *columns_ : no_columns(); }
  /// Throws row_count when there is no such row.
  row operator[](std::size_t index) const;
  row front() const { return (*this)[0]; }
  iterator begin() const noexcept { return {this, 0}; }
  iterator end() const noexcept { return {this, size()}; }
  /// The rows as the driver keeps them; null when there are none.
  const std::shared_ptr<const row_block>& block() const noexcept { return block_; }
  /// Rows inserted, updated or deleted; for a SELECT the rows it gave.
  std::uint64_t affected_rows() const noexcept { return affected_rows_; }
  /// The id the database made for the last inserted row, where it has such a thing (SQLite, MySQL); else 0.
  std::int64_t last_insert_id() const noexcept { return last_insert_id_; }

 private:
  static const column_list& no_columns() noexcept;
  std::shared_ptr<const column_list> columns_;
  std::shared_ptr<const row_block> block_;
  std::uint64_t affected_rows_ = 0;
  std::int64_t last_insert_id_ = 0;
};

}  // namespace polypool
