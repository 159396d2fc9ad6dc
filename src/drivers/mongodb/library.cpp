// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/library.hpp"

#include "drivers/mongodb/native.hpp"

namespace polypool::mongodb {

void prepare_library() {
  static const bool done = [] {
    // What it would say comes as errors, too, and those have no credentials in them.
    mongoc_log_set_handler(nullptr, nullptr);
    mongoc_init();
    mongoc_handshake_data_append("polypool", nullptr, nullptr);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace polypool::mongodb
