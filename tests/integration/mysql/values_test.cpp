// SPDX-License-Identifier: Apache-2.0
// Values on their way to the server and back.
#include "fixture.hpp"
#include "support/random_values.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace polypool::test {
namespace {

class mysql_values : public mysql_ways {
 protected:
  // A table with a column of each type; `round trip` writes into one of them and reads it back.
  void make_table(client& db) {
    db.query(
        "CREATE TABLE v (id int PRIMARY KEY, i bigint, u bigint unsigned, d double, f float, t text, b longblob, n "
        "decimal(65,20), da date, ti time(6), dt datetime(6), ts timestamp(6) NULL, j json, c char(36), bo boolean, "
        "bi bit(64))");
    db.query("INSERT INTO v (id) VALUES (1)");
  }
  template <class T>
  T round_trip(client& db, const std::string& column, const T& sent) {
    EXPECT_EQ(db.query("UPDATE v SET " + column + " = $1 WHERE id = 1", sent).affected_rows(), 1u);
    EXPECT_EQ(db.query("SELECT id FROM v WHERE " + column + " = $1", sent).size(), 1u) << column << " compares equal";
    return db.query("SELECT " + column + " FROM v").front().template get<T>(0);
  }
};
POLYPOOL_BOTH_WAYS(mysql_values);

// MySQL's collations ignore blanks at the end when they compare.
std::string random_text_of_mysql(std::mt19937_64& random) {
  return "x" + random_text(random) + std::string(random() % 2, '\0') + "x";
}

TEST_P(mysql_values, random_ones_come_back_the_same) {
  auto db = make_client();
  make_table(db);
  std::mt19937_64 random(GetParam() == way::blocking ? 1 : 2);
  const auto first = std::chrono::sys_days(std::chrono::year(1) / 1 / 1);
  const auto last = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);
  const auto day_count = static_cast<std::uint64_t>((last - first).count());
  constexpr std::uint64_t day_length = 86'400'000'000;
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    const auto integer = static_cast<std::int64_t>(random()) >> random() % 64;
    EXPECT_EQ(round_trip(db, "i", integer), integer);
    const std::uint64_t unsigned_integer = random() >> random() % 64;
    EXPECT_EQ(round_trip(db, "u", unsigned_integer), unsigned_integer);
    EXPECT_EQ(round_trip(db, "bi", unsigned_integer), unsigned_integer);
    const auto real = std::bit_cast<double>(random());
    if (std::isfinite(real)) {
      EXPECT_EQ(round_trip(db, "d", real), real);
    }
    const auto text = random_text_of_mysql(random);
    EXPECT_EQ(round_trip(db, "t", text), text);
    const auto data = random_bytes(random);
    EXPECT_EQ(round_trip(db, "b", data), data);
    const date day = first + std::chrono::days(random() % day_count);
    EXPECT_EQ(round_trip(db, "da", day), day);
    const auto of_day = std::chrono::microseconds(random() % day_length);
    EXPECT_EQ(round_trip<time_of_day>(db, "ti", of_day), of_day);
    const timestamp local = std::chrono::local_days(day.time_since_epoch()) + of_day;
    EXPECT_EQ(round_trip(db, "dt", local), local);
    const timestamp_tz point{std::chrono::seconds(1 + random() % 2'000'000'000) +
                             std::chrono::microseconds(random() % 1'000'000)};
    EXPECT_EQ(round_trip(db, "ts", point), point);
    uuid id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
    EXPECT_EQ(round_trip(db, "c", id), id);
    std::string digits = std::to_string(integer) + "." + std::to_string(random() % 1'000'000'000 + 1'000'000'000);
    const auto number = round_trip(db, "n", numeric{digits});
    EXPECT_EQ(number.text, digits + std::string(20 - (digits.size() - digits.find('.') - 1), '0'));
    const bool flag = random() % 2 == 0;
    EXPECT_EQ(round_trip(db, "bo", flag), flag);
  }
}

