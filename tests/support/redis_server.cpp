// SPDX-License-Identifier: Apache-2.0
#include "support/redis_server.hpp"

#include "support/shared_server.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netdb.h>
#include <signal.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace polypool::test {
namespace {

const auto& shared_redis_server() { return shared_server_of<redis_address>("redis", "Redis"); }

int connect_to(const redis_address& where) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &found) != 0) return -1;
  const int descriptor = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(descriptor, found->ai_addr, found->ai_addrlen) == 0;
  ::freeaddrinfo(found);
  if (connected) return descriptor;
  ::close(descriptor);
  return -1;
}

}  // namespace

redis_address redis_address::parse(std::string_view url) {
  redis_address out;
  if (!url.starts_with("redis://")) throw std::runtime_error("REDIS_URL does not begin with redis://");
  url.remove_prefix(8);
  url = url.substr(0, url.find('/'));
  if (const auto at = url.rfind('@'); at != std::string_view::npos) {
    const auto who = url.substr(0, at);
    url.remove_prefix(at + 1);
    out.user = who.substr(0, who.find(':'));
    if (const auto colon = who.find(':'); colon != std::string_view::npos) out.password = who.substr(colon + 1);
  }
  out.host = url.substr(0, url.find(':'));
  if (const auto colon = url.find(':'); colon != std::string_view::npos) {
    out.port = static_cast<std::uint16_t>(std::atoi(std::string(url.substr(colon + 1)).c_str()));
  }
  return out;
}

endpoint redis_address::to_endpoint(std::string_view client_name) const {
  endpoint out;
  out.host = host;
  out.port = port;
  out.user = user;
  out.password = secret(password);
  out.options["client_name"] = client_name;
  return out;
}

std::string redis_address::url() const {
  const std::string who = password.empty() ? "" : user + ":" + password + "@";
  return "redis://" + who + host + ":" + std::to_string(port) + "/0";
}

redis_admin::redis_admin(const redis_address& where) : descriptor_(connect_to(where)) {
  if (descriptor_ < 0) throw std::runtime_error("the test's own session: cannot connect to " + where.host);
  if (where.password.empty()) return;
  std::vector<std::string> login{"AUTH"};
  if (!where.user.empty()) login.push_back(where.user);
  login.push_back(where.password);
  words(login);
}

redis_admin::~redis_admin() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string redis_admin::read_line() {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    char piece[4096];
    const auto count = ::recv(descriptor_, piece, sizeof piece, 0);
    if (count <= 0) throw std::runtime_error("the test's own session: the server closed it");
    buffer_.append(piece, static_cast<std::size_t>(count));
  }
  auto line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

std::string redis_admin::read_bytes(std::size_t count) {
  while (buffer_.size() < count + 2) {
    char piece[65536];
    const auto got = ::recv(descriptor_, piece, sizeof piece, 0);
    if (got <= 0) throw std::runtime_error("the test's own session: the server closed it");
    buffer_.append(piece, static_cast<std::size_t>(got));
  }
  auto bytes = buffer_.substr(0, count);
  buffer_.erase(0, count + 2);
  return bytes;
}

void redis_admin::read_answer(std::vector<std::string>& out) {
  const std::string line = read_line();
  const std::string rest = line.substr(1);
  if (line[0] == '-') throw std::runtime_error(rest);
  if (line[0] == '$' || line[0] == '*') {
    const int count = std::atoi(rest.c_str());
    if (count < 0) {
      out.emplace_back("(null)");
    } else if (line[0] == '$') {
      out.push_back(read_bytes(static_cast<std::size_t>(count)));
    } else {
      for (int i = 0; i < count; ++i) read_answer(out);
    }
    return;
  }
  out.push_back(rest);
}

std::vector<std::string> redis_admin::words(const std::vector<std::string>& command) {
  std::string text = "*" + std::to_string(command.size()) + "\r\n";
  for (const auto& word : command) text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  for (std::string_view rest = text; !rest.empty();) {
    const auto count = ::send(descriptor_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count <= 0) throw std::runtime_error("the test's own session: the server closed it");
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  std::vector<std::string> out;
  read_answer(out);
  return out;
}

std::string redis_admin::operator()(const std::vector<std::string>& command) {
  std::string out;
  for (const auto& word : words(command)) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

int redis_admin::count_sessions(std::string_view client_name) {
  const std::string all = (*this)({"CLIENT", "LIST"});
  const std::string mark = " name=" + std::string(client_name) + " ";
  int count = 0;
  for (auto at = all.find(mark); at != std::string::npos; at = all.find(mark, at + 1)) ++count;
  return count;
}

const std::optional<redis_address>& shared_redis::address() { return shared_redis_server().address; }
const std::string& shared_redis::why_not() { return shared_redis_server().why_not; }

redis_playground::redis_playground(const redis_address& where) : where_(where), admin_(where) {
  static std::atomic<int> counter = 0;
  name_ = "polypool_test_" + std::to_string(::getpid()) + "_" + std::to_string(++counter);
}

redis_playground::~redis_playground() {
  try {
    std::string cursor = "0";
    do {
      auto found = admin_.words({"SCAN", cursor, "MATCH", name_ + "*", "COUNT", "10000"});
      cursor = found[0];
      found[0] = "UNLINK";
      if (found.size() > 1) admin_.words(found);
    } while (cursor != "0");
  } catch (const std::exception& problem) {
    ADD_FAILURE() << "the test's keys are not gone: " << problem.what();
  }
}

bool redis_playground::sessions_become(int wanted) {
  return wait_until([&] { return sessions() == wanted; });
}

namespace {

// Binds for a moment. @param wanted 0: any @return 0 when it is taken
std::uint16_t bindable(std::uint16_t wanted) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(wanted);
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof place;
  const bool bound = ::bind(descriptor, reinterpret_cast<sockaddr*>(&place), size) == 0;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&place), &size);
  ::close(descriptor);
  return bound ? ntohs(place.sin_port) : std::uint16_t{0};
}

