// SPDX-License-Identifier: Apache-2.0
// Connections from URLs and key/value strings.
#include "helpers.hpp"

#include <random>

namespace polypool::config::testing {
namespace {

using namespace std::chrono_literals;
using options = std::map<std::string, std::string>;

connection of(std::string_view url, std::optional<database_type> type = std::nullopt) {
  return connection_from_url("x", url, type);
}
std::string problems_of_url(std::string_view url, std::optional<database_type> type = std::nullopt) {
  return as_text(problems_of([&] { of(url, type); }));
}

TEST(Url, Postgres) {
  const auto one =
      of("postgres://app:s3cret@db.example:6543/shop?sslmode=verify-ca&schema=sales&application_name=a%20b"
         "&connect_timeout=7");
  EXPECT_EQ(one.name, "x");
  EXPECT_EQ(one.type, database_type::postgres);
  EXPECT_EQ(one.where.host, "db.example");
  EXPECT_EQ(one.where.port, 6543);
  EXPECT_EQ(one.where.user, "app");
  EXPECT_EQ(one.where.password.reveal(), "s3cret");
  EXPECT_EQ(one.where.database, "shop");
  EXPECT_EQ(one.where.tls, tls_mode::verify_ca);
  EXPECT_EQ(one.where.schema, "sales");
  EXPECT_EQ(one.where.options, (options{{"application_name", "a b"}}));
  EXPECT_EQ(one.overrides.connect_timeout, 7s);
  EXPECT_EQ(one.where.connect_timeout, 7s);
}

struct place {
  const char* url;
  database_type type;
  const char* host;
  std::uint16_t port;
  const char* user;
  const char* password;
  const char* database;
};

TEST(Url, SchemesPartsAndDefaultPorts) {
  using enum database_type;
  const place cases[] = {
      {"postgresql://h", postgres, "h", 5432, "", "", ""},
      {"POSTGRES://h/d", postgres, "h", 5432, "", "", "d"},
      {"postgres://u@h:/d", postgres, "h", 5432, "u", "", "d"},
      {"postgres://u:p%40%2F%3A%25ss@[2001:db8::1]:5/d", postgres, "2001:db8::1", 5, "u", "p@/:%ss", "d"},
      {"postgres://u:p:q@[::1]/d", postgres, "::1", 5432, "u", "p:q", "d"},
      {"postgres://u:p@ss#w^{}|@h/d", postgres, "h", 5432, "u", "p@ss#w^{}|", "d"},
      {"postgres://u%40corp:p@h", postgres, "h", 5432, "u@corp", "p", ""},
      {"postgres:///d?host=/var/run/postgresql", postgres, "/var/run/postgresql", 5432, "", "", "d"},
      {"postgres://%2Fvar%2Frun/d", postgres, "/var/run", 5432, "", "", "d"},
      {"postgres://h/d?user=u&password=p&port=7&dbname=e", postgres, "h", 7, "u", "p", "e"},
      {"postgres://h/d%2Fe", postgres, "h", 5432, "", "", "d/e"},
      {"postgres://a,b/d", postgres, "a,b", 5432, "", "", "d"},
      {"postgres://a:7,b:7/d", postgres, "a,b", 7, "", "", "d"},
      {" \tpostgres://h/d\n", postgres, "h", 5432, "", "", "d"},
      {"mysql://user:pass@host:3307/db", mysql, "host", 3307, "user", "pass", "db"},
      {"mariadb://host/db", mysql, "host", 3306, "", "", "db"},
      {"mysql://u@h/d?socket=/run/mysqld.sock", mysql, "/run/mysqld.sock", 3306, "u", "", "d"},
      {"mssql://sa:p@h/d", mssql, "h", 1433, "sa", "p", "d"},
      {"sqlserver://sa:p@h?database=d", mssql, "h", 1433, "sa", "p", "d"},
      {"mongodb://u:p@h/d", mongodb, "h", 27017, "u", "p", "d"},
      {"mongodb://a:1,b/d", mongodb, "a:1,b:27017", 27017, "", "", "d"},
      {"mongodb+srv://u:p@cluster/d", mongodb, "cluster", 0, "u", "p", "d"},
      {"redis://host:6379/0", redis, "host", 6379, "", "", "0"},
      {"redis://:p@host", redis, "host", 6379, "", "p", ""},
      {"rediss://u:p@host/3", redis, "host", 6379, "u", "p", "3"},
      {"redis://host?db=4", redis, "host", 6379, "", "", "4"},
      {"odbc://u:p@source/d", odbc, "", 0, "u", "p", "d"},
      {"odbc://h:1433/d?driver=FreeTDS", odbc, "h", 1433, "", "", "d"},
  };
  for (const auto& one : cases) {
    const auto made = of(one.url);
    EXPECT_EQ(made.type, one.type) << one.url;
    EXPECT_EQ(made.where.host, one.host) << one.url;
    EXPECT_EQ(made.where.port, one.port) << one.url;
    EXPECT_EQ(made.where.user, one.user) << one.url;
    EXPECT_EQ(made.where.password.reveal(), one.password) << one.url;
    EXPECT_EQ(made.where.database, one.database) << one.url;
  }
}

TEST(Url, HostsWithDifferentPorts) {
  const auto made = of("postgres://a:1,b/d?target_session_attrs=read-write");
  EXPECT_EQ(made.where.host, "a,b");
  EXPECT_EQ(made.where.options, (options{{"port", "1,5432"}, {"target_session_attrs", "read-write"}}));
}

TEST(Url, Sqlite) {
  const std::pair<const char*, const char*> cases[] = {
      {"sqlite:data/app.db", "data/app.db"},
      {"sqlite:/abs/app.db", "/abs/app.db"},
      {"sqlite:///abs/app.db", "/abs/app.db"},
      {"sqlite:////abs/app.db", "/abs/app.db"},
      {"sqlite://data/app.db", "data/app.db"},
      {"sqlite://localhost/abs.db", "/abs.db"},
      {"sqlite3:a%20b#c.db", "a b#c.db"},
      {"sqlite::memory:", ":memory:"},
      {"sqlite://:memory:", ":memory:"},
      {"sqlite://memory", ":memory:"},
      {"sqlite:memory", "memory"},
      {"file:app.db?mode=ro", "file:app.db?mode=ro"},
  };
  for (const auto& [url, path] : cases) {
    EXPECT_EQ(of(url).where.filepath, path) << url;
    EXPECT_EQ(of(url).type, database_type::sqlite);
    EXPECT_EQ(of(url).where.host, "");
  }
  EXPECT_EQ(of("data/app.db", database_type::sqlite).where.filepath, "data/app.db");
  const auto made = of("sqlite:a.db?busy_timeout=5s&mode=ro");
  EXPECT_EQ(made.where.filepath, "a.db");
  EXPECT_EQ(made.where.options, (options{{"busy_timeout", "5s"}, {"mode", "ro"}}));
}

TEST(Url, TlsAsEachDatabaseWritesIt) {
  const std::pair<const char*, tls_mode> cases[] = {
      {"postgres://h", tls_mode::disable},
      {"postgres://h?sslmode=prefer", tls_mode::prefer},
      {"postgres://h?sslmode=verify-full", tls_mode::verify_full},
      {"mysql://h?ssl-mode=REQUIRED", tls_mode::require},
      {"mysql://h?ssl-mode=VERIFY_CA", tls_mode::verify_ca},
      {"mysql://h?ssl-mode=VERIFY_IDENTITY", tls_mode::verify_full},
      {"mysql://h?tls=true", tls_mode::verify_full},
      {"mysql://h?useSSL=false", tls_mode::disable},
      {"sqlserver://h?encrypt=true", tls_mode::verify_full},
      {"sqlserver://h?trustServerCertificate=true&encrypt=true", tls_mode::require},
      {"sqlserver://h?encrypt=disable", tls_mode::disable},
      {"mongodb://h?tls=true", tls_mode::verify_full},
      {"mongodb://h?tls=true&tlsAllowInvalidCertificates=true", tls_mode::require},
      {"mongodb+srv://h", tls_mode::verify_full},
      {"mongodb+srv://h/?tls=false", tls_mode::disable},
      {"redis://h", tls_mode::disable},
      {"rediss://h", tls_mode::verify_full},
      {"rediss://h?sslmode=require", tls_mode::require},
  };
  for (const auto& [url, mode] : cases) EXPECT_EQ(of(url).where.tls, mode) << url;
}

TEST(Url, MongoOptionsHaveTheNamesOfTheFields) {
  const auto made = of("mongodb://h/d?authSource=users&replicaSet=rs0&readPreference=secondary&w=majority");
  EXPECT_EQ(
      made.where.options,
      (options{{"auth_source", "users"}, {"replica_set", "rs0"}, {"read_preference", "secondary"}, {"w", "majority"}}));
  EXPECT_EQ(of("mongodb://h/d").where.options, (options{{"auth_source", "admin"}}));
  EXPECT_EQ(of("mongodb+srv://h/d").where.options.at("srv"), "true");
  EXPECT_EQ(of("mongodb://h/?connectTimeoutMS=1500").overrides.connect_timeout, 1500ms);
}

TEST(Url, NamedInstancesOfSqlServer) {
  EXPECT_EQ(of("sqlserver://h/express?database=d").where.options, (options{{"instance", "express"}}));
  EXPECT_EQ(
      of("Server=tcp:h\\express,1444;Database=d;User Id=sa;Password={a;b}}c};Encrypt=yes;TrustServerCertificate=yes",
         database_type::mssql)
          .where.options,
      (options{{"instance", "express"}}));
}

TEST(KeyValues, AsLibpqWritesThem) {
  const auto made =
      of("host=/tmp port = 5433 user='me too' password='it\\'s \\\\ a \"x\"' dbname=d sslmode=require "
         "application_name=t",
         database_type::postgres);
  EXPECT_EQ(made.where.host, "/tmp");
  EXPECT_EQ(made.where.port, 5433);
  EXPECT_EQ(made.where.user, "me too");
  EXPECT_EQ(made.where.password.reveal(), "it's \\ a \"x\"");
  EXPECT_EQ(made.where.database, "d");
  EXPECT_EQ(made.where.tls, tls_mode::require);
  EXPECT_EQ(made.where.options, (options{{"application_name", "t"}}));
  EXPECT_EQ(of("host=h password=a\\ b", database_type::postgres).where.password.reveal(), "a b");
  EXPECT_EQ(of("host=h password=''", database_type::postgres).where.password.reveal(), "");
}

TEST(KeyValues, AsOdbcWritesThem) {
  const auto made = of("odbc:Driver={ODBC Driver 18}; Server=h ;Port=1;UID=u;PWD={p;w}}d};Database=d;TDS_Version=7.4");
  EXPECT_EQ(made.type, database_type::odbc);
  EXPECT_EQ(made.where.host, "h");
  EXPECT_EQ(made.where.port, 1);
  EXPECT_EQ(made.where.user, "u");
  EXPECT_EQ(made.where.password.reveal(), "p;w}d");
  EXPECT_EQ(made.where.database, "d");
  EXPECT_EQ(made.where.options, (options{{"Driver", "ODBC Driver 18"}, {"TDS_Version", "7.4"}}));
  EXPECT_EQ(of("DSN=source", database_type::odbc).where.options, (options{{"DSN", "source"}}));
  EXPECT_EQ(of("odbc://source").where.options, (options{{"DSN", "source"}}));
}

struct bad_url {
  const char* url;
  const char* expected;
  std::optional<database_type> type = std::nullopt;
};

TEST(Url, WhatIsWrongIsToldWithoutThePassword) {
  constexpr const char* hint = "are written as %40 for @";
  const bad_url cases[] = {
      {"", "the URL is empty"},
      {"  ", "the URL is empty"},
      {"hunter2", "this is not a URL that is known"},
      {"localhost:5432", "this is not a URL that is known"},
      {"oracle://u:hunter2@h", "this is not a URL that is known; it has to begin with one of postgres, mysql"},
      {"postgres:/h/d", "this is not a URL that is known"},
      {"postgres://u:hunter2@h:0/d", "the URL's port is not a number from 1 to 65535"},
      {"postgres://u:hunter2@h:65536", "the URL's port is not a number"},
      {"postgres://u:hunter2@h:x", "the URL's port is not a number"},
      {"postgres://u:12/hunter2@h/d", hint},
      {"postgres://u:hunter2/x@h/d", hint},
      {"postgres://u:x?hunter2@h/d", hint},
      {"postgres://u:hunter2%zz@h", "the URL's password has a '%' without two hexadecimal digits"},
      {"postgres://u:hunter2%00@h", "the URL's password has a '%'"},
      {"postgres://u%:hunter2@h", "the URL's user has a '%'"},
      {"postgres://[::1/d", "IPv6 address without its ']'"},
      {"postgres://[h]/d", "no IPv6 address between"},
      {"postgres://[::1]x/d", "something between ']' and the port"},
      {"postgres://h h/d", "the URL's host has a character that no host has"},
      {"postgres://h/d%", "the URL's path has a '%'"},
      {"postgres://h/d?x=%", "the URL's query has a '%'"},
      {"postgres://h/d?x", "not a list of name=value"},
      {"postgres://u:hunter2@h?sslmode=on-sundays", "the URL's sslmode is not a mode of TLS; allowed: disable"},
      {"postgres://h?port=x", "the URL's port is not a port"},
      {"postgres:///d", "x.host: is missing"},
      {"mysql://a,b/d", "more than one host; only postgres and mongodb allow that"},
      {"mongodb+srv://h:1/d", "a mongodb+srv URL has no port"},
      {"mongodb+srv://a,b/d", "a mongodb+srv URL has exactly one host"},
      {"mongodb://h?readPreference=near", "the URL's readpreference is not a read preference; allowed: primary"},
      {"redis://:hunter2@h/zero", "a Redis database is a number"},
      {"redis://h?db=-1", "the URL's db is too small"},
      {"sqlite:", "the URL has no file"},
      {"sqlite:///", "the URL has no file"},
      {"sqlite:a%2", "the path has a '%'"},
      {"sqlite:a?busy_timeout=5", "busy_timeout: has no unit"},
      {"odbc:", "an odbc connection needs a driver"},
      {"odbc:PWD={hunter2", "a '{' that is not closed"},
      {"postgres://h", "this is a URL for postgres, but the type is mysql", database_type::mysql},
      {"host=h password='hunter2", "has a quote that is not closed", database_type::postgres},
      {"host=h password=a hunter2", "is neither a URL nor a list of name=value", database_type::postgres},
      {"hunter2", "this is not a URL for this type of database; such a URL begins with postgres://",
       database_type::postgres},
      {"Server=h;hunter2", "is not a list of name=value, separated by ';'", database_type::mssql},
      {"hunter2=", "connections.x.host: is missing", database_type::mssql},
  };
  for (const auto& one : cases) {
    const auto problems = problems_of_url(one.url, one.type);
    EXPECT_NE(problems.find(one.expected), std::string::npos) << one.url << "\n" << problems;
    EXPECT_EQ(problems.find("hunter2"), std::string::npos) << problems;
  }
  EXPECT_NE(problems_of_url(std::string("postgres://h\0/d", 15)).find("has a NUL byte"), std::string::npos);
  EXPECT_THAT(as_text(problems_of([] { connection_from_url("a b", "redis://h"); })),
              ::testing::HasSubstr("is not a name"));
}

std::string escaped(const std::string& text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) != 0)
      out += static_cast<char>(c);
    else
      (out += '%').append({digits[c / 16], digits[c % 16]});
  }
  return out;
}

