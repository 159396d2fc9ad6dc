// SPDX-License-Identifier: Apache-2.0
#include "cli/command_words.hpp"
#include "cli/commands.hpp"
#include "cli/configuration.hpp"
#include "cli/document_writer.hpp"
#include "cli/exit_codes.hpp"
#include "cli/output.hpp"
#include "cli/parameters.hpp"
#include "cli/reply_writer.hpp"
#include "cli/wrong_kind.hpp"

#include <polypool/key_value.hpp>
#include <polypool/manager.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <unistd.h>

namespace polypool::cli {
namespace {

command_error unreadable(const std::string& what) {
  return {usage, "cannot read " + what + ": " + std::strerror(errno)};
}

std::string read_all(std::istream& in, const std::string& what) {
  try {
    return {std::istreambuf_iterator<char>(in), {}};
  } catch (const std::ios_base::failure&) {  // a folder can be opened, but not read
    throw unreadable(what);
  }
}

std::string read_file(const std::string& name) {
  if (name == "-") return read_all(std::cin, "standard input");
  std::ifstream in(name, std::ios::binary);
  if (!in) throw unreadable("'" + name + "'");
  return read_all(in, "'" + name + "'");
}

sql_database open_database(manager& mgr, const arguments& given) {
  call how;
  how.named(given.command);
  if (given.timeout) how.timeout(*given.timeout);
  return mgr.sql(given.name).with(std::move(how));
}

// In constant memory, however many rows there are.
void write_streamed(row_stream rows, row_writer& writer) {
  const bool has_rows = rows.columns().size() > 0;
  if (has_rows) writer.begin(rows.columns());
  while (const auto each = rows.next()) {
    writer.add(*each);
    require_output();
  }
  if (has_rows) return writer.end();
  writer.changed(rows.affected_rows());
}

const config::connection& configuration_of(const config::settings& settings, const std::string& name) {
  return *std::ranges::find(settings.connections, name, &config::connection::name);
}

// Runs a task on the connection, within --timeout or its query_timeout; its errors name the connection.
template <class T>
T run_within(const arguments& given, const config::settings& settings, task<T> work) {
  const auto& own = configuration_of(settings, given.name).overrides.query_timeout;
  const auto limit = given.timeout ? *given.timeout : own.value_or(settings.defaults.query_timeout);
  try {
    return limit > std::chrono::nanoseconds(0) ? run(with_timeout(limit, std::move(work))) : run(std::move(work));
  } catch (error& problem) {
    problem.at(given.name, given.command);
    throw;
  }
}

void query_sql(manager& mgr, const arguments& given) {
  refuse_document(given.name, mgr.get(given.name).type(), given.text);
  auto db = open_database(mgr, given);
  const bool typed = mgr.get(given.name).type() == config::database_type::sqlite && !given.all_text;
  const auto parameters = read_parameters(given.words, typed, given.null_word);
  const auto writer = make_row_writer(given.format, std::cout, terminal::of(STDOUT_FILENO));
  write_streamed(db.stream_with(given.text, parameters), *writer);
}

void query_redis(const lease& on, const arguments& given, const config::settings& settings) {
  refuse_document(given.name, config::database_type::redis, given.text);
  auto words = command_words(given.text);
  words.insert(words.end(), given.words.begin(), given.words.end());
  if (words.empty()) throw command_error(usage, "a Redis command is missing", "for example: GET user:1");
  redis_command command(words.front());
  for (std::size_t i = 1; i < words.size(); ++i) command.add(words[i]);
  auto& session = dynamic_cast<key_value_session&>(on.session());
  try {
    write_reply(run_within(given, settings, session.execute(command)), given.format, std::cout);
  } catch (const error& problem) {
    // Only what the server does not know: a module may have a command of that name.
    const bool unknown =
        problem.portable_code() == errc::undefined_object || problem.portable_code() == errc::parameter_count;
    if (unknown) refuse_sql(given.name, config::database_type::redis, given.text);
    throw;
  }
}

// What a command that writes several documents says of those that it did not write.
void require_written(const document& answer) {
  const auto* failures = answer.if_contains("writeErrors");
  if (failures == nullptr || !failures->is_array() || failures->get_array().empty()) return;
  const auto count = failures->get_array().size();
  throw command_error(failed, std::to_string(count) + (count == 1 ? " write" : " writes") + " of the command failed");
}

void query_documents(const lease& on, const arguments& given, const config::settings& settings) {
  if (!given.words.empty()) {
    throw command_error(usage, "a MongoDB command takes no parameters", "write all of it as one JSON object");
  }
  refuse_sql(given.name, config::database_type::mongodb, given.text);
  const auto body = command_document(given.text);
  auto& session = dynamic_cast<document_session&>(on.session());
  const auto& database = configuration_of(settings, given.name).where.database;
  document_command what;
  what.database = database.empty() ? std::string_view("admin") : std::string_view(database);
  what.body = &body;
  if (!gives_cursor(body)) {
    const auto answer = run_within(given, settings, session.run(what));
    write_document(answer, given.format, std::cout);
    return require_written(answer);
  }
  const auto cursor = run_within(given, settings, session.open(what));
  const auto writer = make_document_writer(given.format, std::cout, terminal::of(STDOUT_FILENO));
  writer->begin();
  do {
    document each;
    while (cursor->take(each)) writer->add(each);
    require_output();
  } while (run_within(given, settings, cursor->fetch()));
  writer->end();
}

}  // namespace

int query(const arguments& asked) {
  auto given = asked;
  const auto found = find_configuration(given.config);
  const auto settings = for_one_command(found.settings);
  manager mgr(settings);
  auto target = mgr.get(given.name);
  given.name = target.name();
  if (given.text == "-") given.text = read_file("-");
  switch (target.kind()) {
    case database_kind::sql:
      query_sql(mgr, given);
      break;
    case database_kind::key_value:
      query_redis(target.lease(), given, settings);
      break;
    case database_kind::document:
      query_documents(target.lease(), given, settings);
      break;
  }
  return success;
}

int script(const arguments& given) {
  const std::string text = read_file(given.text);
  const auto found = find_configuration(given.config);
  manager mgr(for_one_command(found.settings));
  open_database(mgr, given).execute_script(text);
  std::cout << "connection '" << given.name << "': ran " << (given.text == "-" ? "standard input" : given.text) << '\n';
  return success;
}

}  // namespace polypool::cli
