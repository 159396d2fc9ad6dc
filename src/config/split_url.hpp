// SPDX-License-Identifier: Apache-2.0
// Taking URLs and key/value strings apart, leniently where databases are lenient.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polypool::config {

using pairs = std::vector<std::pair<std::string, std::string>>;

struct host_and_port {
  std::string host;
  std::optional<std::uint16_t> port;
};

/// The parts of a URL, decoded.
struct url_parts {
  std::optional<std::string> user;
  std::optional<std::string> password;
  std::vector<host_and_port> hosts;  ///< none when the URL names none
  std::string path;                  ///< without its first slash
  pairs query;
};

/// Takes apart what follows `scheme://`. Differs from RFC 3986 as databases do: several hosts; `#` is a character like
/// any other; `@` may stand unescaped in a password. The failure never shows what may be a part of a password.
std::expected<url_parts, std::string> split_url(std::string_view after_scheme);

/// `a=b&c=d`, decoded.
std::expected<pairs, std::string> split_query(std::string_view query);

/// Undoes percent-encoding; nothing when an escape is broken or stands for a NUL.
std::optional<std::string> percent_decoded(std::string_view text);

/// libpq's `host=localhost password='with \' and space'`.
std::expected<pairs, std::string> split_words(std::string_view text);

/// `Server=a;PWD={b;c}`, as ODBC and ADO write it.
std::expected<pairs, std::string> split_semicolons(std::string_view text);

}  // namespace polypool::config
