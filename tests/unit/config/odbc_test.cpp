// SPDX-License-Identifier: Apache-2.0
// Connections over ODBC, and to SQL Server, as configuration has them.
#include "helpers.hpp"

namespace polypool::config::testing {
namespace {

using options = std::map<std::string, std::string>;
using ::testing::HasSubstr;

TEST(OdbcConnections, ByFields) {
  const auto all = read(R"(
connections:
  warehouse:
    type: odbc
    driver: PostgreSQL Unicode
    host: db.example
    port: 5433
    user: ann
    password: a;b}c
    database: shop
    schema: app
    options: {BoolsAsChar: "1"}
  named: {type: odbc, data_source: sales, user: ann}
  file: {type: odbc, driver: /usr/lib/libsqlite3odbc.so, database: data/app.db}
  server: {type: mssql, host: sql.example, user: sa, password: p, database: shop, driver: FreeTDS, sslmode: require}
)");
  const auto& warehouse = named(all, "warehouse").where;
  EXPECT_EQ(named(all, "warehouse").type, database_type::odbc);
  EXPECT_EQ(warehouse.options, (options{{"Driver", "PostgreSQL Unicode"}, {"BoolsAsChar", "1"}}));
  EXPECT_EQ(warehouse.port, 5433);
  EXPECT_EQ(warehouse.schema, "app");
  EXPECT_EQ(warehouse.password.reveal(), "a;b}c");
  EXPECT_EQ(named(all, "named").where.options, (options{{"DSN", "sales"}}));
  EXPECT_EQ(named(all, "file").where.database, "data/app.db");
  const auto& server = named(all, "server").where;
  EXPECT_EQ(server.options, (options{{"Driver", "FreeTDS"}}));
  EXPECT_EQ(server.port, 1433);
  EXPECT_EQ(server.tls, tls_mode::require);
}

TEST(OdbcConnections, ByText) {
  const auto of = [](std::string_view url, std::optional<database_type> type = std::nullopt) {
    return connection_from_url("x", url, type);
  };
  const auto text = of("odbc:Driver={PostgreSQL Unicode};Servername=h;Port=5433;UID=u;PWD={p;}}w};Database=d;Fetch=10");
  EXPECT_EQ(text.where.host, "h");
  EXPECT_EQ(text.where.port, 5433);
  EXPECT_EQ(text.where.user, "u");
  EXPECT_EQ(text.where.password.reveal(), "p;}w");
  EXPECT_EQ(text.where.database, "d");
  EXPECT_EQ(text.where.options, (options{{"Driver", "PostgreSQL Unicode"}, {"Fetch", "10"}}));
  const auto url = of("odbc://u:p%3Bw@h:1433/d?driver=FreeTDS&TDS_Version=7.4");
  EXPECT_EQ(url.where.host, "h");
  EXPECT_EQ(url.where.password.reveal(), "p;w");
  EXPECT_EQ(url.where.options, (options{{"Driver", "FreeTDS"}, {"TDS_Version", "7.4"}}));
  EXPECT_EQ(of("odbc://u:p@sales").where.options, (options{{"DSN", "sales"}}));
  const auto ado = of("Server=tcp:h\\PROD,1444;User Id=u;Password=p;Initial Catalog=d;Encrypt=true;Connect Timeout=7",
                      database_type::mssql);
  EXPECT_EQ(ado.where.host, "h");
  EXPECT_EQ(ado.where.port, 1444);
  EXPECT_EQ(ado.where.database, "d");
  EXPECT_EQ(ado.where.tls, tls_mode::verify_full);
  EXPECT_EQ(ado.where.options, (options{{"instance", "PROD"}}));
  EXPECT_EQ(ado.overrides.connect_timeout, std::chrono::seconds(7));
  // A driver that stands in a field of its own makes the URL's host a host.
  const auto both = read("connections: {a: {driver: FreeTDS, dsn: 'odbc://u@h:1433/d'}}");
  EXPECT_EQ(named(both, "a").where.host, "h");
}

TEST(OdbcConnections, WhatIsMissingOrElsewhere) {
  EXPECT_THAT(problems_in("connections: {a: {type: odbc, host: h}}"),
              HasSubstr("connections.a.driver: is missing; an odbc connection needs a driver"));
  EXPECT_THAT(
      problems_in("connections: {a: {type: postgres, host: h, driver: x}}"),
      HasSubstr("connections.a.driver: a postgres connection has no such field; types that have it: mssql, odbc"));
  EXPECT_THAT(problems_in("connections: {a: {type: mssql, host: h, data_source: x}}"),
              HasSubstr("types that have it: odbc"));
  EXPECT_THAT(problems_in("connections: {a: {type: mssql}}"), HasSubstr("connections.a.host: is missing"));
  EXPECT_EQ(problems_in("connections: {a: {type: odbc, options: {driver: x}}}"), "");
}

}  // namespace
}  // namespace polypool::config::testing
