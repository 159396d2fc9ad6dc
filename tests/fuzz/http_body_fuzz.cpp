// SPDX-License-Identifier: Apache-2.0
// Any bytes as the body and as the first line and Host of a request: decoded or refused, never worse.
#include "server/bodies.hpp"
#include "server/gate.hpp"
#include "server/http_types.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace polypool::server;

template <class Decode>
void decoded_or_refused(Decode decode) {
  try {
    decode();
  } catch (const http_failure& refusal) {
    if (refusal.status != 400 || refusal.error.empty()) std::abort();
  }
}

polypool::task<response> nothing(const request&) { co_return response(); }

const router& routes() {
  static const router all = [] {
    router made;
    made.add(http_method::get, "/health", nothing);
    made.add(http_method::post, "/api", nothing);
    return made;
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  decoded_or_refused([text] {
    for (const auto& each : decode_creations(text)) {
      if (each.name.empty() || each.url.empty()) std::abort();
      static_cast<void>(problem_of_name(each.name));
    }
  });
  decoded_or_refused([text] {
    if (decode_connection_name(text).empty()) std::abort();
  });
  decoded_or_refused([text] { static_cast<void>(decode_removal(text)); });
  decoded_or_refused([text] {
    const auto wanted = decode_test(text);
    if (!wanted.database && !wanted.redis) std::abort();
  });
  request_head head;
  head.method = text.substr(0, text.find(' '));
  head.target = text.substr(text.find(' ') == std::string_view::npos ? 0 : text.find(' ') + 1);
  head.hosts = {text.substr(text.size() / 2)};
  head.content_type = text;
  const auto admitted = admit(head, routes());
  if (!admitted.answer && admitted.refusal.status < 204) std::abort();
  return 0;
}
