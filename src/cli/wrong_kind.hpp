// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/config.hpp>

#include <string>
#include <string_view>

namespace polypool::cli {

// Whether a text is a JSON object: no SQL and no Redis command is one.
bool is_json_object(std::string_view text);
// Whether its first word begins a SQL statement. SELECT with one word behind it may as well be meant for Redis.
bool looks_like_sql(std::string_view text);

// Throws not_mongodb where a document was meant for something else.
void refuse_document(const std::string& connection, config::database_type type, std::string_view text);
// Throws not_sql_database where SQL was meant for something else.
void refuse_sql(const std::string& connection, config::database_type type, std::string_view text);

}  // namespace polypool::cli
