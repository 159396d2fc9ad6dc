// SPDX-License-Identifier: Apache-2.0
// An endpoint in libmongoc's words.
#include "drivers/mongodb/settings.hpp"

#include "drivers/mongodb/library.hpp"

#include <polypool/config.hpp>
#include <polypool/mongodb.hpp>

#include <gtest/gtest.h>

namespace polypool::mongodb {
namespace {

using namespace std::chrono_literals;

endpoint plain() {
  endpoint out;
  out.host = "db.example";
  out.port = 27017;
  return out;
}

std::string hosts_of(const settings& how) {
  std::string out;
  for (const auto* each = mongoc_uri_get_hosts(how.uri.get()); each; each = each->next) {
    out += (out.empty() ? "" : " ") + std::string(each->host_and_port);
  }
  return out;
}

error refusal(const endpoint& where) {
  try {
    read_settings(where);
  } catch (const error& problem) {
    EXPECT_EQ(problem.portable_code(), errc::invalid_configuration) << problem.what();
    return problem;
  }
  ADD_FAILURE() << "was taken";
  return {errc::internal_error, "was taken"};
}

class mongodb_settings : public ::testing::Test {
 protected:
  mongodb_settings() { prepare_library(); }
};

TEST_F(mongodb_settings, hosts) {
  auto where = plain();
  EXPECT_EQ(hosts_of(read_settings(where)), "db.example:27017");
  EXPECT_FALSE(read_settings(where).several_servers);
  where.host = "";
  EXPECT_EQ(hosts_of(read_settings(where)), "localhost:27017");
  where.host = "::1";
  EXPECT_EQ(hosts_of(read_settings(where)), "[::1]:27017");
  where.host = "a:1,b,[::1]:3";
  const auto several = read_settings(where);
  EXPECT_EQ(hosts_of(several), "a:1 b:27017 [::1]:3");
  EXPECT_EQ(several.place, "a:1,b:27017,[::1]:3");
  EXPECT_TRUE(several.several_servers);
  where.host = "/tmp/mongodb-27017.sock";
  const auto local = read_settings(where);
  EXPECT_EQ(mongoc_uri_get_hosts(local.uri.get())->family, AF_UNIX);
  EXPECT_EQ(local.place, "/tmp/mongodb-27017.sock");
  for (const auto* bad : {"a b", "a,,b", "a@b", "a/b", "a?x=1", "a%41"}) {
    where.host = bad;
    EXPECT_NE(refusal(where).cause().find("host"), std::string::npos) << bad;
  }
}

TEST_F(mongodb_settings, credentials_are_escaped_and_never_shown) {
  auto where = plain();
  where.user = "üser:@/?%";
  where.password = "p@ss:/?%#word";
  where.options["auth_source"] = "$external";
  const auto how = read_settings(where);
  EXPECT_STREQ(mongoc_uri_get_username(how.uri.get()), "üser:@/?%");
  EXPECT_STREQ(mongoc_uri_get_password(how.uri.get()), "p@ss:/?%#word");
  EXPECT_STREQ(mongoc_uri_get_auth_source(how.uri.get()), "$external");
  where.options.clear();
  EXPECT_STREQ(mongoc_uri_get_auth_source(read_settings(where).uri.get()), "admin");
  where.options["auth_mechanism"] = "PLAIN";
  EXPECT_STREQ(mongoc_uri_get_auth_source(read_settings(where).uri.get()), "$external");
  where.options["auth_mechanism"] = "NO-SUCH";
  where.options["read_preference"] = "never";
  EXPECT_EQ(std::string(refusal(where).what()).find("p@ss"), std::string::npos);
  where.options["read_preference"] = "primary";
  where.password = "\xff\xfe";
  EXPECT_NE(refusal(where).cause().find("UTF-8"), std::string::npos);
}

TEST_F(mongodb_settings, options_in_both_spellings) {
  for (const bool underscores : {true, false}) {
    auto where = plain();
    where.options[underscores ? "replica_set" : "replicaSet"] = "rs0";
    where.options[underscores ? "read_preference" : "readPreference"] =
        underscores ? "secondary_preferred" : "secondaryPreferred";
    where.options[underscores ? "app_name" : "appName"] = "mine";
    where.options[underscores ? "server_selection_timeout" : "serverSelectionTimeoutMS"] = underscores ? "2s" : "2000";
    where.options[underscores ? "socket_timeout" : "socketTimeoutMS"] = underscores ? "3s" : "3000";
    where.options[underscores ? "retry_reads" : "retryReads"] = "false";
    where.options[underscores ? "retry_writes" : "retryWrites"] = "false";
    where.options["w"] = "majority";
    where.options[underscores ? "w_timeout" : "wtimeoutMS"] = "500";
    where.options[underscores ? "read_concern_level" : "readConcernLevel"] = "majority";
    const auto how = read_settings(where);
    EXPECT_STREQ(mongoc_uri_get_replica_set(how.uri.get()), "rs0");
    EXPECT_EQ(mongoc_read_prefs_get_mode(mongoc_uri_get_read_prefs_t(how.uri.get())), MONGOC_READ_SECONDARY_PREFERRED);
    EXPECT_STREQ(mongoc_uri_get_appname(how.uri.get()), "mine");
    EXPECT_EQ(how.server_selection, 2s);
    EXPECT_EQ(how.socket_timeout, 3s);
    EXPECT_TRUE(how.socket_timeout_configured);
    EXPECT_FALSE(how.retry_reads);
    EXPECT_TRUE(how.several_servers);
    EXPECT_FALSE(mongoc_uri_get_option_as_bool(how.uri.get(), MONGOC_URI_RETRYWRITES, true));
    EXPECT_EQ(mongoc_uri_get_option_as_int32(how.uri.get(), MONGOC_URI_WTIMEOUTMS, 0), 500);
    EXPECT_TRUE(mongoc_write_concern_get_wmajority(mongoc_uri_get_write_concern(how.uri.get())));
  }
}

TEST_F(mongodb_settings, defaults) {
  const auto how = read_settings(plain());
  EXPECT_EQ(how.server_selection, 10s);
  EXPECT_EQ(how.socket_timeout, 30s);
  EXPECT_EQ(how.connect_timeout, 10s);
  EXPECT_FALSE(how.socket_timeout_configured);
  EXPECT_TRUE(how.retry_reads);
  EXPECT_STREQ(mongoc_uri_get_appname(how.uri.get()), "polypool");
  EXPECT_EQ(mongoc_uri_get_option_as_int32(how.uri.get(), MONGOC_URI_CONNECTTIMEOUTMS, 0), 10000);
}

TEST_F(mongodb_settings, bad_options_are_named) {
  const std::pair<const char*, const char*> all[] = {
      {"no_such_option", "1"},    {"read_preference", "somewhere"}, {"server_selection_timeout", "soon"},
      {"retry_reads", "perhaps"}, {"srv_max_hosts", "many"},        {"max_pool_size", "5"},
      {"socket_timeout", "-5s"},  {"direct_connection", "maybe"},   {"zlib_compression_level", "x"},
  };
  for (const auto& [name, text] : all) {
    auto where = plain();
    where.options[name] = text;
    EXPECT_NE(refusal(where).cause().find(name), std::string::npos) << name << ": " << refusal(where).what();
  }
  auto where = plain();
  where.host = "a,b";
  where.options["direct_connection"] = "true";
  EXPECT_FALSE(refusal(where).cause().empty());
  where.options = {{"srv", "true"}};
  for (const auto* host : {"", "a,b", "db", "db.example", "a.b.c:27017"}) {
    where.host = host;
    EXPECT_NE(refusal(where).cause().find("host"), std::string::npos) << host;
  }
}

TEST_F(mongodb_settings, tls) {
  auto where = plain();
  where.tls = tls_mode::verify_full;
  where.options["tlsCAFile"] = "/ca.pem";
  where.options["tls_certificate_key_file"] = "/me.pem";
  where.options["tlsCertificateKeyFilePassword"] = "geheim";
  auto how = read_settings(where);
  EXPECT_EQ(how.tls.mode, tls_mode::verify_full);
  EXPECT_EQ(how.tls.ca_file, "/ca.pem");
  EXPECT_EQ(how.tls.certificate_file, "/me.pem");
  EXPECT_EQ(how.tls.certificate_password.reveal(), "geheim");
  EXPECT_FALSE(mongoc_uri_get_tls(how.uri.get())) << "libmongoc must not do it, too";
  where.options["tlsAllowInvalidHostnames"] = "true";
  EXPECT_EQ(read_settings(where).tls.mode, tls_mode::verify_ca);
}

TEST_F(mongodb_settings, urls_of_configuration_work) {
  const auto one = config::connection_from_url(
      "m", "mongodb://u:p%40ss@a:27018,b:27019/app?replicaSet=rs&readPreference=nearest&tls=true&appName=x");
  const auto how = read_settings(one.where);
  EXPECT_EQ(hosts_of(how), "a:27018 b:27019");
  EXPECT_STREQ(mongoc_uri_get_password(how.uri.get()), "p@ss");
  EXPECT_EQ(how.database, "app");
  EXPECT_EQ(how.tls.mode, tls_mode::verify_full);
  const auto srv = config::connection_from_url("m", "mongodb+srv://u:p@cluster.db.example/app");
  const auto found = read_settings(srv.where);
  EXPECT_STREQ(mongoc_uri_get_srv_hostname(found.uri.get()), "cluster.db.example");
  EXPECT_FALSE(mongoc_uri_get_tls(found.uri.get()));
  EXPECT_EQ(found.tls.mode, tls_mode::verify_full);
  EXPECT_TRUE(found.several_servers);
}

}  // namespace
}  // namespace polypool::mongodb
