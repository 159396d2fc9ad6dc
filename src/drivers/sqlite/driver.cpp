// SPDX-License-Identifier: Apache-2.0
#include "drivers/sqlite/errors.hpp"
#include "drivers/sqlite/session.hpp"

#include <polypool/sqlite.hpp>
#include <polypool/waits.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace polypool::sqlite {
namespace {

// SQLite says "unable to open database file" for all of these.
void check_path(const settings& how) {
  if (how.in_memory || how.is_uri) return;
  const auto refuse = [&](const std::string& cause, std::string_view hint) {
    error problem(errc::connect_failed, "cannot open '" + how.path + "': " + cause);
    problem.with_hint(hint).with_disposition(disposition::permanent).with_native_code(SQLITE_CANTOPEN);
    throw problem;
  };
  std::error_code ignored;
  const std::filesystem::path file(how.path);
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::exists(folder, ignored)) {
    refuse("the folder '" + folder.string() + "' does not exist", "create the folder, or correct filepath");
  }
  if (std::filesystem::is_directory(file, ignored)) refuse("it is a folder", "filepath has to name a file in it");
  if (how.mode != settings::open_mode::create && !std::filesystem::exists(file, ignored)) {
    refuse("there is no such file", "correct filepath, or let it be created with mode=rwc");
  }
}

int open_flags(const settings& how) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
  if (how.is_uri) flags |= SQLITE_OPEN_URI;
  switch (how.mode) {
    case settings::open_mode::read_only:
      return flags | SQLITE_OPEN_READONLY;
    case settings::open_mode::read_write:
      return flags | SQLITE_OPEN_READWRITE;
    case settings::open_mode::create:
      break;
  }
  return flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
}

error opening_failed(const settings& how, const error& problem) {
  error named(problem.portable_code(), "cannot open '" + how.path + "': " + problem.cause());
  named.with_hint(problem.hint()).with_native_code(problem.native_code());
  named.with_server_message(problem.server_message()).with_disposition(problem.disposition());
  return named;
}

class sqlite_driver final : public driver {
 public:
  std::string_view type() const noexcept override { return "sqlite"; }
  database_kind kind() const noexcept override { return database_kind::sql; }
  bool session_owns_data(const endpoint& where) const noexcept override { return is_in_memory(where.filepath); }

  task<std::unique_ptr<session>> connect(const endpoint& where) override {
    environment env = co_await this_environment();
    if (where.connect_timeout > duration::zero()) {
      env.deadline = std::min(env.deadline, saturating_add(env.time->now(), where.connect_timeout));
    }
    const auto call = [&where, &env] { return open_session(read_settings(where), env); };
    offload work(call);
    co_return co_await work;
  }
};

}  // namespace

std::unique_ptr<session> open_session(const settings& how, const environment& env) {
  check_path(how);
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(how.path.c_str(), &raw, open_flags(how), nullptr);
  std::unique_ptr<sqlite3, close_handle> db(raw);
  if (code != SQLITE_OK) throw opening_failed(how, last_error(raw, code));
  auto opened = std::make_unique<sqlite_session>(std::move(db), how);
  try {
    opened->prepare_handle(env);
  } catch (const error& problem) {
    if (problem.portable_code() == errc::invalid_configuration) throw;
    throw opening_failed(how, problem);
  }
  return opened;
}

std::shared_ptr<driver> make_driver() { return std::make_shared<sqlite_driver>(); }

bool is_in_memory(std::string_view filepath) noexcept {
  return filepath == ":memory:" || filepath.starts_with("file::memory:") ||
         (filepath.starts_with("file:") && filepath.contains("mode=memory"));
}

}  // namespace polypool::sqlite
