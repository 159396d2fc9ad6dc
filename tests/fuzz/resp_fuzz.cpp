// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a Redis server sends. The first byte chooses the size of the pieces in which they come: what is
// read does not depend on that, what is read can be written and read again, and no limit is passed.
#include "driver/resp_parser.hpp"
#include "driver/resp_writer.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

using polypool::redis_reply;
using polypool::resp_parser;

struct outcome {
  std::vector<redis_reply> replies;
  resp_parser::outcome end = resp_parser::outcome::more;
};

constexpr std::size_t most_bytes = 1 << 16;

resp_parser make_parser() {
  polypool::resp_limits limits;
  limits.max_bytes = most_bytes;
  limits.max_depth = 8;
  limits.max_line = 1000;
  return resp_parser(limits);
}

outcome parse(std::string_view text, std::size_t piece, bool in_place) {
  outcome out;
  auto parser = make_parser();
  while (!text.empty()) {
    if (in_place) {
      const auto place = parser.place();
      const auto count = std::min({piece, place.size(), text.size()});
      if (count > 0) {
        std::memcpy(place.data(), text.data(), count);
        parser.placed(count);
        text.remove_prefix(count);
        continue;
      }
    }
    std::string_view part = text.substr(0, piece);
    text.remove_prefix(part.size());
    while (!part.empty()) {
      out.end = parser.feed(part);
      if (out.end == resp_parser::outcome::complete) {
        out.replies.push_back(parser.take());
      } else if (out.end != resp_parser::outcome::more) {
        if (parser.problem().empty()) std::abort();
        return out;
      }
    }
  }
  return out;
}

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const outcome whole = parse(text, std::max<std::size_t>(text.size(), 1), false);
  const outcome pieces = parse(text, data[0] % 64 + 1U, data[0] >= 128);
  check(whole.end == pieces.end || whole.replies.size() == pieces.replies.size());
  check(whole.replies.size() == pieces.replies.size());
  for (std::size_t i = 0; i < whole.replies.size(); ++i) {
    const auto& reply = whole.replies[i];
    check(reply == pieces.replies[i]);
    check(reply.size_in_bytes() <= most_bytes + 1024);
    (void)reply.to_display();
    std::string written;
    polypool::write_resp(written, reply, 3);
    const outcome again = parse(written, written.size(), false);
    check(again.replies.size() == 1 && again.replies.front() == reply);
  }
  return 0;
}
