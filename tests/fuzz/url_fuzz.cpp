// SPDX-License-Identifier: Apache-2.0
// Any text as a URL or key/value string. The first byte chooses the type that the reader is told.
#include <polypool/config.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view hidden = "hunter2";

bool has(std::string_view text) { return text.find(hidden) != std::string_view::npos; }

/// The password, and nothing else, has the marker: then what is redacted may not have it.
bool only_in_password(const polypool::config::connection& one) {
  const auto& where = one.where;
  const bool elsewhere =
      has(where.host) || has(where.user) || has(where.database) || has(where.schema) || has(where.filepath) ||
      std::ranges::any_of(where.options, [](const auto& option) { return has(option.first) || has(option.second); });
  return has(where.password.reveal()) && !elsewhere;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::optional<polypool::config::database_type> type;
  if (data[0] % 8 < 7) type = static_cast<polypool::config::database_type>(data[0] % 8);
  const std::string_view url(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto redacted = polypool::redact_url(url);
  try {
    const auto one = polypool::config::connection_from_url("fuzz", url, type);
    // The marker twice in the URL may stand once where it does no harm, such as in a repeated field.
    const bool once = url.find(hidden) == url.rfind(hidden);
    if (once && only_in_password(one) && has(redacted)) std::abort();
    if (type && one.type != *type) std::abort();
  } catch (const polypool::config::configuration_error& failed) {
    if (failed.problems().empty()) std::abort();
    if (has(failed.what()) && !has(redacted)) std::abort();
  }
  return 0;
}
