// SPDX-License-Identifier: Apache-2.0
// Any text as a JSON configuration and as the variable DATABASES.
#include <polypool/config.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  polypool::config::load_options options;
  options.variables = [](const std::string&) { return std::optional<std::string>(); };
  try {
    const auto all = polypool::config::parse(text, "fuzz.json", options);
    if (!polypool::config::validate(all).empty()) std::abort();
  } catch (const polypool::config::configuration_error& failed) {
    if (failed.problems().empty()) std::abort();
  }
  try {
    const auto made = polypool::config::connections_from_databases_variable(
        [&](const std::string& name) { return name == "DATABASES" ? std::optional(text) : std::nullopt; });
    if (!made && !text.empty()) std::abort();
  } catch (const polypool::config::configuration_error& failed) {
    if (failed.problems().empty()) std::abort();
  }
  return 0;
}
