// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/network.hpp"

#include "drivers/mongodb/channel.hpp"

#include <chrono>
#include <exception>

namespace polypool::mongodb {
namespace {

// Called by libmongoc, which knows no exceptions.
mongoc_stream_t* initiate(const mongoc_uri_t*, const mongoc_host_list_t* host, void* self, bson_error_t* problem) {
  auto& owner = *static_cast<network*>(self);
  try {
    if (!owner.waits().leaving() && !owner.waits().strikes()) return make_stream(owner, *host);
    bson_set_error(problem, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_CONNECT, "it is too late to connect");
  } catch (const std::exception& failure) {
    bson_set_error(problem, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_CONNECT, "%s", failure.what());
  }
  return nullptr;
}

}  // namespace

void network::attach(mongoc_client_t* client) noexcept { mongoc_client_set_stream_initiator(client, initiate, this); }

time_point network::silence_ends() const noexcept {
  const bool limited = silence_limit_ > duration::zero() && (silence_limit_always_ || !waits_.has_deadline());
  return limited ? saturating_add(std::chrono::steady_clock::now(), silence_limit_) : no_deadline;
}

void network::note(const std::string& server, problem_kind kind, std::string_view words) {
  problems_.insert_or_assign(server, problem{kind, std::string(words)});
}

std::string network::describe_problems() const {
  std::string out;
  for (const auto& [server, what] : problems_) {
    if (!out.empty()) out += "; ";
    out += server + ": " + what.words;
  }
  return out;
}

}  // namespace polypool::mongodb
