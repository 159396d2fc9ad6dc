// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"
#include "support/memory.hpp"

#include <boost/json.hpp>

#include <cstdlib>

namespace polypool::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(cli_test, a_table_for_people) {
  fill();
  EXPECT_EQ(output({"query", "books", "SELECT id, title, price FROM book ORDER BY id"}),
            "id  title                 price\n"
            " 1  Emma                    9.5\n"
            " 2  War, \"Peace\" & more  <null>\n"
            " 3                           12\n"
            "(3 rows)\n");
}

TEST_F(cli_test, wide_letters_and_control_characters_keep_a_table_straight) {
  EXPECT_EQ(output({"query", "books", "SELECT '山田' AS a, 1 AS b UNION ALL SELECT 'x' || char(10, 27), 2"}),
            "a        b\n"
            "山田     1\n"
            "x\\n\\x1b  2\n"
            "(2 rows)\n");
}

TEST_F(cli_test, csv_tells_null_from_empty_text) {
  fill();
  EXPECT_EQ(output({"query", "books", "SELECT * FROM book ORDER BY id", "--format", "csv"}),
            "id,title,price,cover\n"
            "1,Emma,9.5,\\x00ff\n"
            "2,\"War, \"\"Peace\"\" & more\",,\n"
            "3,\"\",12,\\x\n");
}

TEST_F(cli_test, json_is_an_array_of_objects) {
  fill();
  const auto rows = boost::json::parse(output({"query", "books", "SELECT * FROM book ORDER BY id", "-f", "json"}));
  EXPECT_EQ(rows, boost::json::parse(R"([{"id": 1, "title": "Emma", "price": 9.5, "cover": "\\x00ff"},
                                         {"id": 2, "title": "War, \"Peace\" & more", "price": null, "cover": null},
                                         {"id": 3, "title": "", "price": 12, "cover": "\\x"}])"));
  EXPECT_EQ(output({"query", "books", "SELECT * FROM book WHERE id = 9", "-f", "json"}), "[]\n");
  EXPECT_EQ(boost::json::parse(output({"query", "books", "SELECT 1 AS a, 2 AS a", "-f", "json"})),
            boost::json::parse(R"([{"a": 1, "a_2": 2}])"));
}

TEST_F(cli_test, statements_without_rows_tell_how_many_they_changed) {
  fill();
  EXPECT_EQ(output({"query", "books", "UPDATE book SET price = 1 WHERE id < $1", "3"}), "2 rows affected\n");
  EXPECT_EQ(output({"query", "books", "DELETE FROM book WHERE id = 1", "-f", "json"}), "{\"affected_rows\": 1}\n");
  EXPECT_EQ(output({"query", "books", "DELETE FROM book", "-f", "csv"}), "affected_rows\n2\n");
}

TEST_F(cli_test, words_become_the_parameters_that_sqlite_needs) {
  const std::string types = "SELECT typeof($1), typeof($2), typeof($3), typeof($4), typeof($5), typeof($6)";
  const auto row = [](std::string text) { return text.substr(text.find('\n') + 1); };
  EXPECT_EQ(row(output({"query", "books", types, "-f", "csv", "42", "-7", "1.5", "007", "1e3", "x"})),
            "integer,integer,real,text,text,text\n");
  EXPECT_EQ(
      row(output({"query", "books", types, "-f", "csv", "--text", "--null", "nil", "42", "-7", "1.5", "nil", "", "x"})),
      "text,text,text,null,text,text\n");
  EXPECT_EQ(row(output({"query", "books", "SELECT $1", "-f", "csv", "--", "--help"})), "--help\n");
}

TEST_F(cli_test, standard_input_may_hold_the_statement) {
  input_ = "SELECT 'from input' AS said\n";
  EXPECT_EQ(output({"query", "books", "-", "-f", "csv"}), "said\nfrom input\n");
  input_ = "CREATE TABLE t(a); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);";
  output({"script", "books", "-"});
  EXPECT_EQ(output({"query", "books", "SELECT sum(a) AS s FROM t", "-f", "csv"}), "s\n3\n");
}

