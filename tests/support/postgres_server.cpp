// SPDX-License-Identifier: Apache-2.0
#include "support/postgres_server.hpp"

#include "support/shared_server.hpp"

#include <libpq-fe.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <signal.h>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

namespace polypool::test {
namespace {

PGconn* as_connection(void* pointer) { return static_cast<PGconn*>(pointer); }

const std::string postgres_control_script = POLYPOOL_SOURCE_DIR "/tests/support/postgres_control";

// The server of which private ones are copies; empty when the run has none.
std::string template_folder() {
  auto folder = first_line(POLYPOOL_SERVERS_DIR "/postgres.template");
  return std::filesystem::exists(folder) ? folder : std::string();
}

// Where servers of a test's own are kept: in memory where there is plenty, because making one writes a thousand files.
std::filesystem::path folder_of_servers() {
  const std::filesystem::path memory = "/dev/shm";
  constexpr std::uintmax_t plenty = 2ULL << 30;
  std::error_code problem;
  const auto room = std::filesystem::space(memory, problem);
  if (!problem && room.available >= plenty && ::access(memory.c_str(), W_OK) == 0) return memory;
  return std::filesystem::temp_directory_path();
}

const auto& shared_postgres_server() { return shared_server_of<postgres_address>("postgres", "PostgreSQL"); }

}  // namespace

postgres_address postgres_address::parse(std::string_view url) {
  char* problem = nullptr;
  PQconninfoOption* options = PQconninfoParse(std::string(url).c_str(), &problem);
  if (options == nullptr) {
    std::string text = problem ? problem : "out of memory";
    PQfreemem(problem);
    throw std::runtime_error("POSTGRES_URL: " + text);
  }
  postgres_address out;
  for (const auto* option = options; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view key = option->keyword;
    if (key == "host") out.host = option->val;
    if (key == "port") out.port = static_cast<std::uint16_t>(std::atoi(option->val));
    if (key == "user") out.user = option->val;
    if (key == "password") out.password = option->val;
    if (key == "dbname") out.database = option->val;
  }
  PQconninfoFree(options);
  return out;
}

std::string postgres_address::url() const {
  return "postgres://" + user + ":" + password + "@" + host + ":" + std::to_string(port) + "/" + database;
}

endpoint postgres_address::to_endpoint(std::string_view application_name) const {
  endpoint out;
  out.host = host;
  out.port = port;
  out.user = user;
  out.password = secret(password);
  out.database = database;
  out.options["application_name"] = application_name;
  return out;
}

postgres_admin::postgres_admin(const postgres_address& where) : connection_(PQconnectdb(where.url().c_str())) {
  if (PQstatus(as_connection(connection_)) != CONNECTION_OK) {
    const std::string text = PQerrorMessage(as_connection(connection_));
    PQfinish(as_connection(connection_));
    throw std::runtime_error("the test's own session: " + text);
  }
  PQsetNoticeProcessor(as_connection(connection_), [](void*, const char*) {}, nullptr);
}

postgres_admin::~postgres_admin() { PQfinish(as_connection(connection_)); }

postgres_admin::rows postgres_admin::execute(const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> answer(PQexec(as_connection(connection_), sql.c_str()), &PQclear);
  const auto status = PQresultStatus(answer.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error(sql + ": " + PQerrorMessage(as_connection(connection_)));
  }
  rows out(static_cast<std::size_t>(PQntuples(answer.get())));
  for (std::size_t r = 0; r < out.size(); ++r) {
    for (int c = 0; c < PQnfields(answer.get()); ++c) {
      out[r].emplace_back(PQgetvalue(answer.get(), static_cast<int>(r), c));
    }
  }
  return out;
}

std::string postgres_admin::value(const std::string& sql) {
  const auto all = execute(sql);
  if (all.empty() || all.front().empty()) throw std::runtime_error(sql + ": no row");
  return all.front().front();
}

int postgres_admin::count_sessions(std::string_view application_name) {
  return std::stoi(
      value("SELECT count(*) FROM pg_stat_activity WHERE application_name = '" + std::string(application_name) + "'"));
}

const std::optional<postgres_address>& shared_postgres::address() { return shared_postgres_server().address; }
const std::string& shared_postgres::why_not() { return shared_postgres_server().why_not; }

postgres_playground::postgres_playground(const postgres_address& where) : where_(where), admin_(where) {
  static std::atomic<int> counter = 0;
  name_ = "polypool_test_" + std::to_string(::getpid()) + "_" + std::to_string(++counter);
  admin_.execute("CREATE SCHEMA " + name_);
}

postgres_playground::~postgres_playground() {
  try {
    admin_.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" + name_ + "'");
    admin_.execute("DROP SCHEMA " + name_ + " CASCADE");
  } catch (const std::exception& problem) {
    ADD_FAILURE() << "the test's schema is not gone: " << problem.what();
  }
}

polypool::endpoint postgres_playground::endpoint() const {
  auto out = where_.to_endpoint(name_);
  out.schema = name_;
  return out;
}

bool postgres_playground::sessions_become(int wanted) {
  return wait_until([&] { return sessions() == wanted; });
}

std::string private_postgres::why_not() {
  auto [text, status] = shell(postgres_control_script + " check");
  return status == 0 ? std::string() : text;
}

private_postgres::private_postgres() : template_(template_folder()) { make("create", template_); }
private_postgres::private_postgres(const private_postgres& primary) : template_(primary.template_) {
  make("clone", "'" + primary.address().url() + "' " + template_);
}

void private_postgres::make(const std::string& command, const std::string& more) {
  std::string folder = (folder_of_servers() / "polypool-private.XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder " + folder);
  folder_ = folder;
  try {
    control(command, more);
    control("start");
  } catch (...) {
    shell(postgres_control_script + " destroy " + folder_);
    throw;
  }
  address_ = postgres_address::parse(first_line(folder_ + "/url"));
}

private_postgres::~private_postgres() {
  if (suspended_) signal_all(SIGCONT);
  shell(postgres_control_script + " destroy " + folder_);
}

void private_postgres::control(const std::string& command, const std::string& more) const {
  auto [text, status] = shell(postgres_control_script + " " + command + " " + folder_ + " " + more);
  if (status != 0) throw std::runtime_error("postgres_control " + command + ": " + text);
}

void private_postgres::start() { control("start"); }
void private_postgres::stop_fast() { control("stop"); }
void private_postgres::restart() {
  stop_fast();
  start();
}

// The server and its children.
std::vector<int> private_postgres::processes() const {
  const int server = std::atoi(first_line(folder_ + "/data/postmaster.pid").c_str());
  if (server <= 0 || !runs(server)) return {};
  std::vector<int> out{server};
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && parent_of(pid) == server) out.push_back(pid);
  }
  return out;
}

