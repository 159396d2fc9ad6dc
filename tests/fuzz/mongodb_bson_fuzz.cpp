// SPDX-License-Identifier: Apache-2.0
// Any bytes as a document that a server sends, and any JSON as one that goes there: both ways, and back again.
#include "drivers/mongodb/bson_reader.hpp"
#include "drivers/mongodb/bson_writer.hpp"
#include "drivers/mongodb/native.hpp"

#include <polypool/error.hpp>

#include <boost/json/parse.hpp>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace {

namespace json = boost::json;
using polypool::document;
using polypool::errc;
using polypool::json_form;

void require(bool holds) {
  if (!holds) std::abort();
}

std::optional<document> read(const std::uint8_t* data, std::size_t size, json_form form) {
  try {
    return polypool::mongodb::read_document(data, size, form);
  } catch (const polypool::error& problem) {
    require(problem.portable_code() == errc::connection_lost && problem.poisons_session());
    return std::nullopt;
  }
}

// What comes back when it is sent; nothing when it is refused.
std::optional<document> there_and_back(const document& source) {
  polypool::mongodb::bson_document made;
  try {
    polypool::mongodb::append_members(made.get(), source);
  } catch (const polypool::error& problem) {
    require(problem.portable_code() == errc::invalid_argument || problem.portable_code() == errc::invalid_value);
    return std::nullopt;
  }
  const auto* bytes = bson_get_data(made.get());
  auto out = read(bytes, made.get()->len, json_form::canonical);
  require(out.has_value() && read(bytes, made.get()->len, json_form::relaxed).has_value());
  return out;
}

// Canonical extended JSON means one value only: what came back once comes back the same for ever.
void check(const document& source) {
  const auto once = there_and_back(source);
  if (!once) return;
  const auto twice = there_and_back(*once);
  require(twice && *twice == *once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (const auto received = read(data, size, json_form::canonical)) check(*received);
  (void)read(data, size, json_form::relaxed);
  boost::system::error_code problem;
  const auto value = json::parse(std::string_view(reinterpret_cast<const char*>(data), size), problem);
  if (!problem && value.is_object()) check(value.get_object());
  return 0;
}
