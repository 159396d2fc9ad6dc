// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/rows.hpp"

#include <charconv>
#include <string_view>
#include <utility>

namespace polypool::postgres {
namespace {

field make_field(data_type type, std::string_view text) noexcept {
  return type == data_type::bytes ? field::hex_bytes(text) : field::text(type, text);
}

}  // namespace

// The numbers are fixed in PostgreSQL's catalog (pg_type.dat).
data_type type_of(Oid oid) noexcept {
  switch (oid) {
    case 16:
      return data_type::boolean;
    case 20:  // int8
    case 21:  // int2
    case 23:  // int4
    case 26:  // oid
      return data_type::integer;
    case 700:  // float4
    case 701:  // float8
      return data_type::real;
    case 1700:
      return data_type::numeric;
    case 18:    // "char"
    case 19:    // name
    case 25:    // text
    case 1042:  // bpchar
    case 1043:  // varchar
    case 705:   // unknown: a literal without a type
      return data_type::text;
    case 17:
      return data_type::bytes;
    case 1082:
      return data_type::date;
    case 1083:
      return data_type::time;
    case 1114:
      return data_type::timestamp;
    case 1184:
      return data_type::timestamp_tz;
    case 1186:
      return data_type::interval;
    case 2950:
      return data_type::uuid;
    case 114:   // json
    case 3802:  // jsonb
      return data_type::json;
    // The arrays of the types above, and of other built-in ones.
    case 1000:
    case 1001:
    case 1002:
    case 1003:
    case 1005:
    case 1006:
    case 1007:
    case 1008:
    case 1009:
    case 1010:
    case 1011:
    case 1012:
    case 1013:
    case 1014:
    case 1015:
    case 1016:
    case 1017:
    case 1018:
    case 1019:
    case 1020:
    case 1021:
    case 1022:
    case 1027:
    case 1028:
    case 1034:
    case 1040:
    case 1041:
    case 1115:
    case 1182:
    case 1183:
    case 1185:
    case 1187:
    case 1231:
    case 1270:
    case 1561:
    case 1563:
    case 199:
    case 143:
    case 271:
    case 629:
    case 651:
    case 719:
    case 775:
    case 791:
    case 1263:
    case 2201:
    case 2207:
    case 2208:
    case 2209:
    case 2210:
    case 2211:
    case 2949:
    case 2951:
    case 3221:
    case 3643:
    case 3644:
    case 3645:
    case 3735:
    case 3770:
    case 3807:
    case 3905:
    case 3907:
    case 3909:
    case 3911:
    case 3913:
    case 3927:
    case 4073:
    case 4090:
    case 4097:
    case 4192:
    case 5039:
    case 6150:
    case 6151:
    case 6152:
    case 6153:
    case 6155:
    case 6157:
      return data_type::array;
    default:
      return data_type::other;
  }
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
