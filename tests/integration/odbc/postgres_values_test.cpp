// SPDX-License-Identifier: Apache-2.0
// Values on their way to PostgreSQL over ODBC and back.
#include "fixture.hpp"
#include "support/random_values.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace polypool::test {
namespace {

using odbc_postgres_values = odbc_postgres_ways;
POLYPOOL_BOTH_WAYS(odbc_postgres_values);

// Sends a value as this type, and reads it back as T.
template <class T>
T echo(odbc_client& db, const std::string& type, const T& sent) {
  return db.query("SELECT $1::" + type, sent).front().template get<T>(0);
}

TEST_P(odbc_postgres_values, random_ones_come_back_the_same) {
  auto db = make_client();
  std::mt19937_64 random(GetParam() == way::blocking ? 1 : 2);
  const auto first = std::chrono::sys_days(std::chrono::year(1) / 1 / 1);
  const auto last = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);
  const auto day_count = static_cast<std::uint64_t>((last - first).count());
  constexpr std::uint64_t day_length = 86'400'000'000;
  for (int i = 0; i < 100; ++i) {
    SCOPED_TRACE(i);
    const auto integer = static_cast<std::int64_t>(random()) >> random() % 64;
    EXPECT_EQ(echo(db, "bigint", integer), integer);
    const std::uint64_t unsigned_integer = random();
    EXPECT_EQ(echo(db, "numeric", unsigned_integer), unsigned_integer);
    const auto real = std::bit_cast<double>(random());
    if (!std::isnan(real)) {
      EXPECT_EQ(echo(db, "float8", real), real);
    }
    const auto text = random_text(random, 400);
    EXPECT_EQ(echo(db, "text", text), text);
    EXPECT_EQ(echo(db, "varchar", text), text);
    const auto data = random_bytes(random, 1000);
    EXPECT_EQ(echo(db, "bytea", data), data);
    const date day = first + std::chrono::days(random() % day_count);
    EXPECT_EQ(echo(db, "date", day), day);
    const auto of_day = std::chrono::microseconds(random() % day_length);
    EXPECT_EQ(echo<time_of_day>(db, "time", of_day), of_day);
    const timestamp local = std::chrono::local_days(day.time_since_epoch()) + of_day;
    EXPECT_EQ(echo(db, "timestamp", local), local);
    const timestamp_tz point = day + of_day;
    EXPECT_EQ(echo(db, "timestamptz", point), point);
    uuid id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
    EXPECT_EQ(echo(db, "uuid", id), id);
    const numeric number{std::to_string(integer) + "." + std::to_string(random() % 1'000'000'000 + 1'000'000'000)};
    EXPECT_EQ(echo(db, "numeric", number), number);
    const bool flag = random() % 2 == 0;
    EXPECT_EQ(echo(db, "bool", flag), flag);
  }
}

