// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

#include <array>
#include <unistd.h>

namespace polypool::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(cli_test, help_shows_commands_examples_and_exit_codes) {
  const auto help = output({"--help"});
  for (const char* word :
       {"serve", "check", "diff", "list", "health", "query", "script", "stats", "version", "Exit codes:"}) {
    EXPECT_THAT(help, HasSubstr(word));
  }
  EXPECT_EQ(output({}), help);
  for (const char* command : {"serve", "check", "diff", "list", "health", "query", "script", "stats"}) {
    EXPECT_THAT(output({command, "--help"}), HasSubstr("Examples:\n  ")) << command;
  }
}

TEST_F(cli_test, the_version) {
  EXPECT_THAT(output({"version"}), testing::MatchesRegex("polypool [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  EXPECT_EQ(output({"--version"}), output({"version"}));
}

// A process that was killed leaves its file there, and numbers of processes come again.
TEST_F(cli_test, counters_that_libmongoc_left_behind_are_no_news) {
  const auto done =
      run_command({"/bin/sh", "-c", R"(touch /dev/shm/mongoc-$$ && echo $$ && exec "$0" version)", POLYPOOL_COMMAND});
  std::filesystem::remove("/dev/shm/mongoc-" + done.out.substr(0, done.out.find('\n')));
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.err, "");
}

TEST_F(cli_test, misspelt_commands_get_a_suggestion) {
  auto done = polypool({"qurey", "books", "SELECT 1"});
  EXPECT_EQ(done.status, 2);
  EXPECT_EQ(done.err, "error: there is no command 'qurey'\nhint: did you mean 'query'?\n");
  EXPECT_EQ(done.out, "");
  done = polypool({"frobnicate"});
  EXPECT_EQ(done.status, 2);
  EXPECT_EQ(done.err, "error: there is no command 'frobnicate'\nhint: see polypool --help\n");
}

TEST_F(cli_test, wrong_options_are_refused) {
  auto done = polypool({"list", "--frmat", "json"});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.err, AllOf(StartsWith("error: "), HasSubstr("--frmat"),
                              HasSubstr("hint: did you mean '--format'? see polypool list --help\n")));
  EXPECT_THAT(polypool({"list", "--nothing-like-it"}).err, HasSubstr("hint: see polypool list --help\n"));
  EXPECT_THAT(polypool({"query", "books", "SELECT 1", "--timeout", "-5s"}).err,
              HasSubstr("--timeout: '-5s' is no duration"));
  done = polypool({"list", "--format", "xml"});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.err, HasSubstr("'xml' is none of table|json"));
  EXPECT_EQ(polypool({"query", "books"}).status, 2);
  done = polypool({"query", "books", "SELECT 1", "--timeout", "5"});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.err, HasSubstr("'5' is no duration such as 500ms or 5s"));
}

TEST_F(cli_test, check_says_good) {
  const auto text = output({"check", "polypool.yaml"});
  EXPECT_THAT(text, AllOf(StartsWith("polypool.yaml: good, 2 connections\n"), HasSubstr("books  sqlite  books.db\n")));
  EXPECT_EQ(output({"check"}), text);
}

TEST_F(cli_test, check_tells_every_problem_with_its_line) {
  write("bad.yaml", R"(polypool:
  connections:
    one:
      type: postgres
      host: localhost
      port: 70000
      user: me
      password: hunter2
      database: x
    two:
      type: oracle
)");
  const auto done = polypool({"check", "bad.yaml"});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.out,
              AllOf(HasSubstr("bad.yaml:6: connections.one.port: "), HasSubstr("bad.yaml:11: connections.two.type: ")));
  EXPECT_THAT(done.err, AllOf(StartsWith("error: "), HasSubstr("problems in the configuration")));
  EXPECT_THAT(done.out + done.err, Not(HasSubstr("hunter2")));
  EXPECT_EQ(polypool({"list", "--config", "bad.yaml"}).status, 2);
}

TEST_F(cli_test, a_missing_configuration_is_explained) {
  std::filesystem::remove(folder_ / "polypool.yaml");
  const auto done = polypool({"list"});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.err, AllOf(StartsWith("error: no configuration found\n"), HasSubstr("--config FILE"),
                              HasSubstr("POLYPOOL_CONFIG"), HasSubstr("MAIN_DB_URL=")));
  EXPECT_EQ(polypool({"list", "-c", "nowhere.yaml"}).err,
            "error: there is no configuration file 'nowhere.yaml'\nhint: give the path of a YAML or JSON file\n");
  EXPECT_EQ(polypool({"check", "nowhere.yaml"}).err, polypool({"list", "-c", "nowhere.yaml"}).err);
  variables_ = {{"POLYPOOL_CONFIG", "elsewhere.yaml"}};
  EXPECT_THAT(polypool({"list"}).err, HasSubstr("'elsewhere.yaml', which POLYPOOL_CONFIG names\n"));
}

