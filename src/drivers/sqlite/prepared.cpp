// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/prepared.hpp"

#include "base/utf8.hpp"
#include "drivers/sqlite/errors.hpp"

#include <polypool/error.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace polypool::sqlite {
namespace {

constexpr std::string_view only_numbers = "write the placeholders as $1, $2 … (or as ?)";

// The number in `$12`. Everything else has a name, and values come without names.
std::uint32_t number_of(std::string_view name) {
  std::uint32_t number = 0;
  const char* end = name.data() + name.size();
  const auto [stop, problem] = std::from_chars(name.data() + 1, end, number);
  if (name.front() == '$' && problem == std::errc() && stop == end && name[1] != '0') return number;
  error refusal(errc::invalid_argument, "the placeholder '" + excerpt(name) + "' is not a number");
  refusal.with_hint(name.contains("::") ? "SQLite has no :: casts; write CAST($1 AS type)" : only_numbers);
  throw refusal;
}

}  // namespace

prepared::prepared(sqlite3* db, std::string_view text, bool lasting, effects_recorder& recorder, std::string_view& tail)
    : db_(db), text_(text) {
  const char* rest = nullptr;
  recorder.record_into(&does_);
  const auto size = static_cast<int>(std::min<std::size_t>(text_.size() + 1, std::numeric_limits<int>::max()));
  const int code =
      sqlite3_prepare_v3(db, text_.c_str(), size, lasting ? SQLITE_PREPARE_PERSISTENT : 0U, &statement_, &rest);
  recorder.record_into(nullptr);
  if (code != SQLITE_OK) throw last_error(db, code);
  tail = text.substr(static_cast<std::size_t>(rest - text_.c_str()));
  if (!statement_) return;  // nothing but blanks and comments
  try {
    read_parameters();
    read_columns();
  } catch (...) {
    sqlite3_finalize(statement_);
    throw;
  }
}

prepared::~prepared() { sqlite3_finalize(statement_); }

void prepared::read_parameters() {
  const int count = sqlite3_bind_parameter_count(statement_);
  bool numbered = false;  // $1
  bool plain = false;     // ? and ?1, where SQLite's number is the parameter's
  std::vector<std::uint32_t> numbers;
  for (int i = 1; i <= count; ++i) {
    const char* name = sqlite3_bind_parameter_name(statement_, i);
    if (!name || *name == '?') {
      plain = true;
      continue;
    }
    numbered = true;
    const auto number = number_of(name);
    numbers.push_back(number - 1);
    expected_ = std::max<std::size_t>(expected_, number);
  }
  if (numbered && plain) {
    error problem(errc::invalid_argument, "the statement mixes placeholders with $ and with ?");
    problem.with_hint(only_numbers);
    throw problem;
  }
  if (plain) expected_ = static_cast<std::size_t>(count);
  const auto same = [&] {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] != i) return false;
    }
    return true;
  };
  if (numbered && !same()) numbers_ = std::move(numbers);
}

void prepared::read_columns() {
  times_prepared_ = sqlite3_stmt_status(statement_, SQLITE_STMTSTATUS_REPREPARE, 0);
  const int count = sqlite3_column_count(statement_);
  std::vector<column> list;
  kinds_.clear();
  for (int i = 0; i < count; ++i) {
    const char* name = sqlite3_column_name(statement_, i);
    const char* declaration = sqlite3_column_decltype(statement_, i);
    const auto type = declaration ? declared_type(declaration) : data_type::null;
    list.push_back({name ? name : "", type});
    column_kind kind;
    switch (type) {
      case data_type::numeric:
      case data_type::date:
      case data_type::time:
      case data_type::timestamp:
      case data_type::timestamp_tz:
      case data_type::interval:
      case data_type::uuid:
      case data_type::json:
        kind.text = type;
        break;
      case data_type::boolean:
        kind.integer = type;
        break;
      default:
        break;
    }
    kinds_.push_back(kind);
  }
  columns_ = std::make_shared<const column_list>(std::move(list));
}

