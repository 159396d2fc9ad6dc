// SPDX-License-Identifier: Apache-2.0
// Bytes to replies: RESP2 and RESP3, without any I/O.
#pragma once

#include <polypool/redis_reply.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polypool {

/// What a peer may make us keep for one reply.
struct resp_limits {
  std::size_t max_bytes = std::size_t{512} << 20;  ///< texts and elements together
  std::size_t max_depth = 64;                      ///< aggregates inside of aggregates
  std::size_t max_line = 64 << 10;                 ///< of a simple string, an error, a number
};

/// Parses one reply after another. Takes bytes in pieces of any size; what a length announces is allocated as it comes,
/// not when it is announced.
class resp_parser {
 public:
  enum class outcome : std::uint8_t {
    more,       ///< all input is taken, the reply is not complete
    complete,   ///< take() has it; input is what follows
    malformed,  ///< this is not RESP; problem() says why
    too_large   ///< over a limit; problem() says which
  };

  explicit resp_parser(resp_limits limits = {}) noexcept : limits_(limits) {}

  /// Takes from the front of the input what belongs to the reply. After a failure nothing more can be parsed.
  outcome feed(std::string_view& input);
  /// The complete reply; the parser is ready for the next one.
  redis_reply take() noexcept;
  /// True between the first byte of a reply and its last.
  bool midway() const noexcept { return midway_; }
  const std::string& problem() const noexcept { return problem_; }

  /// In the middle of a long string: where its next bytes go, so that they can be read into place. Empty otherwise.
  std::span<char> place();
  /// So many bytes were put there.
  void placed(std::size_t count) noexcept;

 private:
  enum class expected : std::uint8_t { line, text, text_end };
  struct frame {
    std::size_t node;        // of the aggregate
    std::size_t bytes;       // before it
    std::uint32_t left;      // elements still to come
    bool attributes;         // not an element of what it stands in
    bool open_ended;         // ends with a "."
    std::uint32_t elements;  // so far
  };

  outcome fail(std::string what);
  outcome fail_large(std::string what);
  outcome header(std::string_view line);
  outcome number_or_word(char sign, std::string_view rest);
  outcome begin_text(redis_type type, std::string_view rest);
  outcome begin_aggregate(char sign, std::string_view rest);
  outcome chunk(std::string_view rest);
  outcome end_text();
  outcome end_stream();
  outcome add_line_text(redis_type type, std::string_view text);
  outcome add(detail::redis_node node);
  outcome finished();
  void close_frame();
  bool take_text(std::string_view& input);
  bool fits(std::size_t more) const noexcept;
  void make_room(std::size_t more);

  resp_limits limits_;
  redis_reply building_;
  std::vector<frame> open_;
  std::string line_;     // the beginning of a line that came in pieces
  std::string problem_;  // why parsing ended
  std::size_t missing_ = 0;
  std::uint32_t text_node_ = 0;  // of the string that is being read, in building_.nodes_
  expected expected_ = expected::line;
  bool chunked_ = false;  // the string comes in chunks
  bool midway_ = false;
  bool over_ = false;
};

}  // namespace polypool
