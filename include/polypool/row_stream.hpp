// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Rows that come as they are asked for.
#pragma once

#include <polypool/result.hpp>
#include <polypool/task.hpp>

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>

namespace polypool {

namespace detail {
struct stream_state;
}

/// The rows of a statement, fetched as they are asked for, in constant memory. Holds a session until it is read to the
/// end or destroyed. Movable; one thread or task at a time.
class row_stream {
 public:
  row_stream(row_stream&&) noexcept;
  row_stream& operator=(row_stream&&) noexcept;
  ~row_stream();

  const column_list& columns() const noexcept;
  /// The next row, valid until the next call; nothing at the end.
  std::optional<row> next();
  task<std::optional<row>> async_next();
  /// Ends the statement early and gives the session back.
  void close();
  task<void> async_close();
  /// Rows inserted, updated or deleted; known once next() gave nothing.
  std::uint64_t affected_rows() const noexcept;

  /// For `for (auto row : db.stream(...))`.
  class iterator {
   public:
    explicit iterator(row_stream* stream) : stream_(stream) { ++*this; }
    row operator*() const { return *current_; }
    iterator& operator++() {
      current_ = stream_->next();
      return *this;
    }
    bool operator==(std::default_sentinel_t) const noexcept { return !current_; }

   private:
    row_stream* stream_;
    std::optional<row> current_;
  };
  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend class sql_database;
  friend class transaction;
  explicit row_stream(std::unique_ptr<detail::stream_state> state) noexcept;
  static task<row_stream> made_by(task<std::unique_ptr<detail::stream_state>> work);
  std::unique_ptr<detail::stream_state> state_;
};

}  // namespace polypool