TEST_F(cli_test, a_large_result_is_streamed) {
  const std::string many =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
      "SELECT i, hex(zeroblob(1000)) AS filler FROM n";
  const std::string limited = "ulimit -v 500000; exec \"$0\" query books \"$1\" -f $2 | tail -n 1";
  if (!test::memory_is_ours) GTEST_SKIP() << "sanitizers need more memory than the limit of this test";
  auto done = run_command({"/bin/bash", "-c", limited, POLYPOOL_COMMAND, many, "csv"}, options());
  EXPECT_THAT(done.out, StartsWith("300000,")) << done.err;
  done = run_command({"/bin/bash", "-c", limited, POLYPOOL_COMMAND, many, "table"}, options());
  EXPECT_EQ(done.out, "(300000 rows)\n") << done.err;
}

TEST_F(cli_test, the_default_connection_has_a_name_too) {
  EXPECT_EQ(output({"query", "default", "SELECT 1 AS one", "-f", "csv"}), "one\n1\n");
}

TEST_F(cli_test, errors_are_one_clear_line_and_an_exit_code) {
  auto done = polypool({"query", "books", "SELECT * FROM nowhere"});
  EXPECT_EQ(done.status, 1);
  EXPECT_EQ(done.out, "");
  EXPECT_THAT(done.err, StartsWith("error: connection 'books' query: "));
  EXPECT_THAT(done.err, HasSubstr("nowhere"));

  done = polypool({"query", "boks", "SELECT 1"});
  EXPECT_EQ(done.status, 3);
  EXPECT_THAT(done.err, StartsWith("error: "));
  EXPECT_THAT(done.err, HasSubstr("boks"));

  done = polypool({"query", "books", "SELECT $1 + $2", "1"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, StartsWith("error: "));
}

TEST_F(cli_test, a_statement_that_takes_too_long_is_ended) {
  const auto done = polypool({"query", "books",
                              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
                              "--timeout", "100ms"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("connection 'books' query: "));
}

TEST_F(cli_test, an_early_end_of_the_reader_is_no_crash) {
  const std::string many =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n";
  const std::string pipe = "\"$0\" query books \"$1\" -f csv | head -n 2; echo \"${PIPESTATUS[0]}\"";
  const auto done = run_command({"/bin/bash", "-c", pipe, POLYPOOL_COMMAND, many}, options());
  EXPECT_EQ(done.out, "i\n1\n1\n");
  EXPECT_EQ(done.err, "") << "who has enough did nothing wrong";
}

TEST_F(cli_test, output_that_cannot_be_written_is_an_error) {
  const std::vector<std::vector<std::string>> calls{{"query", "books", "SELECT 1"}, {"list"}, {"check"}, {"--help"}};
  for (const auto& call : calls) {
    std::vector<std::string> command{"/bin/sh", "-c", "\"$0\" \"$@\" > /dev/full", POLYPOOL_COMMAND};
    command.insert(command.end(), call.begin(), call.end());
    const auto done = run_command(command, options());
    EXPECT_EQ(done.status, 1) << call[0];
    EXPECT_EQ(done.err, "error: cannot write to standard output: No space left on device\n") << call[0];
  }
}

TEST_F(cli_test, a_script_that_cannot_be_read_says_why) {
  EXPECT_EQ(polypool({"script", "books", "nofile"}).err, "error: cannot read 'nofile': No such file or directory\n");
  const auto folder = polypool({"script", "books", "."});
  EXPECT_EQ(folder.status, 2);
  EXPECT_EQ(folder.err, "error: cannot read '.': Is a directory\n");
}

TEST_F(cli_test, a_script_stops_at_the_first_error) {
  write("bad.sql", "CREATE TABLE t(a); INSERT INTO nowhere VALUES (1); INSERT INTO t VALUES (1);");
  auto done = polypool({"script", "books", "bad.sql"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("nowhere"));
  EXPECT_EQ(output({"query", "books", "SELECT count(*) AS n FROM t", "-f", "csv"}), "n\n0\n");

  done = polypool({"script", "books", "missing.sql"});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.err, HasSubstr("cannot read 'missing.sql': No such file or directory"));
}

}  // namespace
}  // namespace polypool::test
