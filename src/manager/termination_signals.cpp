// SPDX-License-Identifier: Apache-2.0
#include <polypool/manager.hpp>

#include <cerrno>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace polypool {

struct termination_signals::state {
  explicit state(std::function<void(int)> callback) : shut_down(std::move(callback)) {
    ::sigemptyset(&watched);
    ::sigaddset(&watched, SIGINT);
    ::sigaddset(&watched, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &watched, &before);
    signals = ::signalfd(-1, &watched, SFD_CLOEXEC);
    ending = ::eventfd(0, EFD_CLOEXEC);
    if (signals < 0 || ending < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
    watcher = std::jthread([this] { watch(); });
  }
  ~state() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(ending, &one, sizeof one);
    watcher.join();
    if (worker.joinable()) worker.join();
    ::close(signals);
    ::close(ending);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void watch() {
    for (;;) {
      pollfd waits[2] = {{signals, POLLIN, 0}, {ending, POLLIN, 0}};
      if (::poll(waits, 2, -1) < 0 && errno != EINTR) return;
      if (waits[1].revents != 0) return;
      signalfd_siginfo info{};
      if (waits[0].revents == 0 || ::read(signals, &info, sizeof info) != sizeof info) continue;
      const int number = static_cast<int>(info.ssi_signo);
      if (worker.joinable()) ::_exit(128 + number);  // asked twice: somebody is in a hurry
      worker = std::jthread([this, number] { shut_down(number); });
    }
  }

  std::function<void(int)> shut_down;
  sigset_t watched{};
  sigset_t before{};
  int signals = -1;
  int ending = -1;
  std::jthread worker;
  std::jthread watcher;
};

termination_signals::termination_signals(std::function<void(int signal)> shut_down)
    : state_(std::make_unique<state>(std::move(shut_down))) {}
termination_signals::~termination_signals() = default;

}  // namespace polypool
