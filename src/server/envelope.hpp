// SPDX-License-Identifier: Apache-2.0
// The JSON that answers come in.
#pragma once

#include "server/http_types.hpp"

#include <polypool/error.hpp>

#include <boost/json/fwd.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace polypool::server {

/// `{success:true, message, data:{…, timestamp}}`
response success(std::string_view message, boost::json::object data);
/// `{success:false, error, details, code}`; the code word comes from the status when none is given.
response failure(int status, std::string_view text, std::string_view details, std::string_view code_word = {});
/// The same with the data of a call that failed for each of several things.
response failure(int status, std::string_view text, std::string_view details, std::string_view code_word,
                 boost::json::object data);
response failure(const http_failure& refusal);
/// An error of the library as an answer: 404, 409, 503 …
response failure(const error& cause, std::string_view message);
/// Any JSON document.
response document(int status, const boost::json::object& content);

/// An answer that was made without waiting, for handlers.
task<response> ready_made(response made);

/// The HTTP status for an error, and the word for its field `code`.
int status_of(errc code) noexcept;
std::string code_word_of(errc code);

/// Now, as `2026-01-31T12:00:00.123Z`.
std::string timestamp();
double milliseconds(std::chrono::nanoseconds value) noexcept;

}  // namespace polypool::server
