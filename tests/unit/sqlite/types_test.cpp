// SPDX-License-Identifier: Apache-2.0
#include "sqlite_fixture.hpp"

#include <cmath>
#include <cstring>
#include <random>

namespace polypool::sqlite {
namespace {

using namespace std::chrono;

TEST(sqlite_types, columns_are_called_as_declared) {
  const database db;
  db.query(
      "CREATE TABLE t(i INTEGER, b BOOLEAN, r DOUBLE PRECISION, n DECIMAL(10,2), s VARCHAR(20), x BLOB, d DATE, "
      "c TIME, m DATETIME, z TIMESTAMPTZ, u UUID, j JSON, v INTERVAL, o WHATEVER, e)");
  const auto columns = db.query("SELECT *, 1 + 1 AS sum FROM t").columns();
  using enum data_type;
  const std::vector<data_type> expected{integer,
                                        boolean,
                                        real,
                                        numeric,
                                        text,
                                        bytes,
                                        data_type::date,
                                        data_type::time,
                                        data_type::timestamp,
                                        data_type::timestamp_tz,
                                        data_type::uuid,
                                        json,
                                        interval,
                                        other,
                                        null,
                                        null};
  ASSERT_EQ(columns.size(), expected.size());
  for (std::size_t i = 0; i < columns.size(); ++i) EXPECT_EQ(columns[i].type, expected[i]) << columns[i].name;
  EXPECT_EQ(columns[15].name, "sum");
}

TEST(sqlite_types, values_keep_their_storage_form) {
  const database db;
  db.query("CREATE TABLE t(b BOOLEAN, n NUMERIC, d DATE, i INTEGER)");
  db.query("INSERT INTO t VALUES ($1, $2, $3, $4), (5, 'much', NULL, 'text')", true, numeric{"12.50"},
           date{year{2024} / 2 / 29}, 7);
  const auto rows = db.query("SELECT * FROM t");
  EXPECT_EQ(rows[0][0].type(), data_type::boolean);
  EXPECT_EQ(rows[0][0].stored_as(), field::form::integer);
  EXPECT_TRUE(rows[0].get<bool>(0));
  EXPECT_EQ(rows[0][1].stored_as(), field::form::real);
  EXPECT_EQ(rows[0].get<numeric>(1).text, "12.5");
  EXPECT_EQ(rows[0][2].type(), data_type::date);
  EXPECT_EQ(rows[0].get<std::string>("d"), "2024-02-29");
  EXPECT_EQ(rows[0].get<date>("d"), date{year{2024} / 2 / 29});
  EXPECT_EQ(rows[1][0].type(), data_type::integer) << "5 is no boolean";
  EXPECT_EQ(rows[1].get<std::string>("n"), "much");
  EXPECT_TRUE(rows[1]["d"].is_null());
  EXPECT_EQ(rows[1][3].type(), data_type::text);
  EXPECT_EQ(db.get<double>("SELECT 2.5"), 2.5);
}

TEST(sqlite_types, text_with_nul_is_kept_whole) {
  const database db;
  const std::string content("a\0b\0", 4);
  const auto rows = db.query("SELECT $1, length(CAST($1 AS BLOB)), $2", content, text_view{content});
  EXPECT_EQ(rows.front().get<std::string>(0), content);
  EXPECT_EQ(rows.front().get<int>(1), 4);
  EXPECT_EQ(rows.front().get<std::string_view>(2), content);
}

TEST(sqlite_types, empty_is_not_null) {
  const database db;
  const auto rows = db.query("SELECT $1, $2, $3, $4, $5", "", std::string_view(), text_view{}, bytes{}, bytes_view{});
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_FALSE(rows.front()[i].is_null()) << i;
    EXPECT_EQ(rows.front().get<std::string>(i), "") << i;
  }
  EXPECT_EQ(rows.front()[3].stored_as(), field::form::raw_bytes);
  EXPECT_TRUE(db.query("SELECT $1", nullptr).front()[0].is_null());
}

TEST(sqlite_types, refuses_what_would_change_in_silence) {
  const database db;
  for (const auto bad : {"\xff", "caf\xe9", "\xed\xa0\x80", "\xc0\x80"}) {
    const auto problem = caught([&] { db.query("SELECT $1", bad); });
    EXPECT_EQ(problem.portable_code(), errc::invalid_value);
    EXPECT_THAT(problem.what(), testing::HasSubstr("parameter 1"));
  }
  EXPECT_EQ(caught([&] { db.query("SELECT $1", UINT64_MAX); }).portable_code(), errc::invalid_value);
  EXPECT_THAT(caught([&] { db.query("SELECT $2, $1", 1, std::uint64_t{1} << 63); }).what(),
              testing::HasSubstr("parameter 2"));
  EXPECT_EQ(db.get<std::uint64_t>("SELECT $1", static_cast<std::uint64_t>(INT64_MAX)),
            static_cast<std::uint64_t>(INT64_MAX));
  EXPECT_EQ(caught([&] { db.query("SELECT $1", std::nan("")); }).portable_code(), errc::invalid_value);
  EXPECT_EQ(caught([&] { db.query("SELECT $1", date{year{10000} / 1 / 1}); }).portable_code(), errc::invalid_value);
  EXPECT_EQ(db.get<double>("SELECT $1", INFINITY), INFINITY);
  EXPECT_EQ(db.get<int>("SELECT $1", 5), 5) << "the session works on";
}

TEST(sqlite_types, a_hundred_megabytes_come_back) {
  const database db;
  db.query("CREATE TABLE t(s TEXT, b BLOB)");
  std::string large(100'000'000, 'x');
  large[99'999'999] = 'y';
  const auto raw = std::as_bytes(std::span(large));
  EXPECT_EQ(db.query("INSERT INTO t VALUES ($1, $2)", text_view{large}, bytes_view{raw}).affected_rows(), 1U);
  const auto rows = db.query("SELECT s, b FROM t");
  EXPECT_TRUE(rows.front().get<std::string_view>("s") == large);
  EXPECT_TRUE(rows.front().get<std::string_view>("b") == large);
}

TEST(sqlite_types, a_value_over_the_limit_is_refused) {
  const database db;
  EXPECT_EQ(caught([&] { db.query("SELECT zeroblob(1000000001)"); }).portable_code(), errc::invalid_value);
}

template <class T>
void expect_same(const database& db, const T& content) {
  const auto rows = db.query("SELECT $1", content);
  ASSERT_TRUE(rows.front().template get<T>(0) == content) << rows.front()[0].to_display();
}

std::string random_text(std::mt19937_64& random) {
  std::string out;
  for (auto length = random() % 80; length > 0; --length) {
    constexpr std::array<std::string_view, 6> pieces{"ü", "漢", "😀", "'", "\\", "x"};
    if (random() % 4 == 0) {
      out += pieces[random() % pieces.size()];
    } else {
      out += static_cast<char>(random() % 128);
    }
  }
  return out;
}

TEST(sqlite_types, all_survive_the_way_there_and_back) {
  const database db;
  std::mt19937_64 random(11);
  const auto first = sys_time<microseconds>{sys_days{year{0} / 1 / 1}}.time_since_epoch().count();
  const auto last = sys_time<microseconds>{sys_days{year{10000} / 1 / 1}}.time_since_epoch().count() - 1;
  std::uniform_int_distribution<std::int64_t> moments(first, last);
  for (int i = 0; i < 5'000; ++i) {
    const auto bits = random() >> (random() % 64);
    expect_same(db, static_cast<std::int64_t>(bits));
    expect_same(db, bits % 2 == 0);
    double real = 0;
    std::memcpy(&real, &bits, sizeof real);
    if (!std::isnan(real)) expect_same(db, real);
    const auto text = random_text(random);
    expect_same(db, text);
    const auto* start = reinterpret_cast<const std::byte*>(text.data());
    expect_same(db, bytes(start, start + text.size()));
    expect_same(db, json_text{text});
    expect_same(db, numeric{std::to_string(bits) + ".0100"});
    const microseconds moment{moments(random)};
    const auto day = floor<days>(timestamp_tz{moment});
    expect_same(db, timestamp_tz{moment});
    expect_same(db, timestamp{moment});
    expect_same(db, day);
    expect_same(db, time_of_day{timestamp_tz{moment} - day});
    uuid id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
    expect_same(db, id);
  }
}

TEST(sqlite_rows, of_every_width_and_length_come_back) {
  const database db;
  std::mt19937_64 random(5);
  for (int columns = 1; columns <= 40; columns += 3) {
    std::string text = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT i";
    for (int c = 1; c < columns; ++c) {
      text += c % 3 == 0 ? ", NULL" : c % 3 == 1 ? ", printf('%d-%.*c', i, i * 7 % 50, 'x')" : ", i * 0.5";
    }
    const auto count = static_cast<int>(random() % 700) + 1;
    const auto rows = db.query(text + " FROM n", count);
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(count));
    int i = 0;
    for (const row each : rows) {
      ++i;
      ASSERT_EQ(each.get<int>(0), i);
      if (columns > 1) {
        ASSERT_TRUE(each.get<std::string>(1).starts_with(std::to_string(i) + "-x"));
      }
      if (columns > 2) {
        ASSERT_EQ(each.get<double>(2), i * 0.5);
      }
      if (columns > 3) {
        ASSERT_TRUE(each[3].is_null());
      }
    }
  }
}

}  // namespace
}  // namespace polypool::sqlite
