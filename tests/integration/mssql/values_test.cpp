// SPDX-License-Identifier: Apache-2.0
// Values on their way to SQL Server and back.
#include "fixture.hpp"
#include "support/random_values.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace polypool::test {
namespace {

using mssql_values = mssql_ways;
POLYPOOL_BOTH_WAYS(mssql_values);

constexpr const char* every_type =
    "CREATE TABLE v (i bigint, n int, s smallint, t tinyint, b bit, f float, r real, d decimal(38, 10), m money,"
    " v varchar(200), nv nvarchar(2000), mx nvarchar(max), bin varbinary(4000), bmx varbinary(max),"
    " u uniqueidentifier, dt date, tm time(6), d2 datetime2(6), dto datetimeoffset(6), old datetime, x xml)";

TEST_P(mssql_values, random_ones_come_back_the_same) {
  auto db = make_client();
  db.query(every_type);
  std::mt19937_64 random(GetParam() == way::blocking ? 1 : 2);
  for (int i = 0; i < 100; ++i) {
    SCOPED_TRACE(i);
    const auto integer = static_cast<std::int64_t>(random()) >> random() % 64;
    const auto middle = static_cast<std::int32_t>(random());
    auto real = std::bit_cast<double>(random());
    if (!std::isfinite(real)) real = 0.1;
    const auto small_real = static_cast<float>(static_cast<int>(random() % 100000)) / 64.0F;
    const bool flag = random() % 2 == 0;
    const numeric exact{std::to_string(integer) + "." + std::to_string(random() % 1'000'000'000 + 1'000'000'000)};
    const numeric money{std::to_string(middle) + ".1234"};
    const std::string ascii(random() % 200, 'y');
    const auto text = random_text(random, 900);
    const auto long_text = random_text(random, 9000);
    const auto data = random_bytes(random, 4000);
    const auto long_data = random_bytes(random, 30000);
    uuid id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
    const date day = std::chrono::sys_days(std::chrono::year(1) / 1 / 2) + std::chrono::days(random() % 3'000'000);
    const time_of_day of_day = std::chrono::microseconds(random() % 86'400'000'000);
    const timestamp local = std::chrono::local_days(day.time_since_epoch()) + of_day;
    const timestamp_tz point = day + of_day;
    const timestamp old =
        std::chrono::local_days(std::chrono::year(1999) / 5 / 6) + std::chrono::seconds(random() % 80000);
    db.query("DELETE FROM v");
    db.query(
        "INSERT INTO v VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, "
        "$20, $21)",
        integer, middle, middle % 30000, static_cast<int>(random() % 256), flag, real, small_real, exact, money, ascii,
        text, long_text, data, long_data, id, day, of_day, local, point, old, "<a>ü</a>");
    const auto rows = db.query("SELECT * FROM v");
    const auto row = rows.front();
    EXPECT_EQ(row.get<std::int64_t>("i"), integer);
    EXPECT_EQ(row.get<std::int32_t>("n"), middle);
    EXPECT_EQ(row.get<int>("s"), middle % 30000);
    EXPECT_EQ(row.get<bool>("b"), flag);
    EXPECT_EQ(row.get<double>("f"), real);
    EXPECT_EQ(row.get<float>("r"), small_real);
    EXPECT_EQ(row.get<numeric>("d"), exact);
    EXPECT_EQ(row.get<numeric>("m"), money);
    EXPECT_EQ(row.get<std::string>("v"), ascii);
    EXPECT_EQ(row.get<std::string>("nv"), text);
    EXPECT_EQ(row.get<std::string>("mx"), long_text);
    EXPECT_EQ(row.get<bytes>("bin"), data);
    EXPECT_EQ(row.get<bytes>("bmx"), long_data);
    EXPECT_EQ(row.get<uuid>("u"), id);
    EXPECT_EQ(row.get<date>("dt"), day);
    EXPECT_EQ(row.get<time_of_day>("tm"), of_day);
    EXPECT_EQ(row.get<timestamp>("d2"), local);
    EXPECT_EQ(row.get<timestamp_tz>("dto"), point);
    EXPECT_EQ(row.get<timestamp>("old"), old);
    EXPECT_EQ(row.get<std::string>("x"), "<a>ü</a>");
  }
  EXPECT_FALSE(db->dirty());
}

TEST_P(mssql_values, types_and_nulls) {
  auto db = make_client();
  db.query(every_type);
  db.query("INSERT INTO v (i) VALUES ($1)", nullptr);
  const auto rows = db.query("SELECT * FROM v");
  const std::vector<data_type> expected{
      data_type::integer, data_type::integer, data_type::integer,   data_type::integer,      data_type::boolean,
      data_type::real,    data_type::real,    data_type::numeric,   data_type::numeric,      data_type::text,
      data_type::text,    data_type::text,    data_type::bytes,     data_type::bytes,        data_type::uuid,
      data_type::date,    data_type::time,    data_type::timestamp, data_type::timestamp_tz, data_type::timestamp,
      data_type::text};
  ASSERT_EQ(rows.columns().size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(to_string(rows.columns()[i].type), to_string(expected[i])) << rows.columns()[i].name;
    EXPECT_TRUE(rows[0][i].is_null()) << rows.columns()[i].name;
  }
}

TEST_P(mssql_values, limits) {
  auto db = make_client();
  db.query(every_type);
  for (const auto extreme : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    db.query("DELETE FROM v");
    db.query("INSERT INTO v (i, n, t, nv, bin) VALUES ($1, $2, $3, $4, $5)", extreme,
             std::numeric_limits<std::int32_t>::min(), 255, std::string(), bytes());
    const auto row = db.query("SELECT i, n, t, nv, bin FROM v");
    EXPECT_EQ(row.front().get<std::int64_t>(0), extreme);
    EXPECT_EQ(row.front().get<std::int32_t>(1), std::numeric_limits<std::int32_t>::min());
    EXPECT_EQ(row.front().get<int>(2), 255);
    EXPECT_EQ(row.front().get<std::string>(3), "");
    EXPECT_EQ(row.front().get<bytes>(4), bytes());
  }
  const numeric most{"9999999999999999999999999999.9999999999"};
  const numeric least{"-9999999999999999999999999999.9999999999"};
  for (const auto& number : {most, least}) {
    db.query("UPDATE v SET d = $1", number);
    EXPECT_EQ(db.query("SELECT d FROM v").front().get<numeric>(0), number);
  }
  db.query("UPDATE v SET d = $1", std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(db.query("SELECT d FROM v").front().get<std::uint64_t>(0), std::numeric_limits<std::uint64_t>::max());
  const std::string with_nul("a\0b", 3);
  db.query("UPDATE v SET nv = $1", with_nul);
  EXPECT_EQ(db.query("SELECT nv FROM v").front().get<std::string>(0), with_nul);
  EXPECT_EQ(db.failure("SELECT $1", std::numeric_limits<double>::infinity()).portable_code(), errc::invalid_value);
  EXPECT_EQ(db.failure("SELECT $1", "\xff").portable_code(), errc::invalid_value);
  EXPECT_EQ(db.failure("SELECT $1").portable_code(), errc::parameter_count);
  EXPECT_EQ(db.failure("SELECT $1", 1, 2).portable_code(), errc::parameter_count);
}

TEST_P(mssql_values, large_ones_in_pieces) {
  auto db = make_client();
  db.query(every_type);
  std::string text(3'000'000, 'x');
  for (std::size_t i = 0; i + 4 < text.size(); i += 997) text.replace(i, 4, "😀");
  const auto data = std::as_bytes(std::span<const char>(text));
  db.query("INSERT INTO v (i, mx, bmx) VALUES ($1, $2, $3)", 7, text_view{text}, bytes_view{data});
  const auto rows = db.query("SELECT mx, bmx, i FROM v");
  EXPECT_TRUE(rows.front().get<std::string_view>(0) == text);
  EXPECT_TRUE(std::ranges::equal(rows.front().get<bytes>(1), data));
  EXPECT_EQ(rows.front().get<int>(2), 7) << "what is behind a long value";
}

TEST_P(mssql_values, many_rows_with_long_values_among_short_ones) {
  auto db = make_client();
  const auto rows = db.query(
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 500) "
      "SELECT x, CASE WHEN x % 5 = 0 THEN NULL ELSE substr(quote(zeroblob(4000)), 3, 10 * x) END AS t, x * 2 AS y FROM "
      "c");
  ASSERT_EQ(rows.size(), 500u);
  for (int i = 1; i <= 500; ++i) {
    const auto row = rows[static_cast<std::size_t>(i - 1)];
    ASSERT_EQ(row.get<int>(0), i);
    ASSERT_EQ(row.get<std::optional<std::string>>(1),
              i % 5 == 0 ? std::nullopt : std::optional(std::string(static_cast<std::size_t>(10 * i), '0')));
    ASSERT_EQ(row.get<int>(2), 2 * i);
  }
}

}  // namespace
}  // namespace polypool::test
