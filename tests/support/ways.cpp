// SPDX-License-Identifier: Apache-2.0
#include "support/ways.hpp"

#include <polypool/asio.hpp>

#include <boost/asio/io_context.hpp>

#include <exception>

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

std::string name_of(const ::testing::TestParamInfo<way>& info) {
  return info.param == way::blocking ? "blocking" : "event_loop";
}

}  // namespace polypool::test
