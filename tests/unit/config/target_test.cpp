// SPDX-License-Identifier: Apache-2.0
#include "config/target.hpp"

#include <gtest/gtest.h>

namespace polypool::config {
namespace {

std::string target_of_url(std::string_view url) {
  const auto made = connection_from_url("c", url);
  return target_of(made.type, made.where);
}

TEST(Target, SaysWhereAConnectionGoesAndNoMore) {
  EXPECT_EQ(target_of_url("postgres://u:hunter2@h/db?sslpassword=hunter2"), "h:5432/db");
  EXPECT_EQ(target_of_url("postgres://u@[::1]:6000/db"), "[::1]:6000/db");
  EXPECT_EQ(target_of_url("mysql://u@h"), "h:3306");
  EXPECT_EQ(target_of_url("sqlite:data/a.db"), "data/a.db");
  EXPECT_EQ(target_of_url("redis://h1,h2:7000/?cluster=true"), "h1:6379,h2:7000");
  EXPECT_EQ(target_of_url("mssql://u:hunter2@h/db"), "h:1433/db");
}

TEST(Target, OfOdbcIsItsSourceOrItsDriver) {
  EXPECT_EQ(target_of_url("odbc:DSN=warehouse;PWD=hunter2"), "warehouse");
  EXPECT_EQ(target_of_url("odbc:Driver=SQLite3;PWD=hunter2"), "SQLite3");
  EXPECT_EQ(target_of_url("odbc:Driver=PostgreSQL;Server=h;Port=6000;Database=db"), "h:6000/db");
}

}  // namespace
}  // namespace polypool::config
