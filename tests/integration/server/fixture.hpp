// SPDX-License-Identifier: Apache-2.0
// A real HTTP server over a manager with SQLite files.
#pragma once

#include "support/http_client.hpp"
#include "support/silent_port.hpp"

#include <polypool/manager.hpp>
#include <polypool/server.hpp>
#include <polypool/telemetry.hpp>
#include <polypool/webhooks.hpp>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace polypool::test {

inline const std::string multi = "/api/admin/connections/multi/";
inline const std::string admin = "/api/admin/connections/";

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "polypool_server_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    settings_.defaults.connect_timeout = std::chrono::milliseconds(300);
    settings_.defaults.retry_attempts = 1;
    settings_.server.port = 0;
    settings_.drain_timeout = std::chrono::seconds(2);
    settings_.force_timeout = std::chrono::seconds(4);
  }
  ~ServerTest() override {
    server_.reset();
    hooks_.reset();
    manager_.reset();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    log::sink_options options;
    options.least = log::level::debug;
    options.stream = &log_;
    const log::logger logger(log::make_log_sink(options));
    manager_ = std::make_unique<manager>(settings_, logger);
    hooks_ = std::make_unique<webhook_sender>(manager_->events(), settings_.webhooks, logger);
    server_ =
        std::make_unique<http_server>(*manager_, settings_.server, logger, limits_, nullptr, hooks_.get(), starting_);
  }
  std::uint16_t port() {
    if (!server_) start();
    return server_->port();
  }
  std::string file_url(std::string_view name) const { return "sqlite:" + folder_ + "/" + std::string(name) + ".db"; }

  http_reply exchange(std::string_view method, const std::string& path, std::string_view body = {}) {
    return http_exchange(port(), method, path, body);
  }
  /// The reply's JSON; checks the status and, below /api, the form of the envelope.
  boost::json::object call(std::string_view method, const std::string& path, std::string_view body, int status) {
    const auto reply = exchange(method, path, body);
    EXPECT_EQ(reply.status, status) << method << ' ' << path << ' ' << reply.body;
    EXPECT_EQ(reply.headers.at("content-type"), "application/json");
    auto parsed = boost::json::parse(reply.body).as_object();
    if (path.starts_with("/api")) {
      EXPECT_EQ(parsed.at("success").as_bool(), status < 300);
      if (status < 300) {
        EXPECT_TRUE(parsed.at("message").is_string());
        EXPECT_TRUE(parsed.at("data").at("timestamp").is_string());
      } else {
        EXPECT_TRUE(parsed.at("error").is_string());
        EXPECT_TRUE(parsed.at("details").is_string());
        EXPECT_TRUE(parsed.at("code").is_string());
      }
    }
    return parsed;
  }
  boost::json::object get(const std::string& path, int status = 200) { return call("GET", path, "", status); }
  boost::json::object create(const std::vector<std::pair<std::string, std::string>>& wanted, int status = 200) {
    boost::json::array list;
    for (const auto& [name, url] : wanted) list.push_back({{"name", name}, {"url", url}});
    const auto body = boost::json::serialize(boost::json::object{{"connections", list}});
    return call("POST", multi + "database", body, status);
  }
  void create_files(const std::vector<std::string>& names) {
    std::vector<std::pair<std::string, std::string>> wanted;
    for (const auto& name : names) wanted.emplace_back(name, file_url(name));
    ASSERT_EQ(create(wanted).at("data").at("successful").as_array().size(), names.size());
  }
  std::string error_of(std::string_view method, const std::string& path, std::string_view body, int status) {
    return std::string(call(method, path, body, status).at("error").as_string());
  }
  std::string code_of(std::string_view method, const std::string& path, std::string_view body, int status) {
    return std::string(call(method, path, body, status).at("code").as_string());
  }
  std::string active() {
    const auto found = get(admin + "active").at("data").at("database");
    return found.is_null() ? "" : std::string(found.at("name").as_string());
  }

  std::string folder_;
  config::settings settings_;
  server_limits limits_;
  bool starting_ = false;   // as a daemon that still connects its databases
  std::ostringstream log_;  // read only when nobody writes any more
  std::unique_ptr<manager> manager_;
  std::unique_ptr<webhook_sender> hooks_;
  std::unique_ptr<http_server> server_;
};

}  // namespace polypool::test
