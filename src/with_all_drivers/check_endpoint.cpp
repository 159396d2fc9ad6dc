// SPDX-License-Identifier: Apache-2.0
#include "with_all_drivers/check_endpoint.hpp"
#if POLYPOOL_MONGODB
#include "drivers/mongodb/check_settings.hpp"
#endif
#if POLYPOOL_MYSQL
#include "drivers/mysql/check_settings.hpp"
#endif
#if POLYPOOL_REDIS
#include "drivers/redis/settings.hpp"
#endif
#if POLYPOOL_SQLITE
#include "drivers/sqlite/settings.hpp"
#endif

namespace polypool {

void check_endpoint(const config::connection& what) {
  switch (what.type) {
#if POLYPOOL_MONGODB
    case config::database_type::mongodb:
      mongodb::check_settings(what.where);
      break;
#endif
#if POLYPOOL_MYSQL
    case config::database_type::mysql:
      mysql::check_settings(what.where);
      break;
#endif
#if POLYPOOL_REDIS
    case config::database_type::redis:
      static_cast<void>(redis::settings_for(what.where));
      break;
#endif
#if POLYPOOL_SQLITE
    case config::database_type::sqlite:
      static_cast<void>(sqlite::read_settings(what.where));
      break;
#endif
    default:
      break;
  }
}

}  // namespace polypool
