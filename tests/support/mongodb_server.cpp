// SPDX-License-Identifier: Apache-2.0
#include "support/mongodb_server.hpp"

#include "support/shared_server.hpp"

#include <polypool/config.hpp>

#include <boost/json/parse.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdexcept>
#include <unistd.h>

namespace polypool::test {
namespace {

const std::string control_script = POLYPOOL_SOURCE_DIR "/tests/support/mongodb_control";

endpoint endpoint_of(const std::string& url) {
  auto made = config::connection_from_url("test", url).where;
  made.options.try_emplace("auth_source", "admin");
  return made;
}

struct mongodb_of_the_run {
  shared_url found = shared_url_of("mongodb", "MongoDB");
  std::optional<endpoint> where;
  std::string folder;
  mongodb_of_the_run() {
    if (found.url.empty()) return;
    where = endpoint_of(found.url);
    const char* const given = std::getenv("MONGODB_URL");
    if (given == nullptr || *given == 0) folder = first_line(POLYPOOL_SERVERS_DIR "/mongodb.folder");
  }
};
const mongodb_of_the_run& shared_mongodb_server() {
  static const mongodb_of_the_run instance;
  return instance;
}

struct client_deleter {
  void operator()(mongoc_client_t* client) const { mongoc_client_destroy(client); }
  void operator()(mongoc_uri_t* uri) const { mongoc_uri_destroy(uri); }
};

std::unique_ptr<mongoc_client_t, client_deleter> connect(const endpoint& where) {
  static const bool quiet = [] {
    mongoc_log_set_handler(nullptr, nullptr);
    mongoc_init();
    return true;
  }();
  static_cast<void>(quiet);
  std::unique_ptr<mongoc_uri_t, client_deleter> uri(mongoc_uri_new_for_host_port(where.host.c_str(), where.port));
  if (!where.user.empty()) {
    mongoc_uri_set_username(uri.get(), where.user.c_str());
    mongoc_uri_set_password(uri.get(), where.password.reveal().c_str());
    mongoc_uri_set_auth_source(uri.get(), where.options.at("auth_source").c_str());
  }
  std::unique_ptr<mongoc_client_t, client_deleter> made(mongoc_client_new_from_uri(uri.get()));
  mongoc_client_set_appname(made.get(), "polypool-tests");
  return made;
}

}  // namespace

document mongodb_admin::run(const std::string& database, std::string_view command) const {
  const auto client = connect(where_);
  bson_error_t problem{};
  bson_t body;
  if (!bson_init_from_json(&body, command.data(), static_cast<ssize_t>(command.size()), &problem)) {
    throw std::runtime_error(std::string(command) + ": " + problem.message);
  }
  bson_t reply;
  const bool done = mongoc_client_command_simple(client.get(), database.c_str(), &body, nullptr, &reply, &problem);
  char* text = bson_as_relaxed_extended_json(&reply, nullptr);
  const std::string answer = text ? text : "{}";
  bson_free(text);
  bson_destroy(&reply);
  bson_destroy(&body);
  if (!done) throw std::runtime_error(std::string(command) + ": " + problem.message);
  return boost::json::parse(answer).as_object();
}

std::int64_t mongodb_admin::count(const std::string& database, const std::string& collection) const {
  return run(database, R"({"count": ")" + collection + R"("})").at("n").as_int64();
}

const std::optional<endpoint>& shared_mongodb::where() { return shared_mongodb_server().where; }
const std::string& shared_mongodb::url() { return shared_mongodb_server().found.url; }
const std::string& shared_mongodb::why_not() { return shared_mongodb_server().found.why_not; }
const std::string& shared_mongodb::folder() { return shared_mongodb_server().folder; }

mongodb_playground::mongodb_playground(polypool::endpoint where) : where_(std::move(where)), admin_(where_) {
  static std::atomic<int> counter = 0;
  where_.database = "polypool_test_" + std::to_string(::getpid()) + "_" + std::to_string(++counter);
}

mongodb_playground::~mongodb_playground() {
  try {
    admin_.run(name(), R"({"dropDatabase": 1})");
  } catch (const std::exception& problem) {
    ADD_FAILURE() << "the test's database is not gone: " << problem.what();
  }
}

std::string private_mongodb::why_not() {
  auto [text, status] = shell(control_script + " check");
  return status == 0 ? std::string() : text;
}

private_mongodb::private_mongodb() {
  std::string folder = (std::filesystem::temp_directory_path() / "polypool-private.XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder " + folder);
  folder_ = folder;
  try {
    control("create");
    control("start");
  } catch (...) {
    shell(control_script + " destroy " + folder_);
    throw;
  }
  where_ = endpoint_of(first_line(folder_ + "/url"));
}

private_mongodb::~private_mongodb() { shell(control_script + " destroy " + folder_); }

void private_mongodb::control(const std::string& command, const std::string& more) const {
  auto [text, status] = shell(control_script + " " + command + " " + folder_ + " " + more);
  if (status != 0) throw std::runtime_error("mongodb_control " + command + ": " + text);
}

void private_mongodb::start() const { control("start"); }
void private_mongodb::stop() const { control("stop"); }
void private_mongodb::kill() const { control("stop", "KILL"); }
void private_mongodb::restart() const {
  stop();
  start();
}
void private_mongodb::suspend() const { suspend_process(std::atoi(first_line(folder_ + "/server.pid").c_str())); }
void private_mongodb::resume() const { ::kill(std::atoi(first_line(folder_ + "/server.pid").c_str()), SIGCONT); }

void mongodb_test::SetUp() {
  if (!shared_mongodb::where()) GTEST_SKIP() << shared_mongodb::why_not();
  playground_ = std::make_unique<mongodb_playground>(*shared_mongodb::where());
}

void mongodb_test::TearDown() {
  if (!playground_) return;
  EXPECT_TRUE(wait_until([&] { return playground_->sessions() == 0; }))
      << "sessions leaked: " << playground_->sessions();
}

}  // namespace polypool::test
