// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.hpp"

#include "cli/exit_codes.hpp"
#include "cli/help.hpp"
#include "cli/spelling.hpp"

#include <polypool/duration.hpp>
#include <polypool/telemetry.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <iostream>
#include <utility>
#include <vector>

namespace polypool::cli {
namespace {

constexpr std::array<std::string_view, 14> command_names{"serve",  "check",    "diff",    "list",   "health",
                                                         "query",  "script",   "stats",   "top",    "events",
                                                         "switch", "failover", "breaker", "version"};
// Stands before a word that looks like an option and is a negative number, while CLI11 reads the words.
constexpr char number_mark = '\x01';

bool is_negative_number(std::string_view word) {
  return word.size() > 1 && word[0] == '-' &&
         (std::isdigit(static_cast<unsigned char>(word[1])) != 0 || word[1] == '.');
}

CLI::App* add(CLI::App& app, const char* name, const char* what, const char* examples) {
  CLI::App* command = app.add_subcommand(name, what);
  command->footer(examples);
  return command;
}

void add_config(CLI::App* command, arguments& into) {
  command
      ->add_option("-c,--config", into.config,
                   "Configuration file (else $POLYPOOL_CONFIG, ./polypool.yaml|yml|json, DATABASES or *_DB_URL)")
      ->type_name("FILE");
}

void add_url(CLI::App* command, arguments& into) {
  command->add_option("--url", into.url, "Ask the daemon that runs there, such as http://127.0.0.1:8080")
      ->type_name("URL");
}

using format_names = std::vector<std::pair<std::string, row_format>>;
const format_names row_formats{{"table", row_format::table}, {"json", row_format::json}, {"csv", row_format::csv}};
const format_names status_formats{{"table", row_format::table}, {"json", row_format::json}};

void add_format(CLI::App* command, arguments& into, const format_names& formats) {
  std::string names;
  for (const auto& [name, format] : formats) names += (names.empty() ? "" : "|") + name;
  const auto read = [&into, &formats, names](const std::string& word) {
    const auto found = std::ranges::find(formats, word, &format_names::value_type::first);
    if (found == formats.end()) throw CLI::ValidationError("--format: '" + word + "' is none of " + names);
    into.format = found->second;
  };
  command->add_option_function<std::string>("-f,--format", read, "How to print")->type_name(names);
}

void add_timeout(CLI::App* command, arguments& into) {
  command
      ->add_option_function<std::string>(
          "--timeout",
          [&into](const std::string& word) {
            into.timeout = parse_duration(word);
            if (!into.timeout)
              throw CLI::ValidationError("--timeout: '" + word + "' is no duration such as 500ms or 5s");
          },
          "How long the statement may take, such as 500ms or 5s; 0 for no limit")
      ->type_name("TIME");
}

void add_query(CLI::App& app, arguments& into) {
  CLI::App* command = add(app, "query", "Run a SQL statement, a Redis or a MongoDB command", help::query);
  command->add_option("name", into.name, "The connection; 'default' is the active one")->required();
  command
      ->add_option("sql", into.text,
                   "SQL with $1, $2 … for parameters, a Redis command, or a MongoDB command as JSON; '-' reads "
                   "standard input")
      ->required();
  command->add_option("params", into.words, "What stands for $1, $2 …");
  add_config(command, into);
  add_format(command, into, row_formats);
  add_timeout(command, into);
  command->add_option("--null", into.null_word, "Parameters that are this word become NULL")->type_name("WORD");
  command->add_flag("--text", into.all_text, "Send every parameter as text (SQLite; others do anyway)");
}

void add_script(CLI::App& app, arguments& into) {
  CLI::App* command = add(app, "script", "Run a file of SQL statements", help::script);
  command->add_option("name", into.name, "The connection")->required();
  command->add_option("file", into.text, "The file; '-' reads standard input")->required();
  add_config(command, into);
  add_timeout(command, into);
}

void add_status(CLI::App& app, arguments& into) {
  CLI::App* command = add(app, "list", "List the connections", help::list);
  add_config(command, into);
  add_url(command, into);
  add_format(command, into, status_formats);

  command = add(app, "health", "Probe the connections; exit code 1 when one is unhealthy", help::health);
  command->add_option("name", into.name, "Only this connection");
  add_config(command, into);
  add_url(command, into);
  add_format(command, into, status_formats);
  command->add_flag("--critical", into.only_critical, "Only critical connections decide the exit code");

  command = add(app, "stats", "Show the numbers of the connections", help::stats);
  add_config(command, into);
  add_url(command, into);
  add_format(command, into, status_formats);
}

void add_diff(CLI::App& app, arguments& into) {
  CLI::App* command = add(app, "diff", "Show what a reload would change", help::diff);
  command->add_option("old", into.name, "A file to compare; left out: what the daemon has");
  command->add_option("new", into.text, "The file to compare it with; left out: the daemon's file as it is now");
  add_url(command, into);
}

void add_top(CLI::App& app, arguments& into) {
  CLI::App* command = add(app, "top", "Watch a daemon: connections, pools, breakers, latencies, events", help::top);
  add_url(command, into);
  command->add_flag("--once", into.once, "Print one picture and end");
  const auto read = [&into](const std::string& word) {
    const auto time = parse_duration(word);
    if (!time || *time < std::chrono::milliseconds(50)) {
      throw CLI::ValidationError("--interval: '" + word + "' is no duration of at least 50ms, such as 2s");
    }
    into.interval = *time;
  };
  command->add_option_function<std::string>("-n,--interval", read, "How often to look; 1s by default")
      ->type_name("TIME");
}

void add_steering(CLI::App& app, arguments& into) {
  CLI::App* command = add(app, "events", "Show what happened to a daemon's connections", help::events);
  add_url(command, into);
  add_format(command, into, status_formats);
  command->add_flag("-F,--follow", into.follow, "Go on, and print events as they come");
  command->add_option("--kind", into.kinds, "Only these kinds, such as health-change or failover")->type_name("KIND");
  command->add_option("--connection", into.connections, "Only of these connections")->type_name("NAME");
  command->add_option("--limit", into.limit, "How many at most; 50 by default")->type_name("N");

  command = add(app, "switch", "Send unnamed calls to another connection from now on", help::switch_active);
  command->add_option("name", into.name, "The connection")->required();
  add_url(command, into);
  add_format(command, into, status_formats);
  command->add_flag("--redis", into.redis, "The Redis of this name, where a database has it, too");

  command = add(app, "failover", "Send a group's writes to another member", help::failover);
  command->add_option("group", into.name, "The group")->required();
  auto* to = command->add_option("--to", into.to, "This member; left out: the next that takes writes");
  to->type_name("MEMBER");
  command->add_flag("--back", into.back, "To the declared primary again")->excludes(to);
  add_url(command, into);
  add_format(command, into, status_formats);

  command = add(app, "breaker", "Show circuit breakers, or force one", help::breaker);
  command->add_option("name", into.name, "The connection");
  command->add_option("action", into.text, "open, close, or release")
      ->check(CLI::IsMember({"open", "close", "release"}));
  add_url(command, into);
  add_format(command, into, status_formats);
}

void add_serve(CLI::App& app, arguments& into) {
  CLI::App* command = add(app, "serve", "Run the daemon", help::serve);
  add_config(command, into);
  command->add_option("--listen", into.listen, "Listen here instead; port 0 takes any free one")
      ->type_name("HOST:PORT");
  command->add_option("--log-level", into.log_level, "trace, debug, info, warning, error or off")->type_name("LEVEL");
  command->add_option("--log-format", into.log_format, "text or json")->type_name("FORMAT");
}

// CLI11 says only "not expected" for a misspelt command.
void refuse_unknown_command(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word.starts_with('-')) return;
    if (std::ranges::find(command_names, word) != command_names.end()) return;
    const auto guess = nearest(word, command_names);
    throw command_error(usage, "there is no command '" + word + "'",
                        guess.empty() ? "see polypool --help" : "did you mean '" + std::string(guess) + "'?");
  }
}

