// SPDX-License-Identifier: Apache-2.0
#include "server/envelope.hpp"

#include "base/plain_json.hpp"
#include "base/utf8.hpp"
#include "telemetry/log_line.hpp"

#include <boost/json.hpp>

#include <cmath>
#include <utility>

namespace polypool::server {
namespace {

namespace json = boost::json;

// Names and messages may come from outside with anything in them; JSON holds UTF-8 only.
json::string text(std::string_view value) { return json::string(to_valid_utf8(value)); }

std::string_view word_of_status(int status) noexcept {
  switch (status) {
    case 400:
      return "BAD_REQUEST";
    case 403:
      return "FORBIDDEN";
    case 404:
      return "NOT_FOUND";
    case 405:
      return "METHOD_NOT_ALLOWED";
    case 408:
      return "REQUEST_TIMEOUT";
    case 413:
      return "BODY_TOO_LARGE";
    case 415:
      return "UNSUPPORTED_MEDIA_TYPE";
    case 417:
      return "EXPECTATION_FAILED";
    case 431:
      return "HEADERS_TOO_LARGE";
    case 503:
      return "UNAVAILABLE";
    case 505:
      return "HTTP_VERSION_NOT_SUPPORTED";
    default:
      return "INTERNAL_ERROR";
  }
}

json::object failure_object(int status, std::string_view message, std::string_view details, std::string_view word) {
  json::object out;
  out["success"] = false;
  out["error"] = text(message);
  out["details"] = text(details);
  out["code"] = text(word.empty() ? word_of_status(status) : word);
  return out;
}

}  // namespace

response document(int status, const json::object& content) { return response(status, plain_json(content)); }

response success(std::string_view message, json::object data) {
  data["timestamp"] = timestamp();
  json::object out;
  out["success"] = true;
  out["message"] = text(message);
  out["data"] = std::move(data);
  return document(200, out);
}

response failure(int status, std::string_view message, std::string_view details, std::string_view code_word) {
  return document(status, failure_object(status, message, details, code_word));
}

response failure(int status, std::string_view message, std::string_view details, std::string_view code_word,
                 json::object data) {
  auto out = failure_object(status, message, details, code_word);
  data["timestamp"] = timestamp();
  out["data"] = std::move(data);
  return document(status, out);
}

response failure(const http_failure& refusal) {
  return failure(refusal.status, refusal.error, refusal.details, refusal.code_word);
}

response failure(const error& cause, std::string_view message) {
  return failure(status_of(cause.portable_code()), message, cause.what(), code_word_of(cause.portable_code()));
}

task<response> ready_made(response made) { co_return made; }

int status_of(errc code) noexcept {
  switch (code) {
    case errc::connection_not_found:
    case errc::no_default_connection:
      return 404;
    case errc::already_registered:
    case errc::already_connected:
      return 409;
    case errc::invalid_configuration:
    case errc::invalid_argument:
    case errc::not_sql_database:
    case errc::not_mongodb:
    case errc::not_redis:
      return 400;
    case errc::unsupported_database:
    case errc::unsupported:
      return 501;
    case errc::authentication_failed:
      return 502;
    case errc::connect_failed:
    case errc::connection_lost:
    case errc::connection_closed:
    case errc::too_many_connections:
    case errc::no_primary:
    case errc::pool_queue_full:
    case errc::circuit_open:
    case errc::shutting_down:
    case errc::cancelled:
      return 503;
    case errc::pool_timeout:
    case errc::deadline_exceeded:
    case errc::lock_timeout:
      return 504;
    case errc::rate_limited:
      return 429;
    default:
      return 500;
  }
}

std::string code_word_of(errc code) {
  switch (status_of(code)) {
    case 502:
    case 503:
      return "DATABASE_UNAVAILABLE";
    case 504:
      return "DATABASE_TIMEOUT";
    case 500:
      return "DATABASE_ERROR";
    default: {
      std::string word(to_string(code));
      for (auto& c : word) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      }
      return word;
    }
  }
}

std::string timestamp() { return telemetry::iso_time(std::chrono::system_clock::now()); }

double milliseconds(std::chrono::nanoseconds value) noexcept {
  return std::round(std::chrono::duration<double, std::micro>(value).count()) / 1000;
}

}  // namespace polypool::server
