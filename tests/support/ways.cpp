// SPDX-License-Identifier: Apache-2.0
#include "support/ways.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/io_context.hpp>

#include <stdexcept>

namespace polypool::test {

struct task_loop::state {
  boost::asio::io_context context;
};

task_loop::task_loop() : state_(std::make_unique<state>()) {}
task_loop::~task_loop() = default;

void task_loop::run(task<void> work) {
  std::exception_ptr failure;
  spawn(state_->context.get_executor(), std::move(work), [&failure](std::exception_ptr problem) { failure = problem; });
  state_->context.restart();
  state_->context.run();
  if (failure) std::rethrow_exception(failure);
}

std::string_view to_string(way how) noexcept { return how == way::blocking ? "blocking" : "event_loop"; }

std::unique_ptr<sql_session> connect(runner& go, driver& with, const endpoint& where) {
  auto made = go(with.connect(where));
  auto* sql = dynamic_cast<sql_session*>(made.get());
  if (sql == nullptr) throw std::logic_error("not a session that speaks SQL");
  made.release();
  return std::unique_ptr<sql_session>(sql);
}

}  // namespace polypool::test
