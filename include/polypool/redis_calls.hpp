// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// Redis commands with the types of their answers: what handles, pipelines and transactions run.
#pragma once

#include <polypool/redis_cast.hpp>
#include <polypool/redis_command.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace polypool {

/// A command, and the C++ type that its answer becomes.
template <class T>
struct redis_call {
  using result_type = T;
  redis_command command;
};

/// An answer that says OK, or null where the command did nothing.
struct redis_accepted {
  bool value = false;
  operator bool() const noexcept { return value; }  // NOLINT: that is what it says
};
template <>
struct detail::redis_cast<redis_accepted> {
  static redis_accepted of(const redis_value& from) {
    if (from.is_error()) throw redis_error(from.text());
    return {!from.is_null()};
  }
};

/// One page of SCAN and its kin.
struct redis_page {
  std::uint64_t cursor = 0;  ///< for the next page; 0: that was the last
  std::vector<std::string> items;
};
template <>
struct detail::redis_cast<redis_page> {
  static redis_page of(const redis_value& from) {
    auto both = from.as<std::pair<std::uint64_t, std::vector<std::string>>>();
    return {both.first, std::move(both.second)};
  }
};

/// When SET sets, and for how long.
struct redis_set_options {
  enum class when_type : std::uint8_t { always, if_absent, if_present };
  std::chrono::milliseconds expire{0};  ///< 0: never
  when_type when = when_type::always;
  bool keep_ttl = false;  ///< leaves the key's expiry as it is
};

/// What SCAN goes through.
struct redis_scan_options {
  std::string match;        ///< a glob pattern; empty: all
  std::uint32_t count = 0;  ///< how many the server looks at for one page; 0: its default, 10
  std::string type;         ///< only keys of this type, such as "hash"
};

/// A member of a sorted set with its score.
using redis_scored = std::pair<std::string, double>;

