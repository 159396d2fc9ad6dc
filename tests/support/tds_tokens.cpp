// SPDX-License-Identifier: Apache-2.0
// What a session of the test server answers with.
#include "support/tds_session.hpp"

#include <algorithm>

namespace polypool::test {
namespace {

constexpr std::uint16_t more = 0x01;
constexpr std::uint16_t has_count = 0x10;

}  // namespace

void tds_session::columns(const std::vector<tds_column>& all) {
  columns_ = all;
  tds_writer out;
  out.byte(0x81);
  out.number(all.size(), 2);
  for (const auto& each : all) {
    out.number(0, 4);
    out.number(0x09, 2);  // nullable, may be updated
    write_type(out, each.type);
    out.short_text(each.name.substr(0, 120));
  }
  flush(out);
}

void tds_session::row(const std::vector<tds_value>& values) {
  const auto is_null = [](const tds_value& value) { return std::holds_alternative<std::monostate>(value); };
  const bool nulls = std::ranges::any_of(values, is_null);
  tds_writer out;
  out.byte(nulls ? 0xD2 : 0xD1);
  if (nulls) {
    std::string map((values.size() + 7) / 8, '\0');
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (is_null(values[i])) map[i / 8] = static_cast<char>(map[i / 8] | 1 << (i % 8));
    }
    out.bytes(map);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!is_null(values[i])) write_value(out, columns_[i].type, values[i]);
  }
  flush(out);
}

void tds_session::done(std::uint64_t rows, bool counted) {
  send_done(in_rpc_ ? 0xFF : 0xFD, static_cast<std::uint16_t>(more | (counted ? has_count : 0)), rows);
}

void tds_session::failed(const tds_error& problem) {
  send_error(problem);
  send_done(in_rpc_ ? 0xFF : 0xFD, more | 0x02, 0);
}

void tds_session::send_error(const tds_error& problem) {
  tds_writer body;
  body.number(static_cast<std::uint32_t>(problem.number), 4);
  body.byte(1);
  body.byte(static_cast<std::uint8_t>(problem.severity));
  body.long_text(problem.what());
  body.short_text("test");
  body.short_text("");
  body.number(1, 4);
  const std::string data = body.take();
  tds_writer out;
  out.byte(0xAA);
  out.number(data.size(), 2);
  out.bytes(data);
  flush(out);
}

void tds_session::send_change(std::uint8_t kind, std::string_view fresh, std::string_view old) {
  tds_writer body;
  body.byte(kind);
  body.short_text(fresh);
  body.short_text(old);
  const std::string data = body.take();
  tds_writer out;
  out.byte(0xE3);
  out.number(data.size(), 2);
  out.bytes(data);
  flush(out);
}

void tds_session::send_transaction_change(std::uint8_t kind, std::uint64_t fresh, std::uint64_t old) {
  tds_writer body;
  body.byte(kind);
  for (const std::uint64_t each : {fresh, old}) {
    body.byte(each == 0 ? 0 : 8);
    if (each != 0) body.number(each, 8);
  }
  const std::string data = body.take();
  tds_writer out;
  out.byte(0xE3);
  out.number(data.size(), 2);
  out.bytes(data);
  flush(out);
}

void tds_session::transaction_began(std::uint64_t descriptor) { send_transaction_change(8, descriptor, 0); }
void tds_session::transaction_ended(std::uint64_t descriptor, bool committed) {
  send_transaction_change(committed ? 9 : 10, 0, descriptor);
}

void tds_session::send_done(std::uint8_t token, std::uint16_t status, std::uint64_t rows) {
  tds_writer out;
  out.byte(token);
  out.number(status, 2);
  out.number(0, 2);
  out.number(rows, 8);
  flush(out);
}

// The handle of what was prepared, as the value of the call's first parameter.
void tds_session::send_handle(std::int32_t handle) {
  tds_writer out;
  out.byte(0xAC);
  out.number(0, 2);
  out.short_text("");
  out.byte(1);
  out.number(0, 4);
  out.number(0, 2);
  const tds_type type{tds_type::kind::integer, 4};
  write_type(out, type);
  write_value(out, type, std::int64_t{handle});
  flush(out);
}

}  // namespace polypool::test
