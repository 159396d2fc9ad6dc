// SPDX-License-Identifier: Apache-2.0
#include "support/command.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace polypool::test {
namespace {

struct pipe_ends {
  int read = -1, write = -1;
};

pipe_ends make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  return {ends[0], ends[1]};
}

// The input lies in a file without a name, so that nobody has to write while the other side does not read.
int input_file(const std::string& text) {
  const int file = ::open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (file < 0) throw std::system_error(errno, std::generic_category(), "open");
  if (::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("cannot write the input");
  }
  ::lseek(file, 0, SEEK_SET);
  return file;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

child_process::child_process(const std::vector<std::string>& words, const command_options& options) {
  auto arguments = words;
  std::vector<std::string> environment{"PATH=/usr/bin:/bin"};
  // Sanitizers' options go through; nothing else of this environment does.
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  }
  for (const auto& [name, value] : options.variables) environment.push_back(name + "=" + value);
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  const int in = input_file(options.input);
  const auto out = make_pipe();
  const auto err = make_pipe();
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    ::dup2(in, 0);
    ::dup2(out.write, 1);
    ::dup2(err.write, 2);
    if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(126);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(in);
  ::close(out.write);
  ::close(err.write);
  out_.descriptor = out.read;
  err_.descriptor = err.read;
}

child_process::~child_process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_.descriptor >= 0) ::close(out_.descriptor);
  if (err_.descriptor >= 0) ::close(err_.descriptor);
}

bool child_process::stream::read_some() {
  std::array<char, 65536> block;
  const auto count = ::read(descriptor, block.data(), block.size());
  if (count > 0) {
    text.append(block.data(), static_cast<std::size_t>(count));
    return true;
  }
  if (count < 0 && errno == EINTR) return true;
  ::close(descriptor);
  descriptor = -1;
  return false;
}

bool child_process::read_more(std::chrono::steady_clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  if (left.count() <= 0 || (out_.descriptor < 0 && err_.descriptor < 0)) return false;
  std::array<pollfd, 2> waits{pollfd{out_.descriptor, POLLIN, 0}, pollfd{err_.descriptor, POLLIN, 0}};
  ::poll(waits.data(), waits.size(), static_cast<int>(left.count()));
  if (waits[0].revents != 0) out_.read_some();
  if (waits[1].revents != 0) err_.read_some();
  return true;
}

bool child_process::wait_for(std::string_view text, std::chrono::seconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto found = [&] { return out_.text.contains(text) || err_.text.contains(text); };
  while (!found()) {
    if (!read_more(until)) return found();
  }
  return true;
}

void child_process::send_signal(int signal) const { ::kill(pid_, signal); }

command_result child_process::wait(std::chrono::seconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (read_more(until)) {
  }
  if (out_.descriptor >= 0 || err_.descriptor >= 0) ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = std::move(out_.text),
          .err = std::move(err_.text)};
}

command_result run_command(const std::vector<std::string>& words, const command_options& options) {
  return child_process(words, options).wait();
}

}  // namespace polypool::test
