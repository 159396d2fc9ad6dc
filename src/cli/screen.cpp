// SPDX-License-Identifier: Apache-2.0
#include "cli/screen.hpp"

#include "cli/exit_codes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace polypool::cli {
namespace {

constexpr std::string_view enter_text = "\x1b[?1049h\x1b[?25l\x1b[2J";  // the other screen, no cursor, empty
constexpr std::string_view leave_text = "\x1b[?25h\x1b[?1049l";

void put(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto sent = ::write(STDOUT_FILENO, text.data(), text.size());
    if (sent < 0 && errno != EINTR) return;
    if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

sigset_t watched() {
  sigset_t out;
  ::sigemptyset(&out);
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP}) ::sigaddset(&out, each);
  return out;
}

}  // namespace

screen::screen() {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) {
    throw command_error(usage, "this needs a terminal", "polypool top --once prints one picture");
  }
  if (::tcgetattr(STDIN_FILENO, &before_) != 0) throw command_error(failed, "the terminal cannot be set up");
  const auto signals = watched();
  ::pthread_sigmask(SIG_BLOCK, &signals, &old_mask_);
  signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  enter();
}

screen::~screen() {
  leave();
  if (signals_ >= 0) ::close(signals_);
  ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

void screen::enter() {
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // but signals of the keyboard stay
  raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  put(enter_text);
  entered_ = true;
}

void screen::leave() noexcept {
  if (!entered_) return;
  entered_ = false;
  put(leave_text);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

// Ctrl-Z: the terminal is the shell's until it goes on.
void screen::suspend() {
  leave();
  ::raise(SIGSTOP);
  enter();
}

void screen::on_signal(std::vector<press>& out) {
  signalfd_siginfo what{};
  while (::read(signals_, &what, sizeof what) == static_cast<ssize_t>(sizeof what)) {
    if (what.ssi_signo == SIGTSTP) suspend();
    const bool stays = what.ssi_signo == SIGTSTP || what.ssi_signo == SIGWINCH;
    out.push_back({stays ? key::resized : key::quit, 0});
  }
}

std::vector<screen::press> screen::wait(int wake) {
  std::array<pollfd, 3> watched_for{{{STDIN_FILENO, POLLIN, 0}, {signals_, POLLIN, 0}, {wake, POLLIN, 0}}};
  std::vector<press> out;
  if (::poll(watched_for.data(), watched_for.size(), -1) < 0) return out;
  if (watched_for[1].revents != 0) on_signal(out);
  if (watched_for[0].revents != 0) {
    std::array<char, 256> bytes{};
    const auto got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (got <= 0) {
      out.push_back({key::quit, 0});  // the terminal is gone
    } else {
      const auto keys = read_keys({bytes.data(), static_cast<std::size_t>(got)});
      out.insert(out.end(), keys.begin(), keys.end());
    }
  }
  return out;
}

void screen::show(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[K";  // each line over the old one: nothing flickers
  }
  put(text + "\x1b[J");
}

terminal screen::size() const {
  auto out = terminal::of(STDOUT_FILENO);
  if (out.width == 0) out.width = 80;
  if (out.height == 0) out.height = 24;
  return out;
}

std::vector<screen::press> read_keys(std::string_view bytes) {
  using key = screen::key;
  struct sequence {
    std::string_view text;
    key what;
  };
  static constexpr std::array<sequence, 14> sequences{{{"\x1b[A", key::up},
                                                       {"\x1bOA", key::up},
                                                       {"\x1b[B", key::down},
                                                       {"\x1bOB", key::down},
                                                       {"\x1b[5~", key::page_up},
                                                       {"\x1b[6~", key::page_down},
                                                       {"\x1b[H", key::home},
                                                       {"\x1bOH", key::home},
                                                       {"\x1b[1~", key::home},
                                                       {"\x1b[F", key::end},
                                                       {"\x1bOF", key::end},
                                                       {"\x1b[4~", key::end},
                                                       {"k", key::up},
                                                       {"j", key::down}}};
  std::vector<screen::press> out;
  while (!bytes.empty()) {
    const auto* known =
        std::ranges::find_if(sequences, [&](const sequence& each) { return bytes.starts_with(each.text); });
    if (known != sequences.end()) {
      out.push_back({known->what, 0});
      bytes.remove_prefix(known->text.size());
      continue;
    }
    if (bytes.starts_with("\x1b[")) {  // a sequence that means nothing here
      auto end = bytes.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz~", 2);
      bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
      continue;
    }
    const bool quits = bytes[0] == 'q' || bytes[0] == '\x03' || bytes[0] == '\x04';
    out.push_back({quits ? key::quit : key::other, bytes[0]});
    bytes.remove_prefix(1);
  }
  return out;
}

}  // namespace polypool::cli
