// SPDX-License-Identifier: Apache-2.0
// Any text as a duration: what is read is written and read again unchanged.
#include <polypool/duration.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto value = polypool::parse_duration(text)) {
    if (value->count() < 0) std::abort();
    if (polypool::parse_duration(polypool::format_duration(*value)) != value) std::abort();
    if (polypool::format_duration_short(*value).empty()) std::abort();
  }
  return 0;
}
