// SPDX-License-Identifier: Apache-2.0
#include <polypool/driver.hpp>

namespace polypool {

task<void> sql_session::begin(transaction_options options) {
  const std::string text = begin_statement(options);
  task<result> beginning = execute(statement(text));
  co_await std::move(beginning);
}

}  // namespace polypool
