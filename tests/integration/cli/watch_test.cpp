// SPDX-License-Identifier: Apache-2.0
// events, switch, breaker and top against a daemon; top in a terminal of its own.
#include "fixture.hpp"
#include "support/process.hpp"

#include <boost/json.hpp>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <pty.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>  // login_tty

namespace polypool::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A program in a terminal, and what it wrote there.
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

class watch_test : public daemon_cli_test {
 protected:
  std::vector<std::string> top(std::vector<std::string> more = {}) const {
    auto out = words({"top", "--url", url_, "--interval", "100ms"});
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};

TEST_F(watch_test, events_recent_and_followed) {
  start();
  const auto recent = output({"events", "--url", url_});
  EXPECT_THAT(recent, AllOf(HasSubstr("TIME"), HasSubstr("health-change"), HasSubstr("unknown → healthy")));
  EXPECT_THAT(output({"events", "--url", url_, "--connection", "books"}), Not(HasSubstr("other")));
  const auto list = boost::json::parse(output({"events", "--url", url_, "-f", "json", "--limit", "1"}));
  EXPECT_EQ(list.as_array().size(), 1U);
  EXPECT_NE(polypool({"events", "--url", url_, "--kind", "nonsense"}).status, 0);

  child_process follower(words({"events", "--follow", "--url", url_, "--kind", "circuit-open"}), options());
  // It listens once the daemon has taken it: until then the event is made again.
  EXPECT_TRUE(wait_until(
      [&] {
        output({"breaker", "books", "open", "--url", url_});
        output({"breaker", "books", "release", "--url", url_});
        return follower.wait_for("circuit-open  books  closed → open", std::chrono::seconds(1));
      },
      std::chrono::seconds(60)));
  follower.send_signal(SIGTERM);
}

TEST_F(watch_test, events_without_a_daemon_fail) {
  const auto done = polypool({"events", "--follow", "--url", "http://127.0.0.1:1"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("cannot reach the daemon"));
}

TEST_F(watch_test, switch_and_breaker) {
  start();
  EXPECT_EQ(output({"switch", "other", "--url", url_}), "Switched to database connection 'other'\n");
  EXPECT_THAT(output({"list", "--url", url_}), HasSubstr("other  sqlite  other.db  connected  healthy  active"));
  const auto unknown = polypool({"switch", "nobody", "--url", url_});
  EXPECT_EQ(unknown.status, 3);
  EXPECT_THAT(unknown.err, HasSubstr("Database connection 'nobody' not found"));
  EXPECT_THAT(output({"breaker", "--url", url_}), AllOf(HasSubstr("books"), HasSubstr("closed")));
  EXPECT_THAT(output({"breaker", "books", "open", "--url", url_}), HasSubstr("Holding open"));
  EXPECT_THAT(output({"breaker", "books", "--url", url_}), HasSubstr("open (forced)"));
  EXPECT_EQ(polypool({"breaker", "books", "kick", "--url", url_}).status, 2);
  EXPECT_EQ(polypool({"breaker", "nobody", "--url", url_}).status, 3);
}

TEST_F(watch_test, top_once) {
  start();
  const auto picture = output({"top", "--once", "--url", url_});
  EXPECT_THAT(picture, AllOf(HasSubstr("2 connections, 2 healthy"), HasSubstr("*books"), HasSubstr("sqlite"),
                             HasSubstr("EVENTS"), HasSubstr("health-change")));
  EXPECT_THAT(picture, Not(HasSubstr("\x1b")));
  const auto gone = polypool({"top", "--once", "--url", "http://127.0.0.1:1"});
  EXPECT_EQ(gone.status, 1);
  EXPECT_EQ(polypool({"top", "--url", url_}).status, 2);  // no terminal
}

TEST_F(watch_test, top_in_a_terminal) {
  start();
  in_a_terminal shown(top(), 80, 24);
  ASSERT_TRUE(shown.shows("*books"));
  EXPECT_THAT(shown.output(), AllOf(HasSubstr("\x1b[?1049h"), HasSubstr("U/I/O/M")));
  shown.forget();
  shown.type("?");
  ASSERT_TRUE(shown.shows("callers that wait"));
  shown.type(" ");
  shown.forget();
  shown.type("\x1b[B");  // down: other
  shown.type("s");
  ASSERT_TRUE(shown.shows("Switched to database connection 'other'"));
  ASSERT_TRUE(shown.shows("*other"));
  shown.type("r");
  ASSERT_TRUE(shown.shows("Replace all sessions of 'other'? (y/n)"));
  shown.type("y");
  ASSERT_TRUE(shown.shows("Reconnected 'other'"));
  shown.forget();
  shown.resize(140, 40);
  ASSERT_TRUE(shown.shows("LAST EVENT"));
  shown.type("q");
  EXPECT_EQ(shown.wait(), 0);
  EXPECT_THAT(shown.output(), HasSubstr("\x1b[?25h\x1b[?1049l"));
  EXPECT_TRUE(shown.is_as_before());
}

TEST_F(watch_test, top_puts_the_terminal_back_on_signals) {
  start();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    in_a_terminal shown(top(), 80, 24);
    ASSERT_TRUE(shown.shows("*books"));
    shown.send_signal(signal);
    EXPECT_EQ(shown.wait(), 0);
    EXPECT_THAT(shown.output(), HasSubstr("\x1b[?1049l"));
    EXPECT_TRUE(shown.is_as_before());
  }
}

TEST_F(watch_test, top_says_when_the_daemon_is_gone) {
  start();
  in_a_terminal shown(top(), 100, 30);
  ASSERT_TRUE(shown.shows("*books"));
  daemon_->send_signal(SIGTERM);
  daemon_->wait();
  EXPECT_TRUE(shown.shows("cannot reach the daemon"));
  shown.type("q");
  EXPECT_EQ(shown.wait(), 0);
}

}  // namespace
}  // namespace polypool::test
