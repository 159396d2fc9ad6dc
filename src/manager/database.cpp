// SPDX-License-Identifier: Apache-2.0
#include "manager/call_target.hpp"

#include <polypool/database.hpp>
#include <polypool/manager.hpp>

#include <algorithm>

namespace polypool {

table_query mapped_access::row_by(std::string table, const std::string& key, column_values& changes) {
  const auto found = std::ranges::find(changes, key, [](const auto& each) { return std::string_view(each.first); });
  if (found == changes.end()) {
    throw error(errc::invalid_argument, "the structure has no member '" + key + "' to find its row by")
        .at(on_.name(), "update");
  }
  value wanted = std::move(found->second);
  changes.erase(found);
  auto query = on_.from(std::move(table));
  query.where(key, std::move(wanted));
  return query;
}

database manager::database(std::string_view name) const {
  core_->require_open("database");
  const auto state = detail::require_of_kind(*core_, name, database_kind::sql, "database");
  return {sql(name), state->access_style()};
}
database manager::database() const {
  core_->require_open("database");
  const auto state = core_->require_active(detail::name_space::databases);
  if (state->kind() != database_kind::sql) detail::throw_wrong_kind(*state, database_kind::sql, "database");
  return {sql(), state->access_style()};
}

}  // namespace polypool
