// SPDX-License-Identifier: Apache-2.0
#include <polypool/error.hpp>
#include <polypool/mapping.hpp>

namespace polypool::detail {

void throw_missing_columns(const column_list& columns, const std::vector<std::string_view>& missing) {
  const auto listed = [](const auto& names) {
    std::string text;
    for (const auto& each : names) text += (text.empty() ? "'" : ", '") + std::string(each) + "'";
    return text;
  };
  std::vector<std::string_view> there;
  for (const auto& each : columns) there.push_back(each.name);
  throw error(errc::column_not_found, "the result has no column for the " +
                                          std::string(missing.size() == 1 ? "member " : "members ") + listed(missing))
      .with_hint(there.empty() ? "the statement gave no columns" : "its columns are " + listed(there));
}

}  // namespace polypool::detail
