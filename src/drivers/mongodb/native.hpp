// SPDX-License-Identifier: Apache-2.0
// libmongoc's objects as resources.
#pragma once

#include <bson/bson.h>
#include <memory>
#include <mongoc/mongoc.h>

namespace polypool::mongodb {

struct native_deleter {
  void operator()(mongoc_uri_t* uri) const noexcept { mongoc_uri_destroy(uri); }
  void operator()(mongoc_client_t* client) const noexcept { mongoc_client_destroy(client); }
  void operator()(mongoc_client_session_t* session) const noexcept { mongoc_client_session_destroy(session); }
  void operator()(mongoc_session_opt_t* options) const noexcept { mongoc_session_opts_destroy(options); }
  void operator()(mongoc_transaction_opt_t* options) const noexcept { mongoc_transaction_opts_destroy(options); }
  void operator()(mongoc_read_prefs_t* preference) const noexcept { mongoc_read_prefs_destroy(preference); }
  void operator()(mongoc_read_concern_t* concern) const noexcept { mongoc_read_concern_destroy(concern); }
  void operator()(mongoc_write_concern_t* concern) const noexcept { mongoc_write_concern_destroy(concern); }
  void operator()(mongoc_collection_t* collection) const noexcept { mongoc_collection_destroy(collection); }
  void operator()(mongoc_bulk_operation_t* bulk) const noexcept { mongoc_bulk_operation_destroy(bulk); }
  void operator()(mongoc_server_description_t* server) const noexcept { mongoc_server_description_destroy(server); }
};
template <class T>
using native_ptr = std::unique_ptr<T, native_deleter>;

/// A document that lives here; destroyed with its scope. Not movable: a bson_t may point into itself.
class bson_document {
 public:
  bson_document() noexcept { bson_init(&raw_); }
  bson_document(const bson_document&) = delete;
  bson_document& operator=(const bson_document&) = delete;
  ~bson_document() { bson_destroy(&raw_); }
  bson_t* get() noexcept { return &raw_; }
  const bson_t* get() const noexcept { return &raw_; }
  /// For functions of libmongoc that initialize what they are given.
  bson_t* for_output() noexcept {
    bson_destroy(&raw_);
    return &raw_;
  }

 private:
  bson_t raw_;
};

}  // namespace polypool::mongodb