TEST(Url, ComesBackAsItWasBuilt) {
  std::mt19937 random(7);
  const auto word = [&](std::size_t longest, bool any) {
    std::string out;
    const auto size = random() % longest + 1;
    while (out.size() < size) {
      const auto c = static_cast<char>(random() % 255 + 1);
      if (any || std::isalnum(static_cast<unsigned char>(c)) != 0) out += c;
    }
    return out;
  };
  const char* schemes[] = {"postgres", "mysql", "mssql", "mongodb"};
  for (int i = 0; i < 3000; ++i) {
    const auto user = word(12, true);
    const auto password = word(24, true);
    const auto database = word(12, true);
    const bool ipv6 = random() % 4 == 0;
    const auto host = ipv6 ? "fe80::" + std::to_string(random() % 9999) : word(20, false);
    const auto port = static_cast<std::uint16_t>(random() % 65535 + 1);
    const auto value = word(10, true);
    const auto url = std::string(schemes[random() % 4]) + "://" + escaped(user) + ":" + escaped(password) + "@" +
                     (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port) + "/" + escaped(database) +
                     "?my_option=" + escaped(value);
    const auto made = of(url);
    ASSERT_EQ(made.where.user, user) << url;
    ASSERT_EQ(made.where.password.reveal(), password) << url;
    ASSERT_EQ(made.where.database, database) << url;
    ASSERT_EQ(made.where.host, host) << url;
    ASSERT_EQ(made.where.port, port) << url;
    ASSERT_EQ(made.where.options.at("my_option"), value) << url;
    ASSERT_EQ(redact_url(url).find(":" + escaped(password) + "@"), std::string::npos) << url;
  }
}

}  // namespace
}  // namespace polypool::config::testing
