// SPDX-License-Identifier: Apache-2.0
// From BSON to JSON.
#pragma once

#include <polypool/document.hpp>

#include <bson/bson.h>
#include <cstdint>

namespace polypool::mongodb {

/// All members of a document, straight from its bytes. Where a name stands twice, the first one counts.
/// Throws connection_lost (poisoned: what else would this server send) when the bytes are not BSON.
document read_document(const bson_t* source, json_form form);
/// The same from bytes that belong to somebody else.
document read_document(const std::uint8_t* data, std::size_t size, json_form form);
/// The value that the iterator stands on.
boost::json::value read_value(const bson_iter_t* at, json_form form);

}  // namespace polypool::mongodb