void private_postgres::signal_all(int number) const {
  for (const int pid : processes()) ::kill(pid, number);
}

void private_postgres::kill() {
  const auto all = processes();
  for (const int pid : all) ::kill(pid, SIGKILL);
  suspended_ = false;
  for (const int pid : all) {
    if (!wait_until([&] { return !runs(pid); })) throw std::runtime_error("process survived kill -9");
  }
}

void private_postgres::suspend() {
  suspended_ = true;
  for (const int pid : processes()) suspend_process(pid);
}
void private_postgres::resume() {
  signal_all(SIGCONT);
  suspended_ = false;
}

void private_postgres::become_standby() {
  stop_fast();
  const auto [text, status] =
      shell("install -o $(stat -c %U " + folder_ + "/data) -m 600 /dev/null " + folder_ + "/data/standby.signal");
  if (status != 0) throw std::runtime_error("standby.signal: " + text);
  start();
}

void private_postgres::follow(const private_postgres& primary) {
  control("follow", "'" + primary.address().url() + "'");
  start();
}

void private_postgres::pause_replay() {
  postgres_admin admin(address_);
  admin.execute("SELECT pg_wal_replay_pause()");
  if (!wait_until([&] { return admin.value("SELECT pg_get_wal_replay_pause_state()") == "paused"; })) {
    throw std::runtime_error("the standby does not pause");
  }
}

void private_postgres::promote() { postgres_admin(address_).execute("SELECT pg_promote(true, 60)"); }

void postgres_test::SetUp() {
  if (!shared_postgres::address()) GTEST_SKIP() << shared_postgres::why_not();
  playground_ = std::make_unique<postgres_playground>(*shared_postgres::address());
}

void postgres_test::TearDown() {
  if (!playground_) return;
  EXPECT_TRUE(playground_->sessions_become(0)) << "sessions leaked: " << playground_->sessions();
}

}  // namespace polypool::test
