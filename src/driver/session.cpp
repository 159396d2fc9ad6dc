// SPDX-License-Identifier: Apache-2.0
#include <polypool/driver.hpp>

namespace polypool {

std::string sql_session::savepoint_statement(savepoint_step step, std::string_view name) const {
  switch (step) {
    case savepoint_step::open:
      return "SAVEPOINT " + std::string(name);
    case savepoint_step::undo:
      return "ROLLBACK TO SAVEPOINT " + std::string(name);
    case savepoint_step::release:
      return "RELEASE SAVEPOINT " + std::string(name);
  }
  return {};
}

task<void> sql_session::begin(transaction_options options) {
  const std::string text = begin_statement(options);
  task<result> beginning = execute(statement(text));
  co_await std::move(beginning);
}

}  // namespace polypool
