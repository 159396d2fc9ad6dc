// SPDX-License-Identifier: Apache-2.0
// A program in a terminal, and what it wrote there.
#pragma once

#include "support/process.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <poll.h>
#include <pty.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>  // login_tty
#include <vector>

namespace polypool::test {

class in_a_terminal {
 public:
  in_a_terminal(std::vector<std::string> words, unsigned short columns, unsigned short lines) {
    winsize size{lines, columns, 0, 0};
    std::vector<char*> argv;
    for (auto& each : words) argv.push_back(each.data());
    argv.push_back(nullptr);
    int slave = -1;
    if (::openpty(&master_, &slave, nullptr, nullptr, &size) != 0) throw std::runtime_error("no terminal");
    ::tcgetattr(slave, &before_);
    slave_ = slave;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(master_);
      ::login_tty(slave);
      ::setenv("TERM", "xterm", 1);
      ::unsetenv("NO_COLOR");
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  ~in_a_terminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(slave_);
    ::close(master_);
  }
  in_a_terminal(const in_a_terminal&) = delete;

  bool shows(std::string_view text) {
    return wait_until(
        [&] {
          read_some();
          return output_.find(text) != std::string::npos;
        },
        std::chrono::seconds(60));
  }
  void forget() { output_.clear(); }
  void type(std::string_view keys) { EXPECT_EQ(::write(master_, keys.data(), keys.size()), ssize_t(keys.size())); }
  void resize(unsigned short columns, unsigned short lines) {
    winsize size{lines, columns, 0, 0};
    ::ioctl(master_, TIOCSWINSZ, &size);
  }
  void send_signal(int signal) const { ::kill(pid_, signal); }
  // Its exit status; -1 when it does not end.
  int wait() {
    int status = 0;
    const bool ended = wait_until(
        [&] {
          read_some();
          return ::waitpid(pid_, &status, WNOHANG) == pid_;
        },
        std::chrono::seconds(60));
    if (!ended) return -1;
    pid_ = -1;
    read_some();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  // Whether echo and lines are as they were.
  bool is_as_before() const {
    termios now{};
    ::tcgetattr(slave_, &now);
    return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag;
  }
  const std::string& output() const { return output_; }

 private:
  void read_some() {
    pollfd entry{master_, POLLIN, 0};
    while (::poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0) {
      char bytes[4096];
      const auto got = ::read(master_, bytes, sizeof bytes);
      if (got <= 0) return;
      output_.append(bytes, static_cast<std::size_t>(got));
    }
  }
  int master_ = -1, slave_ = -1;
  pid_t pid_ = -1;
  termios before_{};
  std::string output_;
};

}  // namespace polypool::test
