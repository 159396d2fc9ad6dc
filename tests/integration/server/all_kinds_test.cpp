// SPDX-License-Identifier: Apache-2.0
// The REST calls with a server of every kind of database.
#include "fixture.hpp"
#include "support/odbc_libraries.hpp"
#include "support/shared_server.hpp"

#include <polypool/drivers.hpp>

#include <algorithm>
#include <ostream>

namespace polypool::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class all_kinds_rest : public ServerTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    const std::string type = GetParam();
    const auto drivers = default_drivers();
    if (std::ranges::none_of(drivers, [&](const auto& each) { return each->type() == type; })) {
      GTEST_SKIP() << "this build has no driver for " << type;
    }
    if (type == "odbc") {
      if (const auto reason = why_no_library("psqlodbcw.so"); !reason.empty()) GTEST_SKIP() << reason;
    }
    const auto found = shared_url_of(type == "odbc" ? "postgres" : type, type);
    if (found.url.empty()) GTEST_SKIP() << found.why_not;
    settings_.defaults.connect_timeout = std::chrono::seconds(10);
    url_ = type == "odbc" ? over_odbc(found.url) : found.url;
  }
  static std::string over_odbc(const std::string& url) {
    const auto there = config::connection_from_url("there", url).where;
    return "odbc:Driver={" + odbc_library("psqlodbcw.so") + "};Servername=" + there.host +
           ";Port=" + std::to_string(there.port) + ";Database=" + there.database + ";UID=" + there.user + ";PWD={" +
           std::string(there.password.reveal()) + "}";
  }
  std::string url_;
};
INSTANTIATE_TEST_SUITE_P(kinds, all_kinds_rest, ::testing::Values("postgres", "mysql", "mongodb", "odbc"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(all_kinds_rest, create_switch_test_list_and_remove) {
  create_files({"first"});
  const auto made = create({{"other", url_}});
  EXPECT_EQ(boost::json::serialize(made.at("data").at("successful")), R"(["other"])");
  call("POST", multi + "switch/database", R"({"connectionName":"other"})", 200);
  EXPECT_EQ(active(), "other");

  const auto tested = call("POST", multi + "test/specific", R"({"database":"other"})", 200).at("data").at("database");
  EXPECT_EQ(tested.at("type"), GetParam());
  EXPECT_EQ(tested.at("status"), "healthy");
  EXPECT_NE(tested.at("role"), "unknown");
  EXPECT_FALSE(tested.at("version").as_string().empty());
  EXPECT_EQ(get(multi + "health").at("data").at("summary").at("healthyDatabases"), 2);

  const auto password = std::string(config::connection_from_url("there", url_).where.password.reveal());
  const auto listed = boost::json::serialize(get(admin + "list"));
  EXPECT_THAT(listed, HasSubstr(GetParam()));
  if (!password.empty()) {
    EXPECT_THAT(listed, Not(HasSubstr(password)));
  }
  call("POST", admin + "reconnect", R"({"connectionName":"other"})", 200);
  call("DELETE", multi + "remove", R"({"type":"database","connectionName":"other"})", 200);
  EXPECT_EQ(active(), "first");
}

TEST_P(all_kinds_rest, who_may_not_log_in_is_told_so) {
  const auto password = std::string(config::connection_from_url("there", url_).where.password.reveal());
  const auto at = password.empty() ? std::string::npos : url_.find(password);
  if (at == std::string::npos) GTEST_SKIP() << "the server asks for no password";
  auto wrong = url_;
  wrong.replace(at, password.size(), "not-the-password");
  const auto refused = create({{"other", wrong}}, 502);
  EXPECT_EQ(refused.at("data").at("failed").at(0).at("name"), "other");
  EXPECT_THAT(boost::json::serialize(refused), Not(HasSubstr("not-the-password")));
  EXPECT_EQ(get(multi + "list").at("data").at("summary").at("totalDatabases"), 0) << "nothing is left of it";
}

}  // namespace
}  // namespace polypool::test
