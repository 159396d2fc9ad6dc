// SPDX-License-Identifier: Apache-2.0
// The notations: what of YAML and JSON is understood, and how a text that cannot be read is told.
#include "config/document.hpp"

#include "helpers.hpp"

namespace polypool::config::testing {
namespace {

std::string database_of(const settings& all, std::string_view name) { return named(all, name).where.database; }

TEST(Yaml, AliasesAndMergeKeys) {
  const auto all = read(R"(
connections:
  a: &base
    type: postgres
    host: h
    database: &db one
    tags: &tags {x: y}
  b: *base
  c:
    <<: *base
    database: two
  d:
    <<: [{user: first}, *base, {user: second, schema: s}]
    database: *db
    tags: *tags
)");
  EXPECT_EQ(database_of(all, "b"), "one");
  EXPECT_EQ(database_of(all, "c"), "two");
  EXPECT_EQ(named(all, "c").where.host, "h");
  EXPECT_EQ(named(all, "d").where.user, "first");
  EXPECT_EQ(named(all, "d").where.schema, "s");
  EXPECT_EQ(named(all, "d").tags.at("x"), "y");
}

TEST(Yaml, ScalarsKeepTheirText) {
  const auto all = read(
      "connections:\n"
      "  a: {type: postgres, host: h, database: 007, user: yes, password: 1e3, schema: '~'}\n"
      "  b:\n    type: mysql\n    host: h\n    password: |-\n      two\n      lines\n    user: !!str null\n"
      "  c: {type: mysql, host: h, port: '3307', lazy: \"true\"}\n");
  EXPECT_EQ(database_of(all, "a"), "007");
  EXPECT_EQ(named(all, "a").where.user, "yes");
  EXPECT_EQ(named(all, "a").where.password.reveal(), "1e3");
  EXPECT_EQ(named(all, "a").where.schema, "~");
  EXPECT_EQ(named(all, "b").where.password.reveal(), "two\nlines");
  EXPECT_EQ(named(all, "b").where.user, "null");
  EXPECT_EQ(named(all, "c").where.port, 3307);
  EXPECT_EQ(named(all, "c").overrides.lazy_connect, true);
}

TEST(Yaml, ByteOrderMarkAndWindowsLines) {
  const auto all = read("\xEF\xBB\xBF---\r\nconnections:\r\n  a:\r\n    type: sqlite\r\n    filepath: x y\r\n...\r\n");
  EXPECT_EQ(named(all, "a").where.filepath, "x y");
}

TEST(Yaml, UnreadableTexts) {
  const std::pair<std::string, const char*> cases[] = {
      {"a: [1, 2\nb: 3\n", "test.yaml:"},
      {"a: 'b\n", "is not valid YAML"},
      {"a: \"b\nc: d\n", "test.yaml:1: is not valid YAML: a quote is not closed"},
      {"a: 'b", "is not valid YAML"},
      {"a: &x !!str 'b''\n", "a quote is not closed"},
      {"connections: {a: b", "is not valid YAML"},
      {"\tconnections: 1", "is not valid YAML"},
      {"a:\n\tb: 1\n", "test.yaml:2: "},
      {"a:\n\tb: 1\n", "YAML is indented with spaces, never with tabs"},
      {"a: *nope\n", "a value that starts with '*' or '&' needs quotes"},
      {"a: &x [*x]\n", "test.yaml:1: a: an alias refers to a value that contains it"},
      {"? [a]\n: b\n", "a key has to be a single value"},
      {"? {a: 1}\n: b\n", "a key has to be a single value"},
      {"~: b\n", "a key is missing or is null"},
      {"a: !!binary aGk=\n", "a: has a tag that has no meaning here"},
      {"a: !mine b\n", "a value that starts with '!' needs quotes"},
      {"<<: 3\n", "'<<' takes a map, or a list of maps"},
      {"a: 1\n---\nb: 2\n", "has more than one YAML document"},
      {"", "is empty"},
      {" \n\t\r\n", "is empty"},
      {"# only a comment\n", "is empty"},
      {"---\n", "is empty"},
      {"null\n", "is empty"},
      {std::string("a: b\nc: \0d\n", 10), "test.yaml:2: is not a text: it has a NUL byte"},
      {"a: b\nc: \xFF\xFE\n", "test.yaml:2: is not UTF-8"},
      {"a: \xC0\xAF\n", "is not UTF-8"},
      {"a: \xED\xA0\x80\n", "is not UTF-8"},
      {"a: \xF4\x90\x80\x80\n", "is not UTF-8"},
      {"a: \xE2\x82", "is not UTF-8"},
      {std::string(100, '[') + std::string(100, ']'), "is nested deeper than 64 levels"},
      {std::string(200000, '['), "is a '[' or '{' not closed?"},
      {std::string(2000, '{'), ""},
  };
  for (const auto& [text, expected] : cases) {
    const auto problems = problems_in(text);
    EXPECT_NE(problems, "") << text.substr(0, 40);
    EXPECT_NE(problems.find(expected), std::string::npos) << text.substr(0, 40) << "\n" << problems;
  }
}

TEST(Yaml, AliasesThatMultiplyAreStopped) {
  std::string text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 12; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) text += (k > 0 ? ", *a" : "*a") + std::to_string(i - 1);
    text += "]\n";
  }
  EXPECT_NE(problems_in(text).find("its aliases expand to more than 256 MiB"), std::string::npos) << problems_in(text);
}