// What is there and cannot be opened is not called missing.
TEST_F(cli_test, a_configuration_that_cannot_be_opened_says_why) {
  std::filesystem::create_symlink("loop.yaml", folder_ / "loop.yaml");
  auto done = polypool({"check", "loop.yaml"});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.out, HasSubstr("loop.yaml: cannot be opened: Too many levels of symbolic links"));
  done = polypool({"check", "."});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.out, HasSubstr("is a directory; a file is expected"));
}

TEST_F(cli_test, a_configuration_comes_from_the_option_the_variable_the_folder_or_the_environment) {
  write("option.yaml", "polypool: {connections: {by_option: {type: sqlite, filepath: a.db}}}\n");
  write("variable.yaml", "polypool: {connections: {by_variable: {type: sqlite, filepath: a.db}}}\n");
  variables_ = {{"POLYPOOL_CONFIG", "variable.yaml"},
                {"SHOP_DB_URL", "sqlite:shop.db"},
                {"DATABASES", R"({"core": "sqlite:core.db"})"}};
  EXPECT_THAT(output({"list", "-c", "option.yaml"}), HasSubstr("\nby_option "));
  EXPECT_THAT(output({"list"}), HasSubstr("\nby_variable "));
  variables_.erase("POLYPOOL_CONFIG");
  EXPECT_THAT(output({"list"}), HasSubstr("\nbooks "));
  std::filesystem::remove(folder_ / "polypool.yaml");
  EXPECT_THAT(output({"list"}), AllOf(HasSubstr("\ncore "), HasSubstr("\nshop ")));
  variables_ = {{"STOCK_DB_FILEPATH", "stock.db"}};
  EXPECT_THAT(output({"list"}), HasSubstr("\nstock  sqlite  stock.db "));
}

TEST_F(cli_test, list_shows_targets_but_no_secrets) {
  write("secret.yaml", R"(polypool:
  default_connection: one
  connections:
    one: {type: postgres, dsn: "postgres://someone:hunter2@db.example:6000/shop"}
    two: {type: sqlite, filepath: two.db, tags: {team: web}}
)");
  EXPECT_EQ(output({"list", "-c", "secret.yaml"}),
            "NAME  TYPE      TARGET                ROLE    TAGS\n"
            "one   postgres  db.example:6000/shop  active  \n"
            "two   sqlite    two.db                        team=web\n");
  EXPECT_THAT(output({"list", "-c", "secret.yaml", "-f", "json"}), Not(HasSubstr("hunter2")));
  EXPECT_THAT(output({"check", "secret.yaml"}), Not(HasSubstr("hunter2")));
}

TEST_F(cli_test, nothing_is_coloured_in_a_pipe) {
  fill();
  variables_ = {{"TERM", "xterm-256color"}};
  const std::array<std::vector<std::string>, 4> calls{
      {{"list"}, {"health"}, {"query", "books", "SELECT NULL AS a"}, {"query", "books", "SELECT * FROM nowhere"}}};
  for (const auto& call : calls) {
    const auto done = polypool(call);
    EXPECT_THAT(done.out + done.err, Not(HasSubstr("\x1b"))) << call[0];
  }
}

TEST_F(cli_test, colours_on_a_terminal_unless_no_color_says_otherwise) {
  if (::access("/usr/bin/script", X_OK) != 0) GTEST_SKIP() << "script(1) of util-linux is not installed";
  const std::string call = std::string(POLYPOOL_COMMAND) + " list";
  variables_ = {{"TERM", "xterm"}};
  EXPECT_THAT(run_command({"/usr/bin/script", "-qec", call, "/dev/null"}, options()).out, HasSubstr("\x1b[1mNAME"));
  variables_["NO_COLOR"] = "1";
  EXPECT_THAT(run_command({"/usr/bin/script", "-qec", call, "/dev/null"}, options()).out, Not(HasSubstr("\x1b[")));
}

}  // namespace
}  // namespace polypool::test