/// The commands. Where a value, member or field is asked for, it may be text, bytes or a number; where several are,
/// also a range of them, or of pairs.
namespace redis_calls {

using none = void;
using text = std::string;
using maybe_text = std::optional<std::string>;
using texts = std::vector<std::string>;
using number = std::int64_t;
using fields = std::unordered_map<std::string, std::string>;

void add_expiry(redis_command& to, std::chrono::milliseconds span);

// connection and server
redis_call<text> ping();
redis_call<text> info(std::string_view section = {});
redis_call<fields> config_get(std::string_view pattern);
redis_call<none> config_set(std::string_view name, std::string_view value);
redis_call<number> dbsize();
redis_call<none> flushdb();
redis_call<none> flushall();
redis_call<number> publish(std::string_view channel, std::string_view message);

// keys
template <class... Keys>
redis_call<number> del(const Keys&... keys) {
  return {redis_command("DEL", keys...)};
}
template <class... Keys>
redis_call<number> unlink(const Keys&... keys) {
  return {redis_command("UNLINK", keys...)};
}
/// How many of them exist; one that is named twice counts twice.
template <class... Keys>
redis_call<number> exists(const Keys&... keys) {
  return {redis_command("EXISTS", keys...)};
}
/// False when there is no such key. Whole seconds go as EXPIRE, others as PEXPIRE.
redis_call<bool> expire(std::string_view key, std::chrono::milliseconds span);
redis_call<bool> persist(std::string_view key);
/// -2 when there is no such key, -1 when it does not expire.
redis_call<number> ttl(std::string_view key);
redis_call<number> pttl(std::string_view key);
redis_call<text> type(std::string_view key);
redis_call<texts> keys(std::string_view pattern);
redis_call<redis_page> scan(std::uint64_t cursor, const redis_scan_options& options = {});
/// HSCAN, SSCAN, ZSCAN. @param command which of them
redis_call<redis_page> scan_inside(std::string_view command, std::string_view key, std::uint64_t cursor,
                                   const redis_scan_options& options = {});

// strings
redis_call<maybe_text> get(std::string_view key);
redis_call<maybe_text> getdel(std::string_view key);
template <class Value>
redis_call<none> set(std::string_view key, const Value& value) {
  return {redis_command("SET", key, value)};
}
/// Sets it for this long. Whole seconds go as EX, others as PX.
template <class Value>
redis_call<none> set(std::string_view key, const Value& value, std::chrono::milliseconds expire) {
  redis_call<none> out{redis_command("SET", key, value)};
  add_expiry(out.command, expire);
  return out;
}
/// False when it was not set: a key was there, or was not.
template <class Value>
redis_call<redis_accepted> set(std::string_view key, const Value& value, const redis_set_options& options) {
  redis_call<redis_accepted> out{redis_command("SET", key, value)};
  if (options.expire.count() > 0) add_expiry(out.command, options.expire);
  if (options.keep_ttl) out.command.add("KEEPTTL");
  if (options.when == redis_set_options::when_type::if_absent) out.command.add("NX");
  if (options.when == redis_set_options::when_type::if_present) out.command.add("XX");
  return out;
}
template <class... Keys>
redis_call<std::vector<maybe_text>> mget(const Keys&... keys) {
  return {redis_command("MGET", keys...)};
}
/// Keys and values in turn, or a range of pairs.
template <class... KeysAndValues>
redis_call<none> mset(const KeysAndValues&... all) {
  return {redis_command("MSET", all...)};
}
redis_call<number> incr(std::string_view key);
redis_call<number> incrby(std::string_view key, number by);
redis_call<double> incrbyfloat(std::string_view key, double by);
redis_call<number> decr(std::string_view key);
redis_call<number> decrby(std::string_view key, number by);
redis_call<number> append(std::string_view key, std::string_view value);
redis_call<number> strlen(std::string_view key);

// hashes
/// Fields and values in turn, or a range of pairs; gives how many are new.
template <class... FieldsAndValues>
redis_call<number> hset(std::string_view key, const FieldsAndValues&... all) {
  return {redis_command("HSET", key, all...)};
}
redis_call<maybe_text> hget(std::string_view key, std::string_view field);
template <class... Fields>
redis_call<std::vector<maybe_text>> hmget(std::string_view key, const Fields&... names) {
  return {redis_command("HMGET", key, names...)};
}
redis_call<fields> hgetall(std::string_view key);
template <class... Fields>
redis_call<number> hdel(std::string_view key, const Fields&... names) {
  return {redis_command("HDEL", key, names...)};
}
redis_call<bool> hexists(std::string_view key, std::string_view field);
redis_call<number> hlen(std::string_view key);
redis_call<texts> hkeys(std::string_view key);
redis_call<texts> hvals(std::string_view key);
redis_call<number> hincrby(std::string_view key, std::string_view field, number by);

// lists
template <class... Values>
redis_call<number> lpush(std::string_view key, const Values&... values) {
  return {redis_command("LPUSH", key, values...)};
}
template <class... Values>
redis_call<number> rpush(std::string_view key, const Values&... values) {
  return {redis_command("RPUSH", key, values...)};
}
redis_call<maybe_text> lpop(std::string_view key);
redis_call<maybe_text> rpop(std::string_view key);
/// From 0; negative ones count from the end; the last one is part of it.
redis_call<texts> lrange(std::string_view key, number first, number last);
redis_call<number> llen(std::string_view key);
redis_call<none> ltrim(std::string_view key, number first, number last);
redis_call<maybe_text> lindex(std::string_view key, number index);

// sets
template <class... Members>
redis_call<number> sadd(std::string_view key, const Members&... members) {
  return {redis_command("SADD", key, members...)};
}
template <class... Members>
redis_call<number> srem(std::string_view key, const Members&... members) {
  return {redis_command("SREM", key, members...)};
}
redis_call<texts> smembers(std::string_view key);
redis_call<bool> sismember(std::string_view key, std::string_view member);
redis_call<number> scard(std::string_view key);

// sorted sets
/// Scores and members in turn, or a range of pairs (score, member); gives how many are new.
template <class... ScoresAndMembers>
redis_call<number> zadd(std::string_view key, const ScoresAndMembers&... all) {
  return {redis_command("ZADD", key, all...)};
}
template <class... Members>
redis_call<number> zrem(std::string_view key, const Members&... members) {
  return {redis_command("ZREM", key, members...)};
}
redis_call<texts> zrange(std::string_view key, number first, number last);
redis_call<std::vector<redis_scored>> zrange_with_scores(std::string_view key, number first, number last);
/// Bounds are numbers, or Redis's own words: "-inf", "(1.5" …
template <class Least, class Most>
redis_call<texts> zrangebyscore(std::string_view key, const Least& least, const Most& most) {
  return {redis_command("ZRANGEBYSCORE", key, least, most)};
}
template <class Least, class Most>
redis_call<std::vector<redis_scored>> zrangebyscore_with_scores(std::string_view key, const Least& least,
                                                                const Most& most) {
  return {redis_command("ZRANGEBYSCORE", key, least, most, "WITHSCORES")};
}
redis_call<std::optional<double>> zscore(std::string_view key, std::string_view member);
redis_call<number> zcard(std::string_view key);
redis_call<double> zincrby(std::string_view key, double by, std::string_view member);

}  // namespace redis_calls
}  // namespace polypool
