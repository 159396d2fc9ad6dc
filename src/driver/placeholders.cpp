// SPDX-License-Identifier: Apache-2.0
#include "driver/placeholders.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <charconv>

namespace polypool {
namespace {

[[noreturn]] void refuse(std::string cause) {
  error problem(errc::invalid_argument, cause);
  problem.with_hint("write the placeholders as $1, $2 …");
  throw problem;
}

// The number in `$12`, from 0.
std::uint16_t index_of(std::string_view placeholder) {
  std::uint32_t number = 0;
  const auto digits = placeholder.substr(1);
  const auto [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (problem != std::errc() || number > highest_placeholder) {
    refuse("the placeholder '" + std::string(placeholder.substr(0, 24)) + "' is over $" +
           std::to_string(highest_placeholder) + ", the highest");
  }
  if (digits.front() == '0') refuse("the placeholder '" + std::string(placeholder) + "' is no number from 1 on");
  return static_cast<std::uint16_t>(number - 1);
}

std::string counted(std::size_t count) { return std::to_string(count) + (count == 1 ? " parameter" : " parameters"); }

}  // namespace

rewritten_statement rewrite_placeholders(std::string_view text, const sql_dialect& dialect) {
  rewritten_statement out;
  out.text.reserve(text.size());
  std::size_t copied = 0;
  std::size_t marks = 0;
  sql_scanner scanner(text, dialect);
  for (auto token = scanner.next(); token.kind != sql_token::token_kind::end; token = scanner.next()) {
    if (token.is('?') && !dialect.question_mark_operator) ++marks;
    if (token.kind != sql_token::token_kind::placeholder) continue;
    out.values.push_back(index_of(token.text));
    out.expected = std::max<std::size_t>(out.expected, out.values.back() + 1U);
    const auto begin = static_cast<std::size_t>(token.text.data() - text.data());
    out.text.append(text, copied, begin - copied);
    out.text.push_back('?');
    copied = begin + token.text.size();
  }
  out.text.append(text, copied);
  if (marks == 0) return out;
  if (!out.values.empty()) refuse("the statement mixes placeholders with $ and with ?");
  if (marks > highest_placeholder)
    refuse("the statement has over " + std::to_string(highest_placeholder) + " placeholders");
  out.expected = marks;
  for (std::size_t i = 0; i < marks; ++i) out.values.push_back(static_cast<std::uint16_t>(i));
  return out;
}

void check_parameter_count(std::size_t expected, std::size_t given) {
  if (expected == given) return;
  throw error(errc::parameter_count, "the statement takes " + counted(expected) + ", but " + std::to_string(given) +
                                         (given == 1 ? " was given" : " were given"));
}

}  // namespace polypool