TEST(Yaml, NestedAliasesDoNotPassTheDepth) {
  std::string text = "a0: &a0 " + std::string(40, '[') + std::string(40, ']') + "\nb: " + std::string(40, '[') + "*a0" +
                     std::string(40, ']') + "\n";
  EXPECT_NE(problems_in(text).find("deeper than 64 levels"), std::string::npos) << problems_in(text);
}

TEST(Json, IsReadLikeYaml) {
  const auto all = read_json(R"({
  "dbmanager": {
    "max_open_conns": 7,
    "conn_max_lifetime": "1h",
    "enable_auto_reconnect": false,
    "connections": {
      "a": {"type": "postgres", "host": "h", "port": 5433, "password": "a\/b\ud83d\ude00\"\\\u00e9", "lazy": null},
      "b": "sqlite::memory:",
      "c": {"type": "mysql", "host": "h", "password": 1.50, "tags": {"n": -17}}
    }
  }
})");
  EXPECT_EQ(all.defaults.max_open_conns, 7U);
  EXPECT_FALSE(all.defaults.enable_auto_reconnect);
  EXPECT_EQ(named(all, "a").where.port, 5433);
  EXPECT_EQ(named(all, "a").where.password.reveal(), "a/b😀\"\\é");
  EXPECT_EQ(named(all, "b").where.filepath, ":memory:");
  EXPECT_EQ(named(all, "c").where.password.reveal(), "1.50");
  EXPECT_EQ(named(all, "c").tags.at("n"), "-17");
}

TEST(Json, ProblemsHaveTheirLine) {
  const auto problems =
      problems_in_json("{\n \"max_open_conns\": 0,\n \"connections\": {\n  \"a\":\n   {\"type\": \"x\"}\n }\n}");
  EXPECT_NE(problems.find("test.json:2: max_open_conns: '0' is too small"), std::string::npos) << problems;
  EXPECT_NE(problems.find("test.json:5: connections.a.type: 'x'"), std::string::npos) << problems;
  EXPECT_NE(problems_in_json("{\"max_open_conns\": 1,\n\"max_open_conns\": 2}")
                .find("test.json:2: key 'max_open_conns' is given twice; first in line 1"),
            std::string::npos);
}

