// SPDX-License-Identifier: Apache-2.0
// From an endpoint to a connection string.
#include "drivers/odbc/connection_plan.hpp"

#include <polypool/error.hpp>

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace polypool::odbc {
namespace {

/// A machine of the test's own.
class machine final : public installation {
 public:
  std::map<std::string, std::string> installed;
  std::map<std::string, std::string> sources;
  std::set<std::string> files;
  std::vector<std::string> drivers() const override {
    std::vector<std::string> out;
    for (const auto& [name, library] : installed) out.push_back(name);
    return out;
  }
  std::string library_of(const std::string& driver) const override {
    const auto found = installed.find(driver);
    return found == installed.end() ? std::string() : found->second;
  }
  std::string driver_of_source(const std::string& source) const override {
    const auto found = sources.find(source);
    return found == sources.end() ? std::string() : found->second;
  }
  bool has_file(const std::string& path) const override { return files.contains(path); }
};

machine usual() {
  machine out;
  out.installed = {{"FreeTDS", "libtdsodbc.so"},
                   {"PostgreSQL Unicode", "/usr/lib/psqlodbcw.so"},
                   {"SQLite3", "libsqlite3odbc.so"},
                   {"Some Database", "libsome.so"}};
  out.sources = {{"sales", "PostgreSQL Unicode"}, {"other", "Some Database"}};
  return out;
}

endpoint place() {
  endpoint out;
  out.host = "db.example";
  out.user = "ann";
  out.password = "s;e}c=r";
  out.database = "shop";
  return out;
}

bool has(const connection_plan& plan, std::string_view part) {
  return plan.text.reveal().find(part) != std::string::npos;
}

error refusal(const endpoint& where, const installation& on, bool mssql = false) {
  try {
    if (mssql) {
      plan_mssql(where, on);
    } else {
      plan_odbc(where, on);
    }
  } catch (const error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::invalid_configuration) << problem.what();
    EXPECT_EQ(std::string(problem.what()).find("s;e}c=r"), std::string::npos) << problem.what();
    return problem;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {errc::internal_error, ""};
}

TEST(odbc_plan, sql_server_takes_the_best_driver_there_is) {
  auto on = usual();
  auto where = place();
  EXPECT_TRUE(has(plan_mssql(where, on), "Driver=FreeTDS;"));
  on.installed["ODBC Driver 17 for SQL Server"] = "/opt/libmsodbcsql-17.so";
  EXPECT_TRUE(has(plan_mssql(where, on), "Driver=ODBC Driver 17 for SQL Server;"));
  on.installed["ODBC Driver 18 for SQL Server"] = "/opt/libmsodbcsql-18.so";
  EXPECT_TRUE(has(plan_mssql(where, on), "Driver=ODBC Driver 18 for SQL Server;"));
  where.options["driver"] = "FreeTDS";
  EXPECT_EQ(plan_mssql(where, on).family, driver_family::freetds) << "unless another one is named";
  on.installed.clear();
  where.options.clear();
  on.files.insert("/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so");
  EXPECT_TRUE(has(plan_mssql(where, on), "Driver=/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so;"));
  on.files.clear();
  EXPECT_NE(std::string(refusal(where, on, true).what()).find("tdsodbc"), std::string::npos);
}

TEST(odbc_plan, of_freetds) {
  auto where = place();
  const auto plan = plan_mssql(where, usual());
  EXPECT_TRUE(has(plan, "Server=db.example;Port=1433;UID=ann;PWD={s;e}c=r};Database=shop;")) << plan.text.reveal();
  EXPECT_TRUE(has(plan, "TDS_Version=7.4;"));
  EXPECT_TRUE(has(plan, "Encryption=off;"));
  EXPECT_EQ(plan.place, "SQL Server at db.example:1433");
  EXPECT_EQ(plan.port, 1433);
  where.tls = tls_mode::require;
  where.options["instance"] = "PROD";
  where.options["PacketSize"] = "8192";
  const auto other = plan_mssql(where, usual());
  EXPECT_TRUE(has(other, "Encryption=require;"));
  EXPECT_TRUE(has(other, "Server=db.example\\PROD;UID"));
  EXPECT_TRUE(has(other, "PacketSize=8192;"));
  where.tls = tls_mode::verify_ca;
  EXPECT_FALSE(refusal(where, usual(), true).hint().empty());
  where = place();
  where.host.clear();
  refusal(where, usual(), true);
}

TEST(odbc_plan, of_microsofts_driver) {
  auto on = usual();
  on.installed["ODBC Driver 18 for SQL Server"] = "libmsodbcsql-18.so";
  auto where = place();
  where.port = 1444;
  const struct {
    tls_mode mode;
    std::string_view words;
  } all[] = {{tls_mode::disable, "Encrypt=no;TrustServerCertificate=yes;"},
             {tls_mode::require, "Encrypt=yes;TrustServerCertificate=yes;"},
             {tls_mode::verify_full, "Encrypt=yes;TrustServerCertificate=no;"}};
  for (const auto& each : all) {
    where.tls = each.mode;
    const auto plan = plan_mssql(where, on);
    EXPECT_TRUE(has(plan, "Server={tcp:db.example,1444};UID=ann;PWD={s;e}}c=r};Database=shop;")) << plan.text.reveal();
    EXPECT_TRUE(has(plan, each.words));
  }
}

TEST(odbc_plan, of_postgres) {
  auto where = place();
  where.options["Driver"] = "PostgreSQL Unicode";
  where.options["application_name"] = "it's me";
  where.schema = "my schema";
  auto plan = plan_odbc(where, usual());
  EXPECT_TRUE(has(plan, "Servername=db.example;Port=5432;UID=ann;PWD={s;e}}c=r};Database=shop;SSLmode=disable;"))
      << plan.text.reveal();
  EXPECT_TRUE(has(plan, "application_name='it\\'s me'"));
  EXPECT_TRUE(has(plan, "search_path=")) << plan.text.reveal();
  EXPECT_EQ(plan.place, "db.example:5432");
  where.options["BoolsAsChar"] = "1";
  where.user = "a;b";
  plan = plan_odbc(where, usual());
  EXPECT_TRUE(has(plan, "BoolsAsChar=1;"));
  EXPECT_FALSE(has(plan, "BoolsAsChar=0;")) << "what the user says counts";
  EXPECT_TRUE(has(plan, "user='a;b'"));
}

TEST(odbc_plan, of_data_sources) {
  auto where = place();
  where.host.clear();
  where.options["DSN"] = "sales";
  auto plan = plan_odbc(where, usual());
  EXPECT_TRUE(plan.text.reveal().starts_with("DSN=sales;")) << plan.text.reveal();
  EXPECT_FALSE(has(plan, "Servername"));
  EXPECT_FALSE(has(plan, "SSLmode")) << "the data source says that itself";
  EXPECT_EQ(plan.place, "data source 'sales'");
  EXPECT_EQ(plan.family, driver_family::psqlodbc);
  where.options["DSN"] = "other";
  plan = plan_odbc(where, usual());
  EXPECT_EQ(plan.family, driver_family::other);
  EXPECT_TRUE(has(plan, "PWD={s;e}}c=r};"));
  where.options["DSN"] = "missing";
  EXPECT_NE(std::string(refusal(where, usual()).what()).find("missing"), std::string::npos);
  where.options["DSN"] = std::string(33, 's');
  EXPECT_NE(std::string(refusal(where, usual()).what()).find("too long"), std::string::npos);
}

TEST(odbc_plan, what_cannot_be) {
  auto where = place();
  EXPECT_NE(std::string(refusal(where, usual()).what()).find("FreeTDS"), std::string::npos) << "names what there is";
  where.options["Driver"] = "Nothing";
  refusal(where, usual());
  where.options["Driver"] = "SQLite3";
  where.schema = "x";
  refusal(where, usual());
  where.schema.clear();
  where.database = "a;b";
  refusal(where, usual());
  where.database = std::string("a\0b", 3);
  refusal(where, usual());
  where.database = "a\xff";
  refusal(where, usual());
  where.database = "a";
  for (const auto* name : {"PWD", "uid", "Server", "password", "a;b", "", " a", "a=b", "a{"}) {
    where.options = {{"Driver", "SQLite3"}, {name, "x"}};
    refusal(where, usual());
  }
}

// Reads a connection string as ODBC says it is read.
std::map<std::string, std::string> read_back(std::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    const auto equals = text.find('=');
    const std::string key(text.substr(0, equals));
    text.remove_prefix(equals + 1);
    std::string value;
    if (text.starts_with('{')) {
      std::size_t at = 1;
      for (; text.at(at) != '}' || text.substr(at + 1, 1) == "}"; ++at) {
        value += text[at];
        if (text[at] == '}') ++at;
      }
      text.remove_prefix(at + 1);
    } else {
      const auto end = std::min(text.find(';'), text.size());
      value = text.substr(0, end);
      text.remove_prefix(end);
    }
    if (text.starts_with(';')) text.remove_prefix(1);
    EXPECT_TRUE(out.emplace(key, value).second) << "twice: " << key;
  }
  return out;
}

TEST(odbc_plan, values_are_read_back_as_they_are) {
  auto on = usual();
  on.installed["ODBC Driver 18 for SQL Server"] = "libmsodbcsql-18.so";
  for (const std::string odd :
       {"plain", "a;b", "a}b", "{a}", "}};{", "=", "a;UID=x", " a ", "[a]", "a{", "'\"", "ü€😀"}) {
    auto where = place();
    where.password = secret(odd);
    where.user = odd;
    where.database = odd;
    const auto plan = plan_mssql(where, on);
    auto read = read_back(plan.text.reveal());
    EXPECT_EQ(read["PWD"], odd);
    EXPECT_EQ(read["UID"], odd);
    EXPECT_EQ(read["Database"], odd);
    EXPECT_EQ(read.size(), 8u) << plan.text.reveal();
  }
}

}  // namespace
}  // namespace polypool::odbc
