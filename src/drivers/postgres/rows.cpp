// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/rows.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace polypool::postgres {
namespace {

field make_field(data_type type, std::string_view text) noexcept {
  return type == data_type::bytes ? field::hex_bytes(text) : field::text(type, text);
}

// Numbers are fixed in PostgreSQL's catalog (pg_type.dat), and stand in their order.
struct type_row {
  Oid oid;
  data_type type;
};
constexpr std::array types{
    type_row{16, data_type::boolean},     type_row{17, data_type::bytes},
    type_row{18, data_type::text},                                           // "char"
    type_row{19, data_type::text},                                           // name
    type_row{20, data_type::integer},                                        // int8
    type_row{21, data_type::integer},                                        // int2
    type_row{23, data_type::integer},                                        // int4
    type_row{25, data_type::text},        type_row{26, data_type::integer},  // oid
    type_row{114, data_type::json},       type_row{700, data_type::real},    // float4
    type_row{701, data_type::real},                                          // float8
    type_row{705, data_type::text},                                          // unknown: a literal without a type
    type_row{1042, data_type::text},                                         // bpchar
    type_row{1043, data_type::text},                                         // varchar
    type_row{1082, data_type::date},      type_row{1083, data_type::time},
    type_row{1114, data_type::timestamp}, type_row{1184, data_type::timestamp_tz},
    type_row{1186, data_type::interval},  type_row{1700, data_type::numeric},
    type_row{2950, data_type::uuid},      type_row{3802, data_type::json},  // jsonb
};
static_assert(std::ranges::is_sorted(types, {}, &type_row::oid));

// Arrays of the types above, and of other built-in ones.
constexpr std::array<Oid, 77> arrays{143,  199,  271,  629,  651,  719,  775,  791,  1000, 1001, 1002, 1003, 1005,
                                     1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1017, 1018,
                                     1019, 1020, 1021, 1022, 1027, 1028, 1034, 1040, 1041, 1115, 1182, 1183, 1185,
                                     1187, 1231, 1263, 1270, 1561, 1563, 2201, 2207, 2208, 2209, 2210, 2211, 2949,
                                     2951, 3221, 3643, 3644, 3645, 3735, 3770, 3807, 3905, 3907, 3909, 3911, 3913,
                                     3927, 4073, 4090, 4097, 4192, 5039, 6150, 6151, 6152, 6153, 6155, 6157};
static_assert(std::ranges::is_sorted(arrays));

}  // namespace

data_type type_of(Oid oid) noexcept {
  const auto found = std::ranges::lower_bound(types, oid, {}, &type_row::oid);
  if (found != types.end() && found->oid == oid) return found->type;
  return std::ranges::binary_search(arrays, oid) ? data_type::array : data_type::other;
}

bool result_shape::fits(const PGresult* answer) const noexcept {
  const auto count = static_cast<std::size_t>(PQnfields(answer));
  if (!columns_ || columns_->size() != count) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const int index = static_cast<int>(i);
    if (types_[i] != PQftype(answer, index) || (*columns_)[i].name != PQfname(answer, index)) return false;
  }
  return true;
}

const std::shared_ptr<const column_list>& result_shape::columns_of(const PGresult* answer) {
  if (fits(answer)) return columns_;
  std::vector<column> columns;
  std::vector<Oid> types;
  for (int i = 0; i < PQnfields(answer); ++i) {
    types.push_back(PQftype(answer, i));
    columns.push_back(column{PQfname(answer, i), type_of(types.back())});
  }
  columns_ = std::make_shared<const column_list>(std::move(columns));
  types_ = std::move(types);
  return columns_;
}

field native_rows::at(std::size_t row, std::size_t column) const noexcept {
  const int r = static_cast<int>(row);
  const int c = static_cast<int>(column);
  const auto type = (*columns_)[column].type;
  if (PQgetisnull(answer_.get(), r, c)) return field::null(type);
  return make_field(type,
                    {PQgetvalue(answer_.get(), r, c), static_cast<std::size_t>(PQgetlength(answer_.get(), r, c))});
}

void packed_rows::append(const PGresult* answer) {
  for (int c = 0; c < PQnfields(answer); ++c) {
    const auto begin = static_cast<std::uint32_t>(data_.size());
    if (PQgetisnull(answer, 0, c)) {
      values_.push_back({begin, -1});
    } else {
      values_.push_back({begin, PQgetlength(answer, 0, c)});
      data_.append(PQgetvalue(answer, 0, c), static_cast<std::size_t>(PQgetlength(answer, 0, c)));
    }
  }
  ++rows_;
}

field packed_rows::at(std::size_t row, std::size_t column) const noexcept {
  const auto type = (*columns_)[column].type;
  const place& where = values_[row * columns_->size() + column];
  if (where.length < 0) return field::null(type);
  return make_field(type, std::string_view(data_).substr(where.begin, static_cast<std::size_t>(where.length)));
}

std::size_t first_row_size(const PGresult* answer) noexcept {
  std::size_t out = 0;
  for (int c = 0; c < PQnfields(answer); ++c) out += static_cast<std::size_t>(PQgetlength(answer, 0, c));
  return out;
}

std::uint64_t affected_rows(PGresult* answer) noexcept {
  const std::string_view text = PQcmdTuples(answer);
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

}  // namespace polypool::postgres