std::vector<std::string> marked_words(int argc, const char* const* argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words[0] != "query") return words;
  for (std::string& word : words) {
    if (word == "--") break;
    if (is_negative_number(word)) word.insert(word.begin(), number_mark);
  }
  return words;
}

void unmark(std::string& word) {
  if (word.starts_with(number_mark)) word.erase(0, 1);
}

// CLI11's words for what is wrong, with a guess at the option that was meant.
command_error refusal_of(const CLI::App& app, const CLI::ParseError& wrong) {
  std::string what = wrong.what();
  std::erase(what, number_mark);
  const auto chosen = app.get_subcommands();
  const CLI::App* command = chosen.empty() ? &app : chosen.front();
  const std::string help = "see polypool " + (chosen.empty() ? "" : command->get_name() + " ") + "--help";
  const auto at = what.rfind(" --");
  if (dynamic_cast<const CLI::ExtrasError*>(&wrong) == nullptr || at == what.npos) return {usage, what, help};
  std::vector<std::string> names;
  for (const CLI::Option* each : command->get_options()) {
    for (const auto& name : each->get_lnames()) names.push_back(name);
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto guess = nearest(what.substr(at + 3), known);
  return {usage, what, guess.empty() ? help : "did you mean '--" + std::string(guess) + "'? " + help};
}

}  // namespace

std::optional<arguments> read_command_line(int argc, const char* const* argv) {
  arguments out;
  if (argc > 0) out.program = argv[0];
  CLI::App app("One engine for many database connections.", "polypool");
  app.footer(help::overview);
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "polypool " + std::string(build_version()));
  add_serve(app, out);
  add(app, "check", "Check a configuration; tells every problem at once", help::check)
      ->add_option("file", out.text, "The file; left out: the one that other commands would use");
  add_diff(app, out);
  add_status(app, out);
  add_query(app, out);
  add_script(app, out);
  add_top(app, out);
  add_steering(app, out);
  add(app, "version", "Print the version", "");

  auto words = marked_words(argc, argv);
  refuse_unknown_command(words);
  try {
    std::ranges::reverse(words);  // as CLI11 wants them
    app.parse(words);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    return std::nullopt;
  } catch (const CLI::ParseError& wrong) {
    throw refusal_of(app, wrong);
  }
  if (app.get_subcommands().empty()) {
    std::cout << app.help();
    return std::nullopt;
  }
  out.command = app.get_subcommands().front()->get_name();
  for (std::string& word : out.words) unmark(word);
  unmark(out.text);
  unmark(out.name);
  return out;
}

}  // namespace polypool::cli
