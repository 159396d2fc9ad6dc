// SPDX-License-Identifier: Apache-2.0
#include <polypool/drivers.hpp>
#if POLYPOOL_ODBC
#include <polypool/odbc.hpp>
#endif
#if POLYPOOL_MYSQL
#include <polypool/mysql.hpp>
#endif
#if POLYPOOL_MONGODB
#include <polypool/mongodb.hpp>
#endif
#if POLYPOOL_POSTGRES
#include <polypool/postgres.hpp>
#endif
#if POLYPOOL_REDIS
#include <polypool/redis.hpp>
#endif
#if POLYPOOL_SQLITE
#include <polypool/sqlite.hpp>
#endif

namespace polypool {

driver_list default_drivers() {
  driver_list all;
#if POLYPOOL_POSTGRES
  all.push_back(postgres::make_driver());
#endif
#if POLYPOOL_MYSQL
  all.push_back(mysql::make_driver());
#endif
#if POLYPOOL_REDIS
  all.push_back(redis::make_driver());
#endif
#if POLYPOOL_SQLITE
  all.push_back(sqlite::make_driver());
#endif
#if POLYPOOL_ODBC
  all.push_back(odbc::make_driver());
  all.push_back(odbc::make_mssql_driver());
#endif
#if POLYPOOL_MONGODB
  all.push_back(mongodb::make_driver());
#endif
  return all;
}

}  // namespace polypool
