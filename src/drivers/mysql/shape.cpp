// SPDX-License-Identifier: Apache-2.0
// What the columns of a result are.
#include "drivers/mysql/rows.hpp"

namespace polypool::mysql {
namespace {

constexpr unsigned int binary_charset = 63;

// What MariaDB says of a column beyond its type: `json`, `uuid`, `inet6` …
std::string_view attribute(const MYSQL_FIELD& field, mariadb_field_attr_t which) {
  MARIADB_CONST_STRING text{};
  if (field.extension == nullptr || mariadb_field_attr(&text, &field, which) != 0) return {};
  return {text.str, text.length};
}

wire_column text_column(const MYSQL_FIELD& field) {
  if (field.type == MYSQL_TYPE_JSON || attribute(field, MARIADB_FIELD_ATTR_FORMAT_NAME) == "json") {
    return {field.type, wire_form::text, data_type::json, 0};
  }
  if (attribute(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME) == "uuid") {
    return {field.type, wire_form::text, data_type::uuid, 0};
  }
  if (field.type == MYSQL_TYPE_GEOMETRY) return {field.type, wire_form::raw, data_type::bytes, 0};
  const bool other = !attribute(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME).empty();  // inet4, inet6
  if (field.charsetnr == binary_charset && !other) return {field.type, wire_form::raw, data_type::bytes, 0};
  return {field.type, wire_form::text, other ? data_type::other : data_type::text, 0};
}

wire_column integer_column(const MYSQL_FIELD& field, std::uint8_t width) {
  const bool is_unsigned = (field.flags & UNSIGNED_FLAG) != 0;
  const bool wide = is_unsigned && width == 8;  // everything narrower fits a signed one
  return {field.type, is_unsigned ? wire_form::unsigned_integer : wire_form::integer,
          wide ? data_type::unsigned_integer : data_type::integer, width};
}

wire_column column_of(const MYSQL_FIELD& field, bool utc) {
  switch (field.type) {
    case MYSQL_TYPE_TINY:
      // BOOLEAN is written TINYINT(1).
      if (field.length == 1 && (field.flags & UNSIGNED_FLAG) == 0) {
        return {field.type, wire_form::flag, data_type::boolean, 1};
      }
      return integer_column(field, 1);
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
      return integer_column(field, 2);
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
      return integer_column(field, 4);
    case MYSQL_TYPE_LONGLONG:
      return integer_column(field, 8);
    case MYSQL_TYPE_FLOAT:
      return {field.type, wire_form::single, data_type::real, 4};
    case MYSQL_TYPE_DOUBLE:
      return {field.type, wire_form::real, data_type::real, 8};
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
      return {field.type, wire_form::text, data_type::numeric, 0};
    case MYSQL_TYPE_BIT:
      return {field.type, wire_form::bits, field.length == 1 ? data_type::boolean : data_type::unsigned_integer, 0};
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
      return {field.type, wire_form::date, data_type::date, 0};
    case MYSQL_TYPE_TIME:
      return {field.type, wire_form::time, data_type::time, 0};
    case MYSQL_TYPE_DATETIME:
      return {field.type, wire_form::moment, data_type::timestamp, 0};
    case MYSQL_TYPE_TIMESTAMP:
      return {field.type, wire_form::moment, utc ? data_type::timestamp_tz : data_type::timestamp, 0};
    case MYSQL_TYPE_NULL:
      return {field.type, wire_form::text, data_type::null, 0};
    default:
      return text_column(field);
  }
}

}  // namespace

result_shape::signature result_shape::of(const MYSQL_FIELD& field) noexcept {
  return {field.type, field.flags & UNSIGNED_FLAG, field.charsetnr, field.length == 1};
}

bool result_shape::fits(std::span<const MYSQL_FIELD> fields, const MYSQL_FIELD* named, bool utc) const noexcept {
  if (!columns_ || fields.size() != signatures_.size() || utc != utc_) return false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (of(fields[i]) != signatures_[i] || (*columns_)[i].name != std::string_view(named[i].name)) return false;
  }
  return true;
}

void result_shape::follow(std::span<const MYSQL_FIELD> fields, const MYSQL_FIELD* named, bool utc) {
  if (fits(fields, named, utc)) return;
  std::vector<column> columns;
  wire_.clear();
  signatures_.clear();
  utc_ = utc;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    wire_.push_back(column_of(fields[i], utc));
    signatures_.push_back(of(fields[i]));
    columns.push_back(column{named[i].name, wire_.back().means});
  }
  columns_ = std::make_shared<const column_list>(std::move(columns));
}

}  // namespace polypool::mysql