TEST(Json, UnreadableTexts) {
  const std::pair<std::string, const char*> cases[] = {
      {"{\n\"a\": }", "test.json:2: a: is not valid JSON"},
      {"{\"a\": 1,}", "is not valid JSON"},
      {"{\"a\": 1", "the document ends too early"},
      {"{\"a\": \"b", "the document ends too early"},
      {"{\"a\": 01}", "is not valid JSON"},
      {"{\"a\": NaN}", "is not valid JSON"},
      {"{'a': 1}", "is not valid JSON"},
      {"{\"a\": \"\\ud800\"}", "is not valid JSON"},
      {"{\"a\": \"x\ny\"}", "is not valid JSON"},
      {"// comment\n{}", "is not valid JSON"},
      {"{}\n{}", "test.json:2: something follows the end"},
      {"{} x", "something follows the end"},
      {std::string(100, '['), "is nested deeper than 64 levels"},
      {"[]", "is a list; a configuration is a map"},
      {"17", "is a single value"},
      {"null", "is empty"},
      {"", "is empty"},
      {"{\"a\": \"\xFF\"}", "is not UTF-8"},
  };
  for (const auto& [text, expected] : cases) {
    const auto problems = problems_in_json(text);
    EXPECT_NE(problems.find(expected), std::string::npos) << text.substr(0, 40) << "\n" << problems;
  }
  EXPECT_TRUE(read_json("\xEF\xBB\xBF{\"connections\": {}}").connections.empty());
}

std::string problems_in_file(const std::filesystem::path& path) {
  return as_text(problems_of([&] { load(path, with({})); }));
}

TEST(Files, ThatCannotBeRead) {
  const temporary_folder folder;
  const auto missing = folder.path() / "missing.yaml";
  EXPECT_EQ(problems_in_file(missing), missing.string() + ": there is no such file\n");
  EXPECT_NE(problems_in_file(folder.path()).find("is a directory; a file is expected"), std::string::npos);
  EXPECT_NE(problems_in_file(folder.write("empty.yaml", "")).find("is empty"), std::string::npos);
  const auto binary = folder.write("binary.json", std::string("\x7F"
                                                              "ELF\0\0",
                                                              6));
  EXPECT_NE(problems_in_file(binary).find("is not a text"), std::string::npos);
  const auto closed = folder.write("closed.yaml", "connections: {}\n");
  std::filesystem::permissions(closed, std::filesystem::perms::none);
  if (::geteuid() != 0) {  // root reads everything
    EXPECT_NE(problems_in_file(closed).find("cannot be opened: Permission denied"), std::string::npos);
  }
}

TEST(Files, TheExtensionTellsTheNotation) {
  const temporary_folder folder;
  const char* json = R"({"connections": {"a": "sqlite:x\u0041"}})";
  EXPECT_EQ(load(folder.write("a.json", json), with({})).connections[0].where.filepath, "xA");
  EXPECT_EQ(load(folder.write("a.yml", "connections:\n  a: sqlite:x\n"), with({})).connections[0].where.filepath, "x");
  EXPECT_EQ(load(folder.write("a.conf", "connections:\n  a: sqlite:x\n"), with({})).connections.size(), 1U);
}

TEST(Files, ThatAreTooLarge) {
  const temporary_folder folder;
  const auto large = folder.write("large.yaml", "connections: {}\n");
  std::filesystem::resize_file(large, 65UZ * 1024 * 1024);
  EXPECT_NE(problems_in_file(large).find("is larger than 64 MiB"), std::string::npos);
}

TEST(Files, WithVeryManyValuesAreRefused) {
  std::string text = "[";
  for (int i = 0; i < 2'000'001; ++i) text += "0,";
  text.back() = ']';
  EXPECT_NE(problems_in_json(text).find("has more than 2000000 values"), std::string::npos);
}

TEST(Files, WithTenThousandConnections) {
  std::string text = "connections:\n";
  for (int i = 0; i < 10000; ++i) {
    text += "  tenant_" + std::to_string(i) + ":\n    type: sqlite\n    filepath: /data/" + std::to_string(i) +
            ".db\n    max_open_conns: 1\n    lazy_connect: true\n";
  }
  const auto all = read(text);
  ASSERT_EQ(all.connections.size(), 10000U);
  EXPECT_EQ(all.connections[9999].where.filepath, "/data/9999.db");
  EXPECT_TRUE(validate(all).empty());
}

}  // namespace
}  // namespace polypool::config::testing
