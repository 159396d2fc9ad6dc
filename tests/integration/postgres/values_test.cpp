// SPDX-License-Identifier: Apache-2.0
// Values on their way to the server and back.
#include "fixture.hpp"
#include "support/random_values.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace polypool::test {
namespace {

using postgres_values = postgres_ways;
POLYPOOL_BOTH_WAYS(postgres_values);

// Sends a value as this type, and reads it back as T.
template <class T>
T echo(client& db, const std::string& type, const T& sent) {
  return db.query("SELECT $1::" + type, sent).front().template get<T>(0);
}

TEST_P(postgres_values, random_ones_come_back_the_same) {
  auto db = make_client();
  std::mt19937_64 random(GetParam() == way::blocking ? 1 : 2);
  const auto first = std::chrono::sys_days(std::chrono::year(1) / 1 / 1);
  const auto last = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);
  const auto day_count = static_cast<std::uint64_t>((last - first).count());
  constexpr std::uint64_t day_length = 86'400'000'000;
  for (int i = 0; i < 200; ++i) {
    SCOPED_TRACE(i);
    const auto integer = static_cast<std::int64_t>(random()) >> random() % 64;
    EXPECT_EQ(echo(db, "bigint", integer), integer);
    const std::uint64_t unsigned_integer = random();
    EXPECT_EQ(echo(db, "numeric", unsigned_integer), unsigned_integer);
    const auto real = std::bit_cast<double>(random());
    if (!std::isnan(real)) {
      EXPECT_EQ(echo(db, "float8", real), real);
    }
    const auto text = random_text(random);
    EXPECT_EQ(echo(db, "text", text), text);
    const auto data = random_bytes(random);
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

TEST_P(postgres_values, limits) {
  auto db = make_client();
  for (const auto number : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(echo(db, "bigint", number), number);
  }
  for (const double number : {0.0, -0.0, 5e-324, 1.7976931348623157e308, HUGE_VAL, -HUGE_VAL, 0.1, 1e15, 123456.789}) {
    const auto back = echo(db, "float8", number);
    EXPECT_EQ(back, number);
    EXPECT_EQ(std::signbit(back), std::signbit(number));
  }
  EXPECT_TRUE(std::isnan(echo(db, "float8", std::nan(""))));
  EXPECT_EQ(echo(db, "float4", 0.1f), 0.1f);
  EXPECT_EQ(echo(db, "text", std::string()), "");
  EXPECT_EQ(echo(db, "bytea", bytes()), bytes());
  EXPECT_EQ(db.failure("SELECT $1::smallint", 40000).portable_code(), errc::invalid_value);
  EXPECT_EQ(db.failure("SELECT $1::bigint", std::numeric_limits<std::uint64_t>::max()).portable_code(),
            errc::invalid_value);
  EXPECT_TRUE(db.query("SELECT $1::int", nullptr).front()[0].is_null());
}

TEST_P(postgres_values, types_have_portable_names) {
  auto db = make_client();
  const auto rows = db.query(
      "SELECT true AS boolean, 1::int2 AS integer, 1::int4 AS integer, 1::int8 AS integer, 1::oid AS integer,"
      " 1::float4 AS real, 1::float8 AS real, 1::numeric AS numeric, 'a'::text AS text, 'a'::varchar AS text,"
      " 'a'::char(3) AS text, 'a'::name AS text, 'a'::\"char\" AS text, '\\x00'::bytea AS bytes,"
      " '2024-02-29'::date AS date, '12:00'::time AS time, '12:00+01'::timetz AS other,"
      " '2024-02-29'::timestamp AS timestamp, '2024-02-29'::timestamptz AS timestamp_tz, '1 day'::interval AS interval,"
      " gen_random_uuid() AS uuid, '{}'::json AS json, '{}'::jsonb AS json, '{1}'::int[] AS array,"
      " '{a}'::text[] AS array, '{}'::uuid[] AS array, '{}'::jsonb[] AS array, '{}'::timestamptz[] AS array,"
      " '1.2.3.4'::inet AS other, '(1,2)'::point AS other, 'x' AS text, NULL::int AS integer");
  for (std::size_t i = 0; i < rows.columns().size(); ++i) {
    EXPECT_EQ(to_string(rows.columns()[i].type), rows.columns()[i].name) << "column " << i;
  }
  EXPECT_EQ(rows[0][23].get<std::string>(), "{1}");
  EXPECT_EQ(rows[0].get<json_text>(21).text, "{}");
  EXPECT_EQ(rows[0].get<std::string>(19), "1 day");
}

TEST_P(postgres_values, borrowed_text_and_bytes) {
  auto db = make_client();
  const std::string text = "borrowed, and more behind it";
  const bytes data{std::byte{0}, std::byte{255}, std::byte{7}};
  const auto rows = db.query("SELECT $1::text, $2::bytea, $3::json", text_view{std::string_view(text).substr(0, 8)},
                             bytes_view{data}, json_text{R"({"a": [1, 2]})"});
  EXPECT_EQ(rows[0].get<std::string>(0), "borrowed");
  EXPECT_EQ(rows[0].get<bytes>(1), data);
  EXPECT_EQ(rows[0].get<json_text>(2).text, R"({"a": [1, 2]})");
}

TEST_P(postgres_values, what_postgres_cannot_store_is_refused_clearly) {
  auto db = make_client();
  const auto nul = db.failure("SELECT $1::text, $2::text", "fine", std::string("a\0b", 3));
  EXPECT_EQ(nul.portable_code(), errc::invalid_value);
  EXPECT_NE(std::string(nul.what()).find("$2"), std::string::npos) << nul.what();
  EXPECT_NE(std::string(nul.what()).find("NUL"), std::string::npos) << nul.what();
  const auto broken = db.failure("SELECT $1::text", "\xff\xfe");
  EXPECT_EQ(broken.portable_code(), errc::invalid_value);
  EXPECT_EQ(broken.sqlstate(), "22021");
  EXPECT_EQ(db.failure("SELECT $1::int", "seven").sqlstate(), "22P02");
  EXPECT_EQ(db.failure(std::string_view("SELECT 1\0", 9)).portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.text("SELECT 1"), "1");
  EXPECT_FALSE(db->dirty());
}

TEST_P(postgres_values, times_do_not_depend_on_the_servers_settings) {
  auto where = playground_->endpoint();
  where.options["options"] = "-c TimeZone=Asia/Kolkata";
  client db(go_, where);
  const timestamp_tz point = std::chrono::sys_days(std::chrono::year(2024) / 2 / 29) + 13h + 45min + 250ms;
  EXPECT_EQ(db.query("SELECT '2024-02-29 13:45:00.25+00'::timestamptz").front().get<timestamp_tz>(0), point);
  EXPECT_EQ(echo(db, "timestamptz", point), point);
}

class postgres_large_values : public postgres_ways {};
POLYPOOL_BOTH_WAYS(postgres_large_values);

TEST_P(postgres_large_values, hundred_megabytes_in_and_out) {
  for (const auto tls : {tls_mode::disable, tls_mode::require}) {
    auto where = playground_->endpoint();
    where.tls = tls;
    client db(go_, where);
    std::string text(100'000'000, 'x');
    for (std::size_t i = 0; i < text.size(); i += 997) text[i] = static_cast<char>('a' + i % 26);
    const auto rows = db.query("SELECT $1::text", text_view{text});
    EXPECT_TRUE(rows.front().get<std::string_view>(0) == text);
    const std::span<const std::byte> data = std::as_bytes(std::span<const char>(text));
    EXPECT_EQ(db.text("SELECT length($1::bytea)", bytes_view{data}), "100000000");
    auto cursor = db.open("SELECT $1::text", {value(text_view{text})});
    const auto block = go_(cursor->next());
    ASSERT_TRUE(block);
    EXPECT_TRUE(block->at(0, 0).get<std::string_view>() == text);
    EXPECT_EQ(go_(cursor->next()), nullptr);
    EXPECT_EQ(db.text("SELECT 1"), "1");
  }
}

}  // namespace
}  // namespace polypool::test
