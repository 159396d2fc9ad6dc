// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/terminal.hpp"

#include <csignal>
#include <string>
#include <string_view>
#include <termios.h>
#include <vector>

namespace polypool::cli {

// The whole terminal, keys as they are pressed. Everything is put back when it goes, whatever ends it; signals come
// through a descriptor while it lives, so that none can end the process in between. Make it before other threads start,
// so that they inherit the blocked signals.
class screen {
 public:
  // Throws command_error when standard input or output is no terminal.
  screen();
  ~screen();
  screen(const screen&) = delete;

  enum class key : unsigned char { none, up, down, page_up, page_down, home, end, other, quit, resized };
  struct press {
    key what = key::none;
    char letter = 0;  // of `other`
  };
  // Waits for a key, a signal, or until `wake` can be read (-1: none). @return what was pressed; nothing for a wake
  std::vector<press> wait(int wake);
  void show(const std::vector<std::string>& lines);
  // Its size and colours now.
  terminal size() const;

 private:
  void enter();
  void leave() noexcept;
  void suspend();
  void on_signal(std::vector<press>& out);

  termios before_{};
  sigset_t old_mask_{};
  int signals_ = -1;
  bool entered_ = false;
};

// What the bytes of a terminal mean.
std::vector<screen::press> read_keys(std::string_view bytes);

}  // namespace polypool::cli