// A node of a cluster talks to the others on the port that is 10,000 above its own.
std::uint16_t free_port_of_node() {
  for (;;) {
    const auto port = bindable(0);
    if (port < 55'000 && bindable(static_cast<std::uint16_t>(port + 10'000)) != 0) return port;
  }
}

}  // namespace

std::uint16_t free_port() { return bindable(0); }

std::string private_redis::why_not() {
  return std::system("command -v redis-server >/dev/null 2>&1") == 0 ? "" : "redis-server is not installed";
}

private_redis::private_redis(redis_lines settings, std::string program)
    : settings_(std::move(settings)), program_(std::move(program)) {
  if (const auto found = settings_.find("requirepass"); found != settings_.end()) address_.password = found->second;
  // Somebody else may take the port before the server does.
  for (int attempt = 0; attempt < 5; ++attempt) {
    address_.port = settings_.contains("cluster-enabled") ? free_port_of_node() : free_port();
    try {
      start();
      return;
    } catch (const std::runtime_error&) {
      if (attempt == 4) throw;
      std::filesystem::remove(folder_.file("redis.conf"));  // has the port that was taken
    }
  }
}

private_redis::~private_redis() {
  if (process_ > 0) {
    signal(SIGCONT);
    signal(SIGKILL);
    wait_for_end();
  }
}

void private_redis::start() {
  const std::string file = folder_.file("redis.conf");
  if (!std::ifstream(file)) {  // Redis itself writes into it later
    std::ofstream out(file);
    const bool tls = settings_.contains("tls-port");
    out << "bind 127.0.0.1\ndir " << folder_.path().string() << "\nlogfile " << folder_.file("log") << "\n";
    out << "daemonize no\nsave \"\"\nappendonly no\nprotected-mode no\n";
    if (program_ == "redis-server") out << "enable-debug-command yes\nrepl-diskless-sync-delay 0\n";
    out << (tls ? "port 0\ntls-port " : "port ") << address_.port << "\n";
    for (const auto& [key, value] : settings_) {
      if (key != "tls-port") out << key << " " << value << "\n";
    }
  }
  process_ = ::fork();
  if (process_ == 0) {
    const int nothing = ::open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; ++i) ::dup2(nothing, i);
    ::execlp(program_.c_str(), program_.c_str(), file.c_str(), nullptr);
    ::_exit(127);
  }
  const auto ended = [this] {
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) != process_) return false;
    process_ = -1;
    return true;
  };
  const bool answers = wait_until([&] {
    if (ended()) return true;
    const int descriptor = connect_to(address_);
    if (descriptor >= 0) ::close(descriptor);
    return descriptor >= 0;
  });
  if (!answers || process_ < 0 || ended()) throw std::runtime_error(program_ + " does not start: " + log());
}

std::string private_redis::log() const {
  std::ifstream file(folder_.file("log"));
  return {std::istreambuf_iterator<char>(file), {}};
}

void private_redis::signal(int number) const {
  if (process_ > 0) ::kill(process_, number);
}

void private_redis::wait_for_end() {
  if (process_ > 0) ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

void private_redis::stop() {
  signal(SIGCONT);
  signal(SIGTERM);
  wait_for_end();
}
void private_redis::kill() {
  signal(SIGKILL);
  wait_for_end();
}
void private_redis::restart() {
  stop();
  start();
}
void private_redis::suspend() {
  if (process_ > 0) suspend_process(process_);
}
void private_redis::resume() { signal(SIGCONT); }

void redis_test::SetUp() {
  if (!shared_redis::address()) GTEST_SKIP() << shared_redis::why_not();
  playground_ = std::make_unique<redis_playground>(*shared_redis::address());
}

void redis_test::TearDown() {
  if (!playground_) return;
  EXPECT_TRUE(playground_->sessions_become(0)) << "sessions leaked: " << playground_->sessions();
}

}  // namespace polypool::test
