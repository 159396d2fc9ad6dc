// SPDX-License-Identifier: Apache-2.0
#include "driver/resp_parser.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

namespace polypool {
namespace {

using node = detail::redis_node;

// Larger strings are given room as they come: a length costs the peer nothing, memory costs us.
constexpr std::size_t trusted_length = std::size_t{16} << 20;
constexpr std::size_t least_place = 4096;
constexpr auto largest = std::numeric_limits<std::uint32_t>::max();

template <class Number>
std::optional<Number> parsed(std::string_view text) noexcept {
  if (text.starts_with('+')) text.remove_prefix(1);
  Number out{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// The start of a line, for a message.
std::string shown(std::string_view line) {
  return redis_reply::of_text(redis_type::bulk_string, std::string(line.substr(0, 40))).to_display();
}

bool is_whole_number(std::string_view text) noexcept {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

resp_parser::outcome resp_parser::fail(std::string what) {
  problem_ = std::move(what);
  over_ = true;
  return outcome::malformed;
}

resp_parser::outcome resp_parser::fail_large(std::string what) {
  problem_ = std::move(what);
  over_ = true;
  return outcome::too_large;
}

bool resp_parser::fits(std::size_t more) const noexcept {
  const std::size_t used = building_.bytes_.size() + building_.nodes_.size() * sizeof(node);
  return used <= limits_.max_bytes && more <= limits_.max_bytes - used;
}

resp_parser::outcome resp_parser::feed(std::string_view& input) {
  if (over_) return outcome::malformed;
  while (!input.empty()) {
    midway_ = true;
    outcome now = outcome::more;
    if (expected_ == expected::line) {
      const auto* end = static_cast<const char*>(std::memchr(input.data(), '\n', input.size()));
      const std::size_t length = end == nullptr ? input.size() : static_cast<std::size_t>(end - input.data());
      if (line_.size() + length > limits_.max_line) {
        return fail_large("a line is longer than " + std::to_string(limits_.max_line) + " bytes");
      }
      if (end == nullptr) {
        line_.append(input);
        input = {};
        return outcome::more;
      }
      std::string_view line = input.substr(0, length);
      if (!line_.empty()) line = line_.append(line);
      input.remove_prefix(length + 1);
      if (!line.ends_with('\r')) return fail("a line does not end with CR LF: " + shown(line));
      line.remove_suffix(1);
      now = header(line);
      line_.clear();
    } else if (expected_ == expected::text) {
      if (!take_text(input)) return outcome::more;
    } else {
      if (input.front() != "\r\n"[2 - missing_]) return fail("a string is longer than its length says");
      input.remove_prefix(1);
      if (--missing_ == 0) now = end_text();
    }
    if (now != outcome::more) return now;
  }
  return outcome::more;
}

redis_reply resp_parser::take() noexcept {
  midway_ = false;
  return std::exchange(building_, redis_reply());
}

// One line without its end: a whole value, or what a longer one begins with.
resp_parser::outcome resp_parser::header(std::string_view line) {
  if (line.empty()) return fail("an empty line where a value should begin");
  const char sign = line.front();
  const std::string_view rest = line.substr(1);
  if (chunked_ && sign != ';') return fail("a string in chunks is interrupted by " + shown(line));
  switch (sign) {
    case '$':
      return begin_text(redis_type::bulk_string, rest);
    case '!':
      return begin_text(redis_type::error, rest);
    case '=':
      return begin_text(redis_type::verbatim_string, rest);
    case ';':
      return chunk(rest);
    case '*':
    case '%':
    case '~':
    case '>':
    case '|':
      return begin_aggregate(sign, rest);
    case '.':
      return rest.empty() ? end_stream() : fail("an odd end of a stream: " + shown(line));
    default:
      return number_or_word(sign, rest);
  }
}

resp_parser::outcome resp_parser::number_or_word(char sign, std::string_view rest) {
  node made;
  switch (sign) {
    case '+':
      return add_line_text(redis_type::simple_string, rest);
    case '-':
      return add_line_text(redis_type::error, rest);
    case '(':
      if (!is_whole_number(rest)) return fail("not a big number: " + shown(rest));
      return add_line_text(redis_type::big_number, rest);
    case ':': {
      const auto number = parsed<std::int64_t>(rest);
      if (!number) return fail("not an integer: " + shown(rest));
      made.type = redis_type::integer;
      made.bits = std::bit_cast<std::uint64_t>(*number);
      return add(made);
    }
    case ',': {
      const auto number = parsed<double>(rest);  // knows inf and nan
      if (!number) return fail("not a number: " + shown(rest));
      made.type = redis_type::real;
      made.bits = std::bit_cast<std::uint64_t>(*number);
      return add(made);
    }
    case '#':
      if (rest != "t" && rest != "f") return fail("neither true nor false: " + shown(rest));
      made.type = redis_type::boolean;
      made.bits = rest == "t" ? 1 : 0;
      return add(made);
    case '_':
      if (!rest.empty()) return fail("an odd null: " + shown(rest));
      return add(made);
    default:
      return fail("no value begins like this: " + shown(std::string(1, sign).append(rest)));
  }
}

resp_parser::outcome resp_parser::add_line_text(redis_type type, std::string_view text) {
  if (!fits(text.size())) return fail_large("the reply is larger than " + std::to_string(limits_.max_bytes) + " bytes");
  node made;
  made.type = type;
  made.bits = building_.bytes_.size();
  made.length = static_cast<std::uint32_t>(text.size());
  building_.bytes_.append(text);
  return add(made);
}

// A whole value. One that is the reply itself needs no list.
resp_parser::outcome resp_parser::add(node made) {
  if (open_.empty()) {
    building_.root_ = made;
    return finished();
  }
  if (!fits(sizeof made)) return fail_large("the reply is larger than " + std::to_string(limits_.max_bytes) + " bytes");
  building_.nodes_.push_back(made);
  return finished();
}

resp_parser::outcome resp_parser::begin_text(redis_type type, std::string_view rest) {
  if (rest == "?" && type == redis_type::bulk_string) {
    chunked_ = true;
    missing_ = 0;
  } else {
    const auto length = parsed<std::int64_t>(rest);
    if (length == -1 && type == redis_type::bulk_string) return add(node());  // RESP2's null
    if (!length || *length < 0) return fail("not the length of a string: " + shown(rest));
    if (static_cast<std::uint64_t>(*length) > largest || !fits(static_cast<std::size_t>(*length))) {
      return fail_large("a string of " + std::to_string(*length) + " bytes, and a reply may have " +
                        std::to_string(limits_.max_bytes));
    }
    if (type == redis_type::verbatim_string && *length < 4) return fail("a verbatim string without its format");
    missing_ = static_cast<std::size_t>(*length);
  }
  node made;
  made.type = type;
  made.bits = building_.bytes_.size();
  if (open_.empty()) {
    building_.root_ = made;
  } else {
    if (!fits(sizeof made))
      return fail_large("the reply is larger than " + std::to_string(limits_.max_bytes) + " bytes");
    text_node_ = static_cast<std::uint32_t>(building_.nodes_.size());
    building_.nodes_.push_back(made);
  }
  if (chunked_) return outcome::more;
  if (missing_ <= trusted_length) make_room(missing_);
  expected_ = missing_ > 0 ? expected::text : expected::text_end;
  if (missing_ == 0) missing_ = 2;
  return outcome::more;
}

resp_parser::outcome resp_parser::chunk(std::string_view rest) {
  if (!chunked_) return fail("a chunk of a string that has not begun");
  const auto length = parsed<std::int64_t>(rest);
  if (!length || *length < 0) return fail("not the length of a chunk: " + shown(rest));
  if (*length == 0) {
    chunked_ = false;
    return end_text();
  }
  if (static_cast<std::uint64_t>(*length) > largest - building_.bytes_.size() ||
      !fits(static_cast<std::size_t>(*length))) {
    return fail_large("the reply is larger than " + std::to_string(limits_.max_bytes) + " bytes");
  }
  missing_ = static_cast<std::size_t>(*length);
  expected_ = expected::text;
  return outcome::more;
}

// @return false when all input is taken
bool resp_parser::take_text(std::string_view& input) {
  const auto count = std::min(missing_, input.size());
  building_.bytes_.append(input.substr(0, count));
  input.remove_prefix(count);
  missing_ -= count;
  if (missing_ > 0) return false;
  expected_ = expected::text_end;
  missing_ = 2;
  return true;
}

// Grows by doubling beyond what is trusted, so that memory follows what has arrived.
void resp_parser::make_room(std::size_t more) {
  auto& bytes = building_.bytes_;
  const std::size_t wanted = bytes.size() + more;
  if (wanted > bytes.capacity()) bytes.reserve(bytes.empty() ? wanted : std::max(wanted, bytes.capacity() * 2));
}

std::span<char> resp_parser::place() {
  if (over_ || expected_ != expected::text || missing_ < least_place) return {};
  auto& bytes = building_.bytes_;
  if (bytes.capacity() - bytes.size() < least_place) make_room(std::min(missing_, trusted_length));
  const auto room = std::min(missing_, bytes.capacity() - bytes.size());
  return {bytes.data() + bytes.size(), room};
}

void resp_parser::placed(std::size_t count) noexcept {
  auto& bytes = building_.bytes_;
  bytes.resize_and_overwrite(bytes.size() + count, [](char*, std::size_t whole) { return whole; });
  missing_ -= count;
  if (missing_ > 0) return;
  expected_ = expected::text_end;
  missing_ = 2;
}

resp_parser::outcome resp_parser::end_text() {
  expected_ = expected::line;
  if (chunked_) return outcome::more;  // the end of one chunk only
  node& made = open_.empty() ? building_.root_ : building_.nodes_[text_node_];
  const std::size_t length = building_.bytes_.size() - made.bits;
  made.length = static_cast<std::uint32_t>(length);
  if (made.type == redis_type::verbatim_string) {
    if (building_.bytes_[made.bits + 3] != ':') return fail("a verbatim string without its format");
    made.bits += 4;
    made.length -= 4;
  }
  return finished();
}

resp_parser::outcome resp_parser::begin_aggregate(char sign, std::string_view rest) {
  frame opened{};
  opened.attributes = sign == '|';
  opened.open_ended = rest == "?";
  const bool pairs = sign == '%' || sign == '|';
  if (!opened.open_ended) {
    const auto count = parsed<std::int64_t>(rest);
    if (count == -1 && sign == '*') return add(node());  // RESP2's null
    if (!count || *count < 0) return fail("not a number of elements: " + shown(rest));
    const auto elements = static_cast<std::uint64_t>(*count);
    if (elements > largest / 2 || !fits(elements * (pairs ? 2 : 1) * sizeof(node))) {
      return fail_large(std::to_string(elements) + " elements, and a reply may have " +
                        std::to_string(limits_.max_bytes) + " bytes");
    }
    opened.left = static_cast<std::uint32_t>(elements * (pairs ? 2 : 1));
  }
  if (open_.size() >= limits_.max_depth) {
    return fail_large("aggregates inside of aggregates, more than " + std::to_string(limits_.max_depth) + " deep");
  }
  if (!fits(sizeof(node)))
    return fail_large("the reply is larger than " + std::to_string(limits_.max_bytes) + " bytes");
  opened.node = building_.nodes_.size();
  opened.bytes = building_.bytes_.size();
  node made;
  made.type = pairs         ? redis_type::map
              : sign == '~' ? redis_type::set
              : sign == '>' ? redis_type::push
                            : redis_type::array;
  building_.nodes_.push_back(made);
  open_.push_back(opened);
  if (opened.left > 0 || opened.open_ended) return outcome::more;
  close_frame();
  return opened.attributes ? outcome::more : finished();
}

resp_parser::outcome resp_parser::end_stream() {
  if (open_.empty() || !open_.back().open_ended) return fail("the end of a stream that has not begun");
  const frame ended = open_.back();
  if (building_.nodes_[ended.node].type == redis_type::map && ended.elements % 2 != 0)
    return fail("a key without its value");
  close_frame();
  return ended.attributes ? outcome::more : finished();
}

// The innermost aggregate is complete.
void resp_parser::close_frame() {
  const frame ended = open_.back();
  open_.pop_back();
  auto& all = building_.nodes_;
  all[ended.node].length = ended.elements;
  all[ended.node].span = static_cast<std::uint32_t>(all.size() - ended.node);
  if (!ended.attributes) return;
  if (open_.empty()) {              // of the reply itself: kept beside it
    building_.attributes_.reset();  // no chain of them
    auto kept = std::make_shared<redis_reply>(std::exchange(building_, redis_reply()));
    building_.attributes_ = std::move(kept);
  } else {
    all.resize(ended.node);
    building_.bytes_.resize(ended.bytes);
  }
}

// A value is complete, and with it perhaps what it stands in.
resp_parser::outcome resp_parser::finished() {
  while (!open_.empty()) {
    frame& inside = open_.back();
    ++inside.elements;
    if (inside.open_ended || --inside.left > 0) return outcome::more;
    const bool attributes = inside.attributes;
    close_frame();
    if (attributes) return outcome::more;
  }
  return outcome::complete;
}

}  // namespace polypool
