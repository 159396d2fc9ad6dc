// SPDX-License-Identifier: Apache-2.0
#include "manager/sql_call.hpp"

#include <polypool/table_query.hpp>

namespace polypool {

table_query sql_operations::from(std::string table, std::string alias, std::source_location where) {
  return table_query(shared(), std::move(table), std::move(alias), where);
}

query_parts table_query::only(std::string column) const {
  query_parts narrowed = parts();
  narrowed.columns.clear();
  narrowed.columns.push_back(std::move(column));
  return narrowed;
}

query_parts table_query::one(query_parts from) {
  if (from.limit != std::uint64_t{0}) from.limit = 1;
  return from;
}

std::vector<column_values> table_query::single(column_values row) {
  std::vector<column_values> rows;
  rows.push_back(std::move(row));
  return rows;
}

table_query::maker table_query::counting() const {
  return [parts = parts()](dialect language) { return build_count(parts, language); };
}
table_query::maker table_query::asking() const {
  return [parts = parts()](dialect language) { return build_exists(parts, language); };
}
table_query::maker table_query::inserting(std::vector<column_values> rows, std::vector<std::string> returning) const {
  return [parts = parts(), rows = std::move(rows), returning = std::move(returning)](dialect language) {
    return build_insert(parts, rows, returning, language);
  };
}
table_query::maker table_query::updating(column_values changes) const {
  return [parts = parts(), changes = std::move(changes)](dialect language) {
    return build_update(parts, changes, language);
  };
}
table_query::maker table_query::removing() const {
  return [parts = parts()](dialect language) { return build_delete(parts, language); };
}

result table_query::now(maker make) { return run(later(std::move(make)), detail::blocking_environment(on_->time())); }
result table_query::now(query_parts selected) {
  return run(later(std::move(selected)), detail::blocking_environment(on_->time()));
}
task<result> table_query::later(query_parts selected) {
  return later(maker([parts = std::move(selected)](dialect language) { return build_select(parts, language); }));
}

task<std::uint64_t> table_query::number(task<result> work) {
  const result rows = co_await std::move(work);
  co_return rows.front().get<std::uint64_t>(0);
}
task<bool> table_query::any(task<result> work) {
  const result rows = co_await std::move(work);
  co_return !rows.empty();
}

}  // namespace polypool
