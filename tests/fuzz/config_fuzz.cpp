// SPDX-License-Identifier: Apache-2.0
// Any text as a YAML configuration: it loads and is valid, or every problem is told; a secret never shows.
#include <polypool/config.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view hidden = "Tr0ub4dor&3";

std::optional<std::string> variable(const std::string& name) {
  if (name == "DB_PASSWORD") return std::string(hidden);
  if (name == "PORT") return "5432";
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  polypool::config::load_options options;
  options.variables = variable;
  options.environment = "production";
  try {
    const auto all = polypool::config::parse(text, "fuzz.yaml", options);
    if (!polypool::config::validate(all).empty()) std::abort();
  } catch (const polypool::config::configuration_error& failed) {
    if (failed.problems().empty()) std::abort();
    const std::string_view what = failed.what();
    if (text.find(hidden) == std::string_view::npos && what.find(hidden) != std::string_view::npos) std::abort();
  }
  return 0;
}
