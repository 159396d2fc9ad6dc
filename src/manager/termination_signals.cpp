// SPDX-License-Identifier: Apache-2.0
#include "manager/signal_watch.hpp"

#include <polypool/signals.hpp>

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

struct detail::signal_watch::state {
  state(std::initializer_list<int> signals, std::function<void(int)> callback) : told(std::move(callback)) {
    ::sigemptyset(&watched);
    for (const int each : signals) ::sigaddset(&watched, each);
    arriving = ::signalfd(-1, &watched, SFD_CLOEXEC);
    ending = ::eventfd(0, EFD_CLOEXEC);
    if (arriving < 0 || ending < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
    // The watcher itself takes no signal the usual way, also none that somebody else watches for.
    sigset_t all{};
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    watcher = std::jthread([this] { watch(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  }
  ~state() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(ending, &one, sizeof one);
    watcher.join();
    ::close(arriving);
    ::close(ending);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void watch() {
    for (;;) {
      pollfd waits[2] = {{arriving, POLLIN, 0}, {ending, POLLIN, 0}};
      if (::poll(waits, 2, -1) < 0 && errno != EINTR) return;
      if (waits[1].revents != 0) return;
      signalfd_siginfo info{};
      if (waits[0].revents == 0 || ::read(arriving, &info, sizeof info) != sizeof info) continue;
      told(static_cast<int>(info.ssi_signo));
    }
  }

  std::function<void(int)> told;
  sigset_t watched{};
  sigset_t before{};
  int arriving = -1;
  int ending = -1;
  std::jthread watcher;
};

detail::signal_watch::signal_watch(std::initializer_list<int> signals, std::function<void(int)> told)
    : state_(std::make_unique<state>(signals, std::move(told))) {}
detail::signal_watch::~signal_watch() = default;

struct termination_signals::state {
  explicit state(std::function<void(int)> callback)
      : shut_down(std::move(callback)), signals({SIGINT, SIGTERM}, [this](int number) { came(number); }) {}
  // On the watcher's thread, which goes on watching for a second one.
  void came(int number) {
    if (worker.joinable()) ::_exit(128 + number);  // asked twice: somebody is in a hurry
    worker = std::jthread([this, number] { shut_down(number); });
  }

  std::function<void(int)> shut_down;
  std::jthread worker;
  detail::signal_watch signals;  // ends before the others
};

termination_signals::termination_signals(std::function<void(int signal)> shut_down)
    : state_(std::make_unique<state>(std::move(shut_down))) {}
termination_signals::~termination_signals() = default;

hangup_signal::hangup_signal(std::function<void()> told)
    : watch_(std::make_unique<detail::signal_watch>(std::initializer_list<int>{SIGHUP},
                                                    [told = std::move(told)](int) { told(); })) {}
hangup_signal::~hangup_signal() = default;

}  // namespace polypool
