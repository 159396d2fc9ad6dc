// SPDX-License-Identifier: Apache-2.0
// Values of every common type, in and out, through a manager.
#include "fixture.hpp"

#include <limits>

namespace polypool::test {
namespace {

class conformance_values : public conformance {
 protected:
  /// Keeps values of a type in a table, and expects each to come back, to be found, and to be told from NULL.
  template <class T>
  void expect_kept(data_type of, const std::vector<T>& samples) {
    const auto* name = type(of);
    if (name == nullptr) return;
    SCOPED_TRACE(*name);
    auto handle = db();
    handle.execute("CREATE TABLE kept_" + std::string(to_string(of)) + " (id " + integer() + ", v " + *name + ")");
    const std::string table = "kept_" + std::string(to_string(of));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      SCOPED_TRACE(i);
      EXPECT_EQ(handle.execute("INSERT INTO " + table + " VALUES ($1, $2)", i, samples[i]), 1u);
      const auto row = handle.query_one("SELECT v FROM " + table + " WHERE id = $1", i);
      EXPECT_TRUE(same(row.front().template get<T>(0), samples[i])) << row.front()[0].to_display().substr(0, 100);
    }
    handle.execute("INSERT INTO " + table + " VALUES ($1, $2)", -1, std::optional<T>());
    const auto none = handle.query_one("SELECT v FROM " + table + " WHERE id = $1", -1);
    EXPECT_TRUE(none.front()[0].is_null());
    EXPECT_EQ(none.front().template get<std::optional<T>>(0), std::nullopt);
    EXPECT_EQ(caught([&] { none.front().template get<T>(0); }).portable_code(), errc::null_value);
    EXPECT_EQ(handle.template query_value<int>("SELECT count(*) FROM " + table + " WHERE v IS NULL"), 1);
  }

 private:
  template <class T>
  static bool same(const T& got, const T& wanted) {
    return got == wanted;
  }
  // 1.50 is 1.5.
  static bool same(const numeric& got, const numeric& wanted) { return shortened(got.text) == shortened(wanted.text); }
  static std::string shortened(std::string text) {
    if (text.find('.') == std::string::npos) return text;
    while (text.ends_with('0')) text.pop_back();
    if (text.ends_with('.')) text.pop_back();
    return text;
  }
};
POLYPOOL_EVERY_DATABASE(conformance_values);

TEST_P(conformance_values, integers) {
  using limits = std::numeric_limits<std::int64_t>;
  expect_kept<std::int64_t>(data_type::integer, {0, 1, -1, 4711, limits::min(), limits::max()});
}

TEST_P(conformance_values, reals) {
  using limits = std::numeric_limits<double>;
  expect_kept<double>(data_type::real,
                      {0.0, 1.5, -0.1, 1e300, 123456.789, limits::max(), limits::lowest(), limits::epsilon()});
}

TEST_P(conformance_values, numerics) {
  std::vector<numeric> samples{{"0"}, {"1.5"}, {"-0.1"}, {"12345.0000000001"}};
  if (GetParam().exact_numerics) samples.push_back({"-12345678901234567890.1234567891"});
  expect_kept<numeric>(data_type::numeric, samples);
}

TEST_P(conformance_values, booleans) { expect_kept<bool>(data_type::boolean, {true, false}); }

TEST_P(conformance_values, texts) {
  std::string large(1'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); i += 997) large[i] = static_cast<char>('a' + i % 26);
  expect_kept<std::string>(data_type::text,
                           {"", "plain", "it's \"quoted\" and \\escaped\\", "100% _really_", "two\nlines\t", "äöü ß €",
                            "漢字かな", "😀👍🏽", "$1 ? :name @p", "; DROP TABLE t; --", "  blanks around  ", large});
}

TEST_P(conformance_values, bytes_of_all_kinds) {
  bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::byte>(i));
  bytes large(1'000'000);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::byte>(i * 7);
  expect_kept<bytes>(data_type::bytes, {bytes(), all, large});
}

TEST_P(conformance_values, dates) {
  const auto day = [](int y, unsigned m, unsigned d) {
    return std::chrono::sys_days(std::chrono::year(y) / std::chrono::month(m) / std::chrono::day(d));
  };
  expect_kept<date>(data_type::date, {day(1970, 1, 1), day(2024, 2, 29), day(1066, 10, 14), day(9999, 12, 31)});
}

TEST_P(conformance_values, times) {
  expect_kept<time_of_day>(data_type::time, {0us, 13h + 45min + 250ms, 23h + 59min + 59s + 999999us});
}

TEST_P(conformance_values, timestamps) {
  const auto at = [](int y, unsigned m, unsigned d) {
    return std::chrono::local_days(std::chrono::year(y) / std::chrono::month(m) / std::chrono::day(d));
  };
  expect_kept<timestamp>(data_type::timestamp,
                         {at(2024, 2, 29), at(2024, 2, 29) + 13h + 45min + 250ms, at(1815, 6, 18) + 11h,
                          at(9999, 12, 31) + 23h + 59min + 59s + 999999us});
}

TEST_P(conformance_values, points_in_time) {
  const auto at = [](int y, unsigned m, unsigned d) {
    return std::chrono::sys_days(std::chrono::year(y) / std::chrono::month(m) / std::chrono::day(d));
  };
  expect_kept<timestamp_tz>(data_type::timestamp_tz, {at(2024, 2, 29), at(2024, 2, 29) + 13h + 45min + 250ms,
                                                      at(1971, 6, 18) + 11h + 1us, at(2037, 12, 31) + 23h + 59min});
}

TEST_P(conformance_values, uuids_and_json) {
  expect_kept<uuid>(data_type::uuid, {*uuid::parse("0123abcd-4567-89ef-0011-223344556677"), uuid{}});
  expect_kept<json_text>(data_type::json, {{R"({"a": [1, 2], "b": null})"}, {"[]"}, {R"("text")"}});
}

TEST_P(conformance_values, borrowed_ones) {
  auto handle = db();
  handle.execute("CREATE TABLE kept (t " + text() + ", b " + *type(data_type::bytes) + ")");
  const std::string words = "borrowed, and more behind it";
  const bytes data{std::byte{0}, std::byte{255}};
  handle.execute("INSERT INTO kept VALUES ($1, $2)", text_view{std::string_view(words).substr(0, 8)}, bytes_view{data});
  const auto row = handle.query_one("SELECT t, b FROM kept");
  EXPECT_EQ(row.front().get<std::string>("t"), "borrowed");
  EXPECT_EQ(row.front().get<bytes>("b"), data);
}

TEST_P(conformance_values, what_cannot_be_kept_is_refused) {
  auto handle = db();
  handle.execute("CREATE TABLE kept (i " + integer() + ", t " + text() + ")");
  EXPECT_EQ(caught([&] { handle.execute("INSERT INTO kept (t) VALUES ($1)", "\xff\xfe"); }).portable_code(),
            errc::invalid_value);
  EXPECT_EQ(caught([&] {
              handle.execute("INSERT INTO kept (i) VALUES ($1)", std::numeric_limits<std::uint64_t>::max());
            }).portable_code(),
            errc::invalid_value);
  if (GetParam().strict_types) {
    EXPECT_EQ(caught([&] { handle.execute("INSERT INTO kept (i) VALUES ($1)", "seven"); }).portable_code(),
              errc::invalid_value);
  }
  EXPECT_EQ(handle.query_value<int>("SELECT count(*) FROM kept"), 0);
}

}  // namespace
}  // namespace polypool::test
