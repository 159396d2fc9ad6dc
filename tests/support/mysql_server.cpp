// SPDX-License-Identifier: Apache-2.0
#include "support/mysql_server.hpp"

#include "support/shared_server.hpp"

#include <polypool/config.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mysql.h>
#include <signal.h>
#include <stdexcept>
#include <unistd.h>

namespace polypool::test {
namespace {

MYSQL* as_connection(void* pointer) { return static_cast<MYSQL*>(pointer); }

const std::string mysql_control_script = POLYPOOL_SOURCE_DIR "/tests/support/mysql_control";
const std::string servers_folder = POLYPOOL_SERVERS_DIR;

const auto& shared_mysql_server() { return shared_server_of<mysql_address>("mysql", "MySQL"); }

}  // namespace

mysql_address mysql_address::parse(std::string_view url) {
  const auto read = config::connection_from_url("test", url);
  if (read.type != config::database_type::mysql) throw std::runtime_error("MYSQL_URL is no URL of MySQL");
  mysql_address out;
  out.host = read.where.host;
  if (read.where.port != 0) out.port = read.where.port;
  out.user = read.where.user;
  out.password = read.where.password.reveal();
  out.database = read.where.database;
  return out;
}

std::string mysql_address::url() const {
  return "mysql://" + user + ":" + password + "@" + host + ":" + std::to_string(port) + "/" + database;
}

endpoint mysql_address::to_endpoint() const {
  endpoint out;
  out.host = host;
  out.port = port;
  out.user = user;
  out.password = secret(password);
  out.database = database;
  return out;
}

mysql_admin::mysql_admin(const mysql_address& where) : connection_(mysql_init(nullptr)) {
  const unsigned int protocol = MYSQL_PROTOCOL_TCP;
  mysql_options(as_connection(connection_), MYSQL_OPT_PROTOCOL, &protocol);
  mysql_options(as_connection(connection_), MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (mysql_real_connect(as_connection(connection_), where.host.c_str(), where.user.c_str(), where.password.c_str(),
                         where.database.c_str(), where.port, nullptr, 0) == nullptr) {
    const std::string text = mysql_error(as_connection(connection_));
    mysql_close(as_connection(connection_));
    throw std::runtime_error("the test's own session: " + text);
  }
}

mysql_admin::~mysql_admin() { mysql_close(as_connection(connection_)); }

mysql_admin::rows mysql_admin::execute(const std::string& sql) {
  MYSQL* const raw = as_connection(connection_);
  if (mysql_real_query(raw, sql.data(), sql.size()) != 0) throw std::runtime_error(sql + ": " + mysql_error(raw));
  const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> answer(mysql_store_result(raw), &mysql_free_result);
  rows out;
  while (MYSQL_ROW row = answer ? mysql_fetch_row(answer.get()) : nullptr) {
    const unsigned long* lengths = mysql_fetch_lengths(answer.get());
    auto& added = out.emplace_back();
    for (unsigned int i = 0; i < mysql_num_fields(answer.get()); ++i) {
      added.push_back(row[i] ? std::string(row[i], lengths[i]) : "NULL");
    }
  }
  return out;
}

std::string mysql_admin::value(const std::string& sql) {
  const auto all = execute(sql);
  if (all.empty() || all.front().empty()) throw std::runtime_error(sql + ": no row");
  return all.front().front();
}

std::vector<int> mysql_admin::sessions_of(std::string_view user) {
  std::vector<int> out;
  for (const auto& row : execute("SHOW FULL PROCESSLIST")) {
    if (row[1] == user) out.push_back(std::stoi(row[0]));
  }
  return out;
}

const std::optional<mysql_address>& shared_mysql::address() { return shared_mysql_server().address; }
const std::string& shared_mysql::why_not() { return shared_mysql_server().why_not; }

std::string shared_mysql_authority() {
  const std::string path = first_line(servers_folder + "/mysql.folder") + "/ca.pem";
  return std::filesystem::exists(path) ? path : std::string();
}

mysql_playground::mysql_playground(const mysql_address& where) : where_(where), admin_(where) {
  static std::atomic<int> counter = 0;
  name_ = "polypool_" + std::to_string(::getpid()) + "_" + std::to_string(++counter);
  admin_.execute("CREATE DATABASE " + name_ + " CHARACTER SET utf8mb4");
  admin_.execute("CREATE USER " + name_ + "@'%' IDENTIFIED BY 'secret of " + name_ + "'");
  std::string pattern;
  for (const char c : name_) pattern += c == '_' ? std::string("\\_") : std::string(1, c);
  admin_.execute("GRANT ALL ON `" + pattern + "%`.* TO " + name_ + "@'%'");
}

mysql_playground::~mysql_playground() {
  try {
    for (const int id : admin_.sessions_of(name_)) admin_.execute("KILL " + std::to_string(id));
    for (const auto& row : admin_.execute("SHOW DATABASES LIKE '" + name_ + "%'")) {
      admin_.execute("DROP DATABASE " + row[0]);
    }
    admin_.execute("DROP USER " + name_ + "@'%'");
  } catch (const std::exception& problem) {
    ADD_FAILURE() << "the test's database is not gone: " << problem.what();
  }
}

polypool::endpoint mysql_playground::endpoint() const {
  auto out = where_.to_endpoint();
  out.user = out.database = name_;
  out.password = secret("secret of " + name_);
  return out;
}

bool mysql_playground::sessions_become(int wanted) {
  return wait_until([&] { return sessions() == wanted; });
}

std::string private_mysql::why_not() {
  auto [text, status] = shell(mysql_control_script + " check");
  return status == 0 ? std::string() : text;
}

private_mysql::private_mysql(const std::string& settings) {
  std::string folder = (std::filesystem::temp_directory_path() / "polypool-private.XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder " + folder);
  folder_ = folder;
  try {
    control("create", first_line(servers_folder + "/mysql.folder") + ".template");
    if (!settings.empty()) std::ofstream(folder_ + "/my.cnf", std::ios::app) << settings << '\n';
    control("start");
  } catch (...) {
    shell(mysql_control_script + " destroy " + folder_);
    throw;
  }
  address_ = mysql_address::parse(first_line(folder_ + "/url"));
}

private_mysql::~private_mysql() {
  resume();
  shell(mysql_control_script + " destroy " + folder_);
}

void private_mysql::control(const std::string& command, const std::string& more) const {
  auto [text, status] = shell(mysql_control_script + " " + command + " " + folder_ + " " + more);
  if (status != 0) throw std::runtime_error("mysql_control " + command + ": " + text);
}

int private_mysql::process() const {
  const int pid = std::atoi(first_line(folder_ + "/pid").c_str());
  return pid > 0 && runs(pid) ? pid : 0;
}

void private_mysql::start() { control("start"); }
void private_mysql::stop_fast() { control("stop"); }
void private_mysql::restart() {
  stop_fast();
  start();
}

void private_mysql::kill() {
  const int pid = process();
  if (pid == 0) return;
  ::kill(pid, SIGKILL);
  if (!wait_until([&] { return !runs(pid); })) throw std::runtime_error("process survived kill -9");
}

void private_mysql::suspend() {
  if (const int pid = process(); pid != 0) suspend_process(pid);
}
void private_mysql::resume() {
  if (const int pid = process()) ::kill(pid, SIGCONT);
}

void mysql_test::SetUp() {
  if (!shared_mysql::address()) GTEST_SKIP() << shared_mysql::why_not();
  playground_ = std::make_unique<mysql_playground>(*shared_mysql::address());
}

void mysql_test::TearDown() {
  if (!playground_) return;
  EXPECT_TRUE(playground_->sessions_become(0)) << "sessions leaked: " << playground_->sessions();
}

}  // namespace polypool::test