// Also without a column that says which type it is.
TEST_P(mysql_values, parameters_have_types_of_their_own) {
  auto db = make_client();
  const auto echo = [&]<class T>(const T& sent) { return db.query("SELECT $1", sent).front().template get<T>(0); };
  EXPECT_EQ(echo(std::numeric_limits<std::int64_t>::min()), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(echo(std::numeric_limits<std::uint64_t>::max()), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(echo(0.1), 0.1);
  EXPECT_EQ(echo(std::string("text")), "text");
  EXPECT_EQ(echo(bytes{std::byte{0}, std::byte{255}}), (bytes{std::byte{0}, std::byte{255}}));
  EXPECT_EQ(echo(true), true);
  EXPECT_EQ(echo(numeric{"-12345678901234567890.123456789"}), numeric{"-12345678901234567890.123456789"});
  const auto day = std::chrono::sys_days(std::chrono::year(2024) / 2 / 29);
  EXPECT_EQ(echo(date(day)), day);
  EXPECT_EQ(echo(timestamp(std::chrono::local_days(day.time_since_epoch()) + 13h + 250ms)),
            std::chrono::local_days(day.time_since_epoch()) + 13h + 250ms);
  EXPECT_EQ(echo(time_of_day(13h + 250ms)), time_of_day(13h + 250ms));
  EXPECT_TRUE(db.query("SELECT $1", nullptr).front()[0].is_null());
  EXPECT_EQ(db.text("SELECT $1 + $1", 2), "4");
}

TEST_P(mysql_values, limits) {
  auto db = make_client();
  make_table(db);
  for (const double number : {0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1e15, 123456.789}) {
    EXPECT_EQ(round_trip(db, "d", number), number);
  }
  for (const float number : {0.1f, 16777217.0f, 1.17549435e-38f, 3.40282347e38f}) {
    db.query("UPDATE v SET f = $1", number);
    EXPECT_EQ(db.query("SELECT f FROM v").front().get<float>(0), number);
  }
  db.query("UPDATE v SET f = $1", 0.1f);
  EXPECT_EQ(db.query("SELECT f FROM v").front().get<double>(0), 0.1) << "a FLOAT is what it prints as";
  EXPECT_EQ(round_trip(db, "t", std::string()), "");
  EXPECT_EQ(round_trip(db, "b", bytes()), bytes());
  EXPECT_EQ(round_trip(db, "ti", time_of_day(24h)), time_of_day(24h));
  const numeric longest{std::string(45, '9') + "." + std::string(20, '9')};
  EXPECT_EQ(round_trip(db, "n", longest), longest);
  EXPECT_EQ(round_trip(db, "da", date(std::chrono::sys_days(std::chrono::year(9999) / 12 / 31))),
            std::chrono::sys_days(std::chrono::year(9999) / 12 / 31));
  for (const auto& problem :
       {db.failure("UPDATE v SET i = $1", std::numeric_limits<std::uint64_t>::max()),
        db.failure("UPDATE v SET u = $1", -1), db.failure("UPDATE v SET c = $1", std::string(37, 'x')),
        db.failure("UPDATE v SET da = 'soon'"), db.failure("UPDATE v SET i = 'seven'")}) {
    EXPECT_EQ(problem.portable_code(), errc::invalid_value) << problem.what();
  }
}

TEST_P(mysql_values, types_have_portable_names) {
  auto db = make_client();
  db.query(
      "CREATE TABLE t (c1 tinyint(1), c2 tinyint, c3 tinyint unsigned, c4 smallint, c5 mediumint unsigned, c6 int, c7 "
      "int unsigned, c8 bigint, c9 bigint unsigned, c10 float, c11 double, c12 decimal(10,2), c13 varchar(20), c14 "
      "char(3), c15 text, c16 enum('a','b'), c17 set('a','b'), c18 varbinary(20), c19 blob, c20 binary(2), c21 date, "
      "c22 "
      "time, c23 datetime(3), c24 timestamp NULL, c25 year, c26 bit(1), c27 bit(7), c28 json, c29 point)");
  db.query(
      "INSERT INTO t VALUES (1, -128, 255, -32768, 16777215, -2147483648, 4294967295, -9223372036854775808, "
      "18446744073709551615, 1.5, 2.5, 12.30, 'väl', 'abc', 'text', 'b', 'a,b', x'00ff', x'01', x'0203', '2024-02-29', "
      "'-838:59:59', '2024-02-29 13:45:00.250', '2024-02-29 13:45:00', 2024, b'1', b'1010101', '{\"a\": 1}', POINT(1, "
      "2))");
  const auto rows = db.query("SELECT * FROM t");
  const std::vector<std::pair<data_type, std::string>> expected{{data_type::boolean, "1"},
                                                                {data_type::integer, "-128"},
                                                                {data_type::integer, "255"},
                                                                {data_type::integer, "-32768"},
                                                                {data_type::integer, "16777215"},
                                                                {data_type::integer, "-2147483648"},
                                                                {data_type::integer, "4294967295"},
                                                                {data_type::integer, "-9223372036854775808"},
                                                                {data_type::unsigned_integer, "18446744073709551615"},
                                                                {data_type::real, "1.5"},
                                                                {data_type::real, "2.5"},
                                                                {data_type::numeric, "12.30"},
                                                                {data_type::text, "väl"},
                                                                {data_type::text, "abc"},
                                                                {data_type::text, "text"},
                                                                {data_type::text, "b"},
                                                                {data_type::text, "a,b"},
                                                                {data_type::bytes, "\\x00ff"},
                                                                {data_type::bytes, "\\x01"},
                                                                {data_type::bytes, "\\x0203"},
                                                                {data_type::date, "2024-02-29"},
                                                                {data_type::time, "-838:59:59"},
                                                                {data_type::timestamp, "2024-02-29 13:45:00.25"},
                                                                {data_type::timestamp_tz, "2024-02-29 13:45:00+00"},
                                                                {data_type::integer, "2024"},
                                                                {data_type::boolean, "1"},
                                                                {data_type::unsigned_integer, "85"},
                                                                {data_type::json, "{\"a\": 1}"}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(to_string(rows.columns()[i].type), to_string(expected[i].first)) << "column " << i + 1;
    EXPECT_EQ(rows[0][i].to_display(), expected[i].second) << "column " << i + 1;
  }
  EXPECT_EQ(rows.columns()[28].type, data_type::bytes);
  EXPECT_EQ(rows[0].get<bool>(25), true);
  EXPECT_EQ(rows[0].get<json_text>(27).text, "{\"a\": 1}");
  // Small numbers in a BOOLEAN are numbers.
  db.query("UPDATE t SET c1 = 7");
  const auto seven = db.query("SELECT c1 FROM t");
  EXPECT_EQ(seven[0][0].type(), data_type::integer);
  EXPECT_EQ(seven[0].get<int>(0), 7);
  // The text protocol, which some statements speak, gives the same.
  db.query("UPDATE t SET c1 = 1");
  db.query("PREPARE s FROM 'SELECT * FROM t'");
  const auto as_text = db.query("EXECUTE s");
  for (std::size_t i = 0; i < rows.columns().size(); ++i) {
    EXPECT_EQ(to_string(as_text.columns()[i].type), to_string(rows.columns()[i].type)) << "column " << i + 1;
    EXPECT_EQ(as_text[0][i].to_display(), rows[0][i].to_display()) << "column " << i + 1;
    EXPECT_EQ(to_string(as_text[0][i].type()), to_string(rows[0][i].type())) << "column " << i + 1;
  }
}

TEST_P(mysql_values, types_of_mariadb) {
  auto db = make_client();
  if (db.text("SELECT @@version").find("MariaDB") == std::string::npos) GTEST_SKIP() << "this is no MariaDB";
  db.query("CREATE TABLE t (u uuid, i inet6, n inet4)");
  const auto id = uuid::parse("0123abcd-4567-89ef-0011-223344556677");
  db.query("INSERT INTO t VALUES ($1, '2001:db8::1', '10.0.0.1')", *id);
  for (int again = 0; again < 2; ++again) {
    const auto rows = db.query("SELECT * FROM t WHERE u = $1", *id);
    EXPECT_EQ(rows.columns()[0].type, data_type::uuid);
    EXPECT_EQ(rows[0].get<uuid>(0), *id);
    EXPECT_EQ(rows.columns()[1].type, data_type::other);
    EXPECT_EQ(rows[0].get<std::string>(1), "2001:db8::1");
    EXPECT_EQ(rows[0].get<std::string>(2), "10.0.0.1");
  }
}

TEST_P(mysql_values, zero_dates_are_kept_apart_from_dates) {
  auto db = make_client();
  db.query("SET sql_mode = ''");
  db.query("CREATE TABLE t (d date, dt datetime, ts timestamp NULL, y date)");
  db.query("INSERT INTO t VALUES ('0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '2024-00-00')");
  const auto rows = db.query("SELECT * FROM t");
  EXPECT_EQ(rows[0].get<std::string>(0), "0000-00-00");
  EXPECT_EQ(rows[0].get<std::string>(1), "0000-00-00 00:00:00");
  EXPECT_EQ(rows[0].get<std::string>(2), "0000-00-00 00:00:00+00");
  EXPECT_EQ(rows[0].get<std::string>(3), "2024-00-00");
  for (const std::size_t column : {0, 3}) {
    try {
      rows[0].get<date>(column);
      ADD_FAILURE() << "it is no date";
    } catch (const error& problem) {
      EXPECT_EQ(problem.portable_code(), errc::type_mismatch);
    }
  }
  db.query("DELETE FROM t");
  EXPECT_EQ(db.text("SELECT count(*) FROM t"), "0");
}

TEST_P(mysql_values, borrowed_text_and_bytes) {
  auto db = make_client();
  const std::string text = "borrowed, and more behind it";
  const bytes data{std::byte{0}, std::byte{255}, std::byte{7}};
  const auto rows = db.query("SELECT $1, $2, $3, $1", text_view{std::string_view(text).substr(0, 8)}, bytes_view{data},
                             json_text{R"({"a": [1, 2]})"});
  EXPECT_EQ(rows[0].get<std::string>(0), "borrowed");
  EXPECT_EQ(rows[0].get<bytes>(1), data);
  EXPECT_EQ(rows[0].get<json_text>(2).text, R"({"a": [1, 2]})");
  EXPECT_EQ(rows[0].get<std::string>(3), "borrowed");
  EXPECT_EQ(db.text("SELECT $1 = ''", text_view{std::string_view()}), "1") << "no NULL";
}

TEST_P(mysql_values, what_mysql_cannot_store_is_refused_clearly) {
  auto db = make_client();
  const auto refused = [&](const value& sent, std::string_view why) {
    const auto problem = db.failure("SELECT $2, $1", sent, 1);
    EXPECT_EQ(problem.portable_code(), errc::invalid_value) << problem.what();
    EXPECT_NE(std::string(problem.what()).find("$1"), std::string::npos) << problem.what();
    EXPECT_NE(std::string(problem.what()).find(why), std::string::npos) << problem.what();
    EXPECT_FALSE(db->dirty());
  };
  refused("\xff\xfe", "UTF-8");
  refused(std::nan(""), "NaN");
  refused(HUGE_VAL, "infinite");
  for (const char* text : {"", "abc", "1e5", "1.2.3", "-", ".", "12 "}) refused(numeric{text}, "no decimal");
  refused(numeric{std::string(66, '1')}, "65 digits");
  refused(numeric{"0." + std::string(39, '1')}, "38 behind");
  EXPECT_EQ(db.text("SELECT $1", numeric{std::string(80, '0') + "1"}), "1");
  EXPECT_EQ(db.failure("SELECT $1", time_of_day(25h)).portable_code(), errc::invalid_value);
  EXPECT_EQ(db.failure("SELECT $1", date(std::chrono::sys_days(std::chrono::year(12024) / 1 / 1))).portable_code(),
            errc::invalid_value);
  EXPECT_EQ(db.failure(std::string_view("SELECT 1\0", 9)).portable_code(), errc::invalid_argument);
  EXPECT_EQ(db.failure(std::string_view("BEGIN\0", 6)).portable_code(), errc::invalid_argument);
}

TEST_P(mysql_values, points_in_time_and_time_zones) {
  const timestamp_tz point = std::chrono::sys_days(std::chrono::year(2024) / 2 / 29) + 13h + 45min;
  const auto stored = "SELECT UNIX_TIMESTAMP(ts) FROM t";
  auto db = make_client();
  db.query("CREATE TABLE t (ts timestamp NULL)");
  db.query("INSERT INTO t VALUES ($1)", point);
  EXPECT_EQ(db.query(stored).front().get<std::int64_t>(0),
            std::chrono::floor<std::chrono::seconds>(point).time_since_epoch().count());
  EXPECT_EQ(db.query("SELECT ts FROM t").front().get<timestamp_tz>(0), point);
  // A session of another zone cannot say which point in time a TIMESTAMP is.
  db.query("SET time_zone = '+05:30'");
  EXPECT_EQ(db.query("SELECT ts FROM t").columns()[0].type, data_type::timestamp);
  EXPECT_EQ(db.text("SELECT ts FROM t"), "2024-02-29 19:15:00");
  const auto refused = db.failure("INSERT INTO t VALUES ($1)", point);
  EXPECT_EQ(refused.portable_code(), errc::invalid_value);
  EXPECT_NE(refused.hint().find("time_zone"), std::string::npos) << refused.what();
  db.reset();
  EXPECT_EQ(db.query("SELECT ts FROM t").front().get<timestamp_tz>(0), point);
  auto where = playground_->endpoint();
  where.options["time_zone"] = "+05:30";
  client other(go_, where);
  EXPECT_EQ(other.text("SELECT ts FROM t"), "2024-02-29 19:15:00");
  EXPECT_FALSE(other->dirty());
}

TEST_P(mysql_values, large_ones_and_the_servers_limit) {
  const auto limit = std::stoull(admin().value("SELECT @@max_allowed_packet"));
  for (const auto tls : {tls_mode::disable, tls_mode::require}) {
    auto where = playground_->endpoint();
    where.tls = tls;
    client db(go_, where);
    std::string text(limit - 1000, 'x');
    for (std::size_t i = 0; i < text.size(); i += 997) text[i] = static_cast<char>('a' + i % 26);
    const auto rows = db.query("SELECT $1", text_view{text});
    EXPECT_TRUE(rows.front().get<std::string_view>(0) == text);
    EXPECT_EQ(db.text("SELECT length($1)", bytes_view{std::as_bytes(std::span<const char>(text))}),
              std::to_string(text.size()));
    auto cursor = db.open("SELECT $1", {value(text_view{text})});
    const auto block = go_(cursor->next());
    ASSERT_TRUE(block);
    EXPECT_TRUE(block->at(0, 0).get<std::string_view>() == text);
    EXPECT_EQ(go_(cursor->next()), nullptr);
    // More than the server takes would break the connection.
    text.resize(limit + 1, 'x');
    for (const auto& problem : {db.failure("SELECT $1", text_view{text}), db.failure("SELECT '" + text + "'"),
                                failure_of(go_, db->execute_script("DO '" + text + "'"))}) {
      EXPECT_EQ(problem.portable_code(), errc::invalid_value) << problem.what();
      EXPECT_NE(problem.hint().find("max_allowed_packet"), std::string::npos) << problem.what();
    }
    EXPECT_EQ(db.text("SELECT 1"), "1");
    EXPECT_FALSE(db->dirty());
  }
}

}  // namespace
}  // namespace polypool::test
