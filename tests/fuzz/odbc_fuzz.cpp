// SPDX-License-Identifier: Apache-2.0
// What the ODBC driver reads and writes: text in two encodings, connection strings, SQL texts, diagnostics.
#include "base/utf8.hpp"
#include "drivers/odbc/connection_plan.hpp"
#include "drivers/odbc/diagnostics.hpp"
#include "drivers/odbc/statement_kind.hpp"
#include "drivers/odbc/unicode.hpp"

#include <polypool/error.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using namespace polypool;
using namespace polypool::odbc;

void require(bool holds) {
  if (!holds) std::abort();
}

// Both ways, and from any units, whole or in two pieces.
void check_unicode(std::string_view text) {
  wide_text units;
  const bool valid = append_utf16(units, text);
  require(valid == is_valid_utf8(text));
  if (valid) require(to_utf8(units) == text);
  require(is_valid_utf8(to_utf8(to_wide(text))));
  wide_text any(text.size() / sizeof(SQLWCHAR));
  if (!any.empty()) std::memcpy(any.data(), text.data(), any.size() * sizeof(SQLWCHAR));
  const std::string whole = to_utf8(any);
  require(is_valid_utf8(whole));
  std::string pieces;
  utf16_decoder decoder;
  const auto half = any.size() / 2;
  decoder.append(pieces, std::span(any).first(half));
  decoder.append(pieces, std::span(any).subspan(half));
  decoder.finish(pieces);
  require(pieces == whole);
}

// One value among others: it is read back as it is, whatever it has in it, or it is refused.
void check_connection_string(std::string_view value, driver_family family) {
  connection_string out(family);
  try {
    out.add("PWD", value);
  } catch (const error& problem) {
    require(problem.portable_code() == errc::invalid_configuration);
    return;
  }
  std::string_view text = out.text();
  require(text.starts_with("PWD=") && text.ends_with(';'));
  text = text.substr(4, text.size() - 5);
  if (!text.starts_with('{')) {
    require(text == value && text.find(';') == std::string_view::npos);
    return;
  }
  if (family == driver_family::freetds) {
    require(text.substr(1, text.size() - 2) == value && text.find("};") == std::string_view::npos);
    return;
  }
  std::string read;
  std::size_t at = 1;
  for (; at < text.size() && (text[at] != '}' || text.substr(at + 1, 1) == "}"); ++at) {
    read += text[at];
    if (text[at] == '}') ++at;
  }
  require(at + 1 == text.size() && read == value);
}

void check_statements(std::string_view text, const profile& with) {
  kind_of(text, with);
  is_one_batch(text, with);
  const char* last = text.data();
  for (const auto each : split_script(text, with)) {
    require(!each.empty() && each.data() >= last && each.data() + each.size() <= text.data() + text.size());
    last = each.data() + each.size();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  profile with;
  with.family = static_cast<driver_family>(data[0] % 5);
  with.database = static_cast<brand>(data[0] / 5 % 4);
  check_unicode(text);
  check_connection_string(text, with.family);
  check_statements(text, with);
  plain_words(text, with.family);
  return 0;
}