const std::shared_ptr<const column_list>& prepared::columns() {
  if (sqlite3_stmt_status(statement_, SQLITE_STMTSTATUS_REPREPARE, 0) != times_prepared_) read_columns();
  return columns_;
}

void prepared::bind(std::span<const value> parameters, binding how) {
  if (parameters.size() != expected_) {
    throw error(errc::parameter_count, "the statement takes " + std::to_string(expected_) +
                                           (expected_ == 1 ? " parameter" : " parameters") + ", but " +
                                           std::to_string(parameters.size()) +
                                           (parameters.size() == 1 ? " was given" : " were given"));
  }
  const std::size_t count = numbers_.empty() ? expected_ : numbers_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t number = numbers_.empty() ? i : numbers_[i];
    const int code = bind_one(static_cast<int>(i) + 1, number, parameters[number], how);
    if (code != SQLITE_OK) throw last_error(db_, code);
  }
}

void prepared::release() noexcept {
  sqlite3_reset(statement_);
  if (!holds_borrowed_) return;
  sqlite3_clear_bindings(statement_);
  holds_borrowed_ = false;
}

namespace {

// Binds one value to one of SQLite's variables; gives SQLite's code.
struct binder {
  sqlite3_stmt* statement;
  int index;
  std::size_t number;  // of the parameter, for messages
  binding how;
  bool& holds_borrowed;

  [[noreturn]] void refuse(std::string_view why) const {
    throw error(errc::invalid_value, "parameter " + std::to_string(number + 1) + " " + std::string(why));
  }
  sqlite3_destructor_type lifetime() const noexcept {
    return how == binding::borrowed ? SQLITE_STATIC : SQLITE_TRANSIENT;
  }
  int text(std::string_view content) const {
    if (!is_valid_utf8(content)) refuse("is text that is not valid UTF-8; send it as polypool::bytes");
    if (content.empty()) return sqlite3_bind_text64(statement, index, "", 0, SQLITE_STATIC, SQLITE_UTF8);
    holds_borrowed = true;
    return sqlite3_bind_text64(statement, index, content.data(), content.size(), lifetime(), SQLITE_UTF8);
  }
  int raw(std::span<const std::byte> data) const {
    if (data.empty()) return sqlite3_bind_zeroblob(statement, index, 0);
    holds_borrowed = true;
    return sqlite3_bind_blob64(statement, index, data.data(), data.size(), lifetime());
  }
  int made(const std::string& content) const {  // text that is gone after this
    return sqlite3_bind_text64(statement, index, content.data(), content.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }

  int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
  int operator()(bool content) const { return sqlite3_bind_int(statement, index, content ? 1 : 0); }
  int operator()(std::int64_t content) const { return sqlite3_bind_int64(statement, index, content); }
  int operator()(std::uint64_t content) const {
    if (!std::in_range<std::int64_t>(content)) refuse("is over 9223372036854775807, SQLite's largest integer");
    return sqlite3_bind_int64(statement, index, static_cast<std::int64_t>(content));
  }
  int operator()(double content) const {
    if (std::isnan(content)) refuse("is NaN, which SQLite would keep as NULL");
    return sqlite3_bind_double(statement, index, content);
  }
  int operator()(const std::string& content) const { return text(content); }
  int operator()(const text_view& content) const { return text(content.text); }
  int operator()(const numeric& content) const { return text(content.text); }
  int operator()(const json_text& content) const { return text(content.text); }
  int operator()(const bytes& content) const { return raw(content); }
  int operator()(const bytes_view& content) const { return raw(content.data); }
  int operator()(const uuid& content) const { return made(content.to_string()); }
  int operator()(const auto& content) const { return made(to_text(content)); }  // dates and times
};

}  // namespace

int prepared::bind_one(int index, std::size_t number, const value& parameter, binding how) {
  return std::visit(binder{statement_, index, number, how, holds_borrowed_}, parameter.data());
}

}  // namespace polypool::sqlite
