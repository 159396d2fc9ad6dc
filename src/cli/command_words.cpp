// SPDX-License-Identifier: Apache-2.0
#include "cli/command_words.hpp"

#include "cli/exit_codes.hpp"

#include <charconv>

namespace polypool::cli {
namespace {

bool is_blank(char letter) noexcept { return letter == ' ' || (letter >= '\t' && letter <= '\r'); }

class words_reader {
 public:
  explicit words_reader(std::string_view text) noexcept : rest_(text) {}

  std::vector<std::string> all() {
    std::vector<std::string> words;
    for (;;) {
      while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
      if (rest_.empty()) return words;
      words.push_back(word());
    }
  }

 private:
  std::string word() {
    if (rest_.front() == '"' || rest_.front() == '\'') return quoted();
    std::string out;
    while (!rest_.empty() && !is_blank(rest_.front())) out += take();
    return out;
  }

  std::string quoted() {
    const char quote = take();
    std::string out;
    for (;;) {
      if (rest_.empty()) throw command_error(usage, std::string("a quote is not closed: ") + quote + out);
      const char next = take();
      if (next == quote) break;
      if (next == '\\' && quote == '"') {
        out += escaped();
      } else if (next == '\\' && rest_.starts_with('\'')) {
        out += take();
      } else {
        out += next;
      }
    }
    if (!rest_.empty() && !is_blank(rest_.front())) {
      throw command_error(usage, std::string("there has to be a blank behind ") + quote + out + quote);
    }
    return out;
  }

  char escaped() {
    if (rest_.empty()) return '\\';
    const char letter = take();
    switch (letter) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'a':
        return '\a';
      case 'b':
        return '\b';
      case 'x':
        return hexadecimal();
      default:
        return letter;
    }
  }

  char hexadecimal() {
    unsigned value = 0;
    const auto digits = rest_.substr(0, 2);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() < 2 || read.ptr != digits.data() + 2) {
      throw command_error(usage, "\\x stands before two hexadecimal digits");
    }
    rest_.remove_prefix(2);
    return static_cast<char>(value);
  }

  char take() noexcept {
    const char letter = rest_.front();
    rest_.remove_prefix(1);
    return letter;
  }

  std::string_view rest_;
};

}  // namespace

std::vector<std::string> command_words(std::string_view text) { return words_reader(text).all(); }

}  // namespace polypool::cli