TEST_P(odbc_postgres_values, limits) {
  auto db = make_client();
  for (const auto number : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(echo(db, "bigint", number), number);
  }
  EXPECT_EQ(echo(db, "numeric", std::numeric_limits<std::uint64_t>::max()), std::numeric_limits<std::uint64_t>::max());
  for (const auto number : {std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min(), -0.0,
                            std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(echo(db, "float8", number), number);
  }
  EXPECT_TRUE(std::isnan(echo(db, "float8", std::numeric_limits<double>::quiet_NaN())));
  EXPECT_EQ(db.text("SELECT $1::numeric", numeric{"NaN"}), "NaN");
  EXPECT_EQ(db.text("SELECT $1::numeric", numeric{"1e-30"}), "0.000000000000000000000000000001");
  EXPECT_EQ(db.text("SELECT $1::numeric", numeric{std::string(500, '9')}), std::string(500, '9'));
  EXPECT_EQ(echo(db, "text", std::string()), "");
  EXPECT_EQ(echo(db, "bytea", bytes()), bytes());
  EXPECT_TRUE(db.query("SELECT $1::text", nullptr).front()[0].is_null());
  EXPECT_TRUE(db.query("SELECT $1::bytea, $2::int", nullptr, nullptr).front()[1].is_null());
  for (const auto* type : {"int", "text", "bytea", "uuid", "timestamptz", "bool", "float8"}) {
    EXPECT_TRUE(db.query(std::string("SELECT NULL::") + type).front()[0].is_null()) << type;
  }
}

TEST_P(odbc_postgres_values, types_have_names) {
  auto db = make_client();
  const auto rows = db.query(
      "SELECT true AS boolean, 1::smallint AS integer, 1 AS integer, 1::bigint AS integer, 1.5::real AS real,"
      " 1.5::float8 AS real, 1.25::numeric AS numeric, 'x'::text AS text, 'x'::varchar(5) AS text, 'x'::char(3) AS "
      "text,"
      " '\\x01'::bytea AS bytes, '2024-02-29'::date AS date, '12:00'::time AS time, '2024-02-29'::timestamp AS "
      "timestamp,"
      " '2024-02-29'::timestamptz AS timestamp_tz, gen_random_uuid() AS uuid, 'x'::xml AS text, 7::oid AS integer");
  for (std::size_t i = 0; i < rows.columns().size(); ++i) {
    EXPECT_EQ(to_string(rows.columns()[i].type), rows.columns()[i].name) << "column " << i;
    EXPECT_EQ(to_string(rows[0][i].type()), rows.columns()[i].name) << "column " << i;
  }
  EXPECT_EQ(rows[0].get<bool>(0), true);
  EXPECT_EQ(rows[0].get<double>(4), 1.5);
  EXPECT_EQ(rows[0].get<std::string>(9), "x  ");
  EXPECT_EQ(db.text("SELECT '{1,2}'::int[]"), "{1,2}");
  EXPECT_EQ(db.query("SELECT '{\"a\": 1}'::jsonb").front().get<json_text>(0).text, R"({"a": 1})");
  EXPECT_EQ(db.text("SELECT '1 day'::interval"), "1 day");
}

TEST_P(odbc_postgres_values, wide_rows_with_long_values_among_short_ones) {
  auto db = make_client();
  const auto rows = db.query(
      "SELECT g, repeat('ä', g) AS t, CASE WHEN g % 3 = 0 THEN NULL ELSE repeat('b', 2 * g) END AS n,"
      " decode(repeat('0f', g), 'hex') AS d, g * 2 AS h FROM generate_series(1, 700) g");
  ASSERT_EQ(rows.size(), 700u);
  for (int i = 1; i <= 700; ++i) {
    const auto row = rows[static_cast<std::size_t>(i - 1)];
    const auto size = static_cast<std::size_t>(i);
    ASSERT_EQ(row.get<int>(0), i);
    ASSERT_EQ(row.get<std::string_view>(1).size(), 2 * size);
    ASSERT_EQ(row.get<std::string_view>(1).substr(2 * size - 2), "ä");
    ASSERT_EQ(row.get<std::optional<std::string>>(2).has_value(), i % 3 != 0);
    if (i % 3 != 0) {
      ASSERT_EQ(row.get<std::string>(2), std::string(2 * size, 'b'));
    }
    ASSERT_EQ(row.get<bytes>(3), bytes(size, std::byte{15}));
    ASSERT_EQ(row.get<int>(4), 2 * i);
  }
}

TEST_P(odbc_postgres_values, borrowed_text_and_bytes) {
  auto db = make_client();
  const std::string text = "borrowed, and more behind it";
  const bytes data{std::byte{0}, std::byte{255}, std::byte{7}};
  const auto rows = db.query("SELECT $1::text, $2::bytea, $3::json", text_view{std::string_view(text).substr(0, 8)},
                             bytes_view{data}, json_text{R"({"a": [1, 2]})"});
  EXPECT_EQ(rows[0].get<std::string>(0), "borrowed");
  EXPECT_EQ(rows[0].get<bytes>(1), data);
  EXPECT_EQ(rows[0].get<json_text>(2).text, R"({"a": [1, 2]})");
}

TEST_P(odbc_postgres_values, what_cannot_be_stored_is_refused_clearly) {
  auto db = make_client();
  const auto nul = db.failure("SELECT $1::text, $2::text", "fine", std::string("a\0b", 3));
  EXPECT_EQ(nul.portable_code(), errc::invalid_value);
  EXPECT_NE(std::string(nul.what()).find("$2"), std::string::npos) << nul.what();
  EXPECT_NE(std::string(nul.what()).find("NUL"), std::string::npos) << nul.what();
  EXPECT_EQ(db.failure("SELECT $1::text", "\xff\xfe").portable_code(), errc::invalid_value);
  EXPECT_EQ(db.failure("SELECT $1::int", "seven").sqlstate(), "22P02");
  EXPECT_EQ(db.failure(std::string_view("SELECT 1\0", 9)).portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.failure("SELECT $1::int").portable_code(), errc::parameter_count);
  EXPECT_EQ(db.failure("SELECT $1::int", 1, 2).portable_code(), errc::parameter_count);
  EXPECT_EQ(db.text("SELECT 1"), "1");
  EXPECT_FALSE(db->dirty());
}

TEST_P(odbc_postgres_values, times_do_not_depend_on_the_servers_settings) {
  const std::string role = playground_->name() + "_kolkata";
  admin().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'kolkata-word'");
  for (const auto* setting : {"TimeZone = 'Asia/Kolkata'", "DateStyle = 'German'", "IntervalStyle = 'iso_8601'"}) {
    admin().execute("ALTER ROLE " + role + " SET " + setting);
  }
  const timestamp_tz point = std::chrono::sys_days(std::chrono::year(2024) / 2 / 29) + 13h + 45min + 250ms;
  {
    auto as_role = where();
    as_role.schema.clear();
    as_role.user = role;
    as_role.password = "kolkata-word";
    odbc_client db(go_, as_role);
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(db.query("SELECT '2024-02-29 13:45:00.25+00'::timestamptz").front().get<timestamp_tz>(0), point);
      EXPECT_EQ(echo(db, "timestamptz", point), point);
      EXPECT_EQ(db.text("SELECT '2024-02-29'::date"), "2024-02-29");
      EXPECT_EQ(db.text("SELECT '1 day'::interval"), "1 day");
      // Moved by a caller, the zone is not known: the time says no more than what the clock shows there.
      db.query("SET TimeZone = 'Asia/Kolkata'");
      EXPECT_EQ(db.query("SELECT '2024-02-29 13:45:00.25+00'::timestamptz AS x").columns()[0].type,
                data_type::timestamp);
      db.reset();
    }
  }
  EXPECT_TRUE(playground_->sessions_become(0));
  admin().execute("DROP ROLE " + role);
}

TEST_P(odbc_postgres_values, ten_megabytes_in_and_out) {
  auto db = make_client();
  std::string text(10'000'000, 'x');
  for (std::size_t i = 0; i + 2 < text.size(); i += 997) text.replace(i, 2, "ü");
  const auto rows = db.query("SELECT $1::text", text_view{text});
  EXPECT_TRUE(rows.front().get<std::string_view>(0) == text);
  const std::span<const std::byte> data = std::as_bytes(std::span<const char>(text));
  const auto raw = db.query("SELECT $1::bytea, length($1::bytea)", bytes_view{data});
  EXPECT_TRUE(std::ranges::equal(raw.front().get<bytes>(0), data));
  EXPECT_EQ(raw.front().get<int>(1), 10'000'000);
  auto cursor = db.open("SELECT $1::text", {value(text_view{text})});
  const auto block = go_(cursor->next());
  ASSERT_TRUE(block);
  EXPECT_TRUE(block->at(0, 0).get<std::string_view>() == text);
  EXPECT_EQ(go_(cursor->next()), nullptr);
  EXPECT_EQ(db.text("SELECT 1"), "1");
}

}  // namespace
}  // namespace polypool::test
