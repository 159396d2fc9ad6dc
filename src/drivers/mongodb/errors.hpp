// SPDX-License-Identifier: Apache-2.0
// What MongoDB and libmongoc complain about, as polypool::error.
#pragma once

#include "drivers/mongodb/native.hpp"
#include "drivers/mongodb/network.hpp"

#include <polypool/error.hpp>

#include <string>
#include <string_view>

namespace polypool::mongodb {

/// The portable code of a server's error code.
errc portable_code(int server_code) noexcept;

/// What a server's error means for the caller and for the session.
/// @param words the server's own @param reply with its labels; may be null
error server_error(int server_code, std::string_view words, const bson_t* reply);

/// Any failure of a call of libmongoc: the server's, or its own.
/// @param problems what our own connections have seen
/// @param place such as "127.0.0.1:27017"
error call_error(const bson_error_t& problem, const bson_t* reply, const network& connections, std::string_view place);

/// Why no session could be opened. @param password hidden in what libraries and servers say
error connect_error(const bson_error_t& problem, const network& connections, std::string_view place,
                    const secret& password);

/// Whether the call failed because a connection broke, or none could be made.
bool is_network_problem(const bson_error_t& problem) noexcept;

/// Whether no server fit: none was asked anything.
bool is_selection_problem(const bson_error_t& problem) noexcept;

}  // namespace polypool::mongodb
