// SPDX-License-Identifier: Apache-2.0
// Any bytes as a message from a MongoDB server: what is called sound has exactly the length it says, and a document
// that can be read, or refused.
#include "drivers/mongodb/bson_reader.hpp"
#include "drivers/mongodb/wire.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace polypool::mongodb;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_what_is_inside(std::string_view message) {
  constexpr std::string_view of_message = "\xdd\x07";  // 2013
  const bool newer = message.substr(12, 2) == of_message;
  const auto body = message.substr(newer ? 21 : 36);
  try {
    (void)read_document(reinterpret_cast<const std::uint8_t*>(body.data()), body.size(), polypool::json_form::relaxed);
  } catch (const polypool::error& problem) {
    require(problem.poisons_session());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  for (std::size_t known = 0; known <= std::min<std::size_t>(size, 5); ++known) {
    const auto length = message_size(message.substr(0, known));
    require(known < 4 ? length == 0U : !length || (*length >= 16 && *length <= most_message_bytes));
  }
  const bool sound = is_sound_answer(message, false);
  const bool with_compression = is_sound_answer(message, true);
  require(!sound || with_compression);
  if (size >= 4) require(is_sound_rest(message.substr(0, 4), message.substr(4), true) == with_compression);
  if (!with_compression) return 0;
  require(message_size(message) == size);
  require(!is_sound_answer(message.substr(0, size - 1), true));
  require(!is_sound_answer(std::string(message) + '\0', true));
  if (sound) read_what_is_inside(message);
  return 0;
}
