// SPDX-License-Identifier: Apache-2.0
#include <polypool/asio.hpp>
#include <polypool/background.hpp>

#include <boost/asio/io_context.hpp>

#include <exception>
#include <mutex>
#include <optional>
#include <thread>

namespace polypool {
namespace {

task<void> guarded(task<void> work, log::logger log) {
  std::string problem;
  try {
    co_await std::move(work);
  } catch (const std::exception& e) {
    problem = e.what();
  } catch (...) {
    problem = "unknown exception";
  }
  if (!problem.empty()) log.error("async", "a background task failed", {{"error", problem}});
}

class nothing_to_do final : public detail::root_completion {
 public:
  void complete() override {}
};

class thread_background final : public background {
 public:
  thread_background(clock& time, log::logger log) : time_(time), log_(std::move(log)) {}
  ~thread_background() override {
    work_.reset();
    context_.stop();
    if (thread_.joinable()) thread_.join();
    // destroying the context drops the tasks that still wait
  }

  void spawn(task<void> work) override {
    {
      const std::scoped_lock lock(mutex_);
      if (!thread_.joinable()) {
        work_.emplace(context_.get_executor());
        thread_ = std::jthread([this] { context_.run(); });
      }
    }
    detail::start_root(context_.get_executor(), guarded(std::move(work), log_), std::make_unique<nothing_to_do>(), {},
                       time_);
  }
  clock& time() noexcept override { return time_; }

 private:
  clock& time_;
  log::logger log_;
  boost::asio::io_context context_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::mutex mutex_;
  std::jthread thread_;
};

}  // namespace

std::shared_ptr<background> make_thread_background(clock& time, log::logger log) {
  return std::make_shared<thread_background>(time, std::move(log));
}

}  // namespace polypool
