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
  /// Whether it did something.
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

/// Adds EX or PX with this span, as SET takes it; the server refuses spans that are not positive.
void add_expiry(redis_command& to, std::chrono::milliseconds span);

// connection and server
/// PING. @return what the server answers: "PONG"
redis_call<text> ping();
/// INFO. @param section such as "replication"; empty: the default ones @return lines of `name:value`
redis_call<text> info(std::string_view section = {});
/// CONFIG GET. @param pattern a glob pattern, such as "max*" @return values by the names that match
redis_call<fields> config_get(std::string_view pattern);
/// CONFIG SET. Throws what the server says of an unknown name or a wrong value.
redis_call<none> config_set(std::string_view name, std::string_view value);
/// DBSIZE. @return how many keys the database has
redis_call<number> dbsize();
/// FLUSHDB: removes all keys of this database.
redis_call<none> flushdb();
/// FLUSHALL: removes all keys of all databases of the server.
redis_call<none> flushall();
/// PUBLISH. @return how many subscribers the server handed it to
redis_call<number> publish(std::string_view channel, std::string_view message);

// keys
/// DEL: removes keys. @return how many there were
template <class... Keys>
redis_call<number> del(const Keys&... keys) {
  return {redis_command("DEL", keys...)};
}
/// UNLINK: removes keys, and frees their memory in the background. @return how many there were
template <class... Keys>
redis_call<number> unlink(const Keys&... keys) {
  return {redis_command("UNLINK", keys...)};
}
/// EXISTS. @return how many of them there are; one that is named twice counts twice
template <class... Keys>
redis_call<number> exists(const Keys&... keys) {
  return {redis_command("EXISTS", keys...)};
}
/// EXPIRE, or PEXPIRE where it is not whole seconds. @return false when there is no such key
redis_call<bool> expire(std::string_view key, std::chrono::milliseconds span);
/// PERSIST: the key stays for ever. @return false when there is none, or it stays anyway
redis_call<bool> persist(std::string_view key);
/// TTL. @return seconds; -1 when it does not expire, -2 when there is no such key
redis_call<number> ttl(std::string_view key);
/// PTTL. @return milliseconds; -1 when it does not expire, -2 when there is no such key
redis_call<number> pttl(std::string_view key);
/// TYPE. @return "string", "list", "set", "zset", "hash", "stream"; "none" when there is no such key
redis_call<text> type(std::string_view key);
/// KEYS: holds up the whole server while it looks; scan() does not. @param pattern a glob pattern
redis_call<texts> keys(std::string_view pattern);
/// SCAN: one page. @param cursor 0, or that of the page before
redis_call<redis_page> scan(std::uint64_t cursor, const redis_scan_options& options = {});
/// HSCAN, SSCAN, ZSCAN. @param command which of them
redis_call<redis_page> scan_inside(std::string_view command, std::string_view key, std::uint64_t cursor,
                                   const redis_scan_options& options = {});

// strings
/// GET. @return nothing when there is no such key. Throws type_mismatch when the key is no string.
redis_call<maybe_text> get(std::string_view key);
/// GETDEL: removes the key. @return what it was; nothing when there is no such key
redis_call<maybe_text> getdel(std::string_view key);
/// SET: replaces what was there, of whatever type, and its expiry.
template <class Value>
redis_call<none> set(std::string_view key, const Value& value) {
  return {redis_command("SET", key, value)};
}
/// SET for this long: whole seconds go as EX, others as PX.
template <class Value>
redis_call<none> set(std::string_view key, const Value& value, std::chrono::milliseconds expire) {
  redis_call<none> out{redis_command("SET", key, value)};
  add_expiry(out.command, expire);
  return out;
}
/// SET with NX, XX, KEEPTTL. @return false when nothing was set: a key was there (NX), or none (XX)
template <class Value>
redis_call<redis_accepted> set(std::string_view key, const Value& value, const redis_set_options& options) {
  redis_call<redis_accepted> out{redis_command("SET", key, value)};
  if (options.expire.count() != 0) add_expiry(out.command, options.expire);
  if (options.keep_ttl) out.command.add("KEEPTTL");
  if (options.when == redis_set_options::when_type::if_absent) out.command.add("NX");
  if (options.when == redis_set_options::when_type::if_present) out.command.add("XX");
  return out;
}
/// MGET. @return a value for each key, in their order; nothing for one that is no string or not there
template <class... Keys>
redis_call<std::vector<maybe_text>> mget(const Keys&... keys) {
  return {redis_command("MGET", keys...)};
}
/// MSET: all at once. @param all keys and values in turn, or a range of pairs
template <class... KeysAndValues>
redis_call<none> mset(const KeysAndValues&... all) {
  return {redis_command("MSET", all...)};
}
/// INCR: adds 1; a key that is not there counts as 0. @return the sum. Throws invalid_value when it is no integer.
redis_call<number> incr(std::string_view key);
/// INCRBY: the same with another number. @return the sum
redis_call<number> incrby(std::string_view key, number by);
/// INCRBYFLOAT: the same for real numbers. @return the sum
redis_call<double> incrbyfloat(std::string_view key, double by);
/// DECR: takes 1 away; a key that is not there counts as 0. @return the difference
redis_call<number> decr(std::string_view key);
/// DECRBY: the same with another number. @return the difference
redis_call<number> decrby(std::string_view key, number by);
/// APPEND: puts bytes behind the value; makes the key. @return how many bytes it has then
redis_call<number> append(std::string_view key, std::string_view value);
/// STRLEN. @return how many bytes the value has; 0 when there is no such key
redis_call<number> strlen(std::string_view key);

// hashes
/// HSET. @param all fields and values in turn, or a range of pairs @return how many fields are new
template <class... FieldsAndValues>
redis_call<number> hset(std::string_view key, const FieldsAndValues&... all) {
  return {redis_command("HSET", key, all...)};
}
/// HGET. @return nothing when there is no such key or field
redis_call<maybe_text> hget(std::string_view key, std::string_view field);
/// HMGET. @return a value for each field, in their order; nothing for one that is not there
template <class... Fields>
redis_call<std::vector<maybe_text>> hmget(std::string_view key, const Fields&... names) {
  return {redis_command("HMGET", key, names...)};
}
/// HGETALL. @return values by their fields; empty when there is no such key
redis_call<fields> hgetall(std::string_view key);
/// HDEL: removes fields. @return how many there were
template <class... Fields>
redis_call<number> hdel(std::string_view key, const Fields&... names) {
  return {redis_command("HDEL", key, names...)};
}
/// HEXISTS. @return whether there is such a field
redis_call<bool> hexists(std::string_view key, std::string_view field);
/// HLEN. @return how many fields there are
redis_call<number> hlen(std::string_view key);
/// HKEYS. @return the fields, in no order
redis_call<texts> hkeys(std::string_view key);
/// HVALS. @return the values, in no order
redis_call<texts> hvals(std::string_view key);
/// HINCRBY: adds to a field; one that is not there counts as 0. @return the sum
redis_call<number> hincrby(std::string_view key, std::string_view field, number by);

// lists
/// LPUSH: puts values before the first one, one after the other: the last one named is the first then. @return the
/// length then
template <class... Values>
redis_call<number> lpush(std::string_view key, const Values&... values) {
  return {redis_command("LPUSH", key, values...)};
}
/// RPUSH: puts values behind the last one. @return the length then
template <class... Values>
redis_call<number> rpush(std::string_view key, const Values&... values) {
  return {redis_command("RPUSH", key, values...)};
}
/// LPOP: takes the first value. @return nothing when the list is empty or not there
redis_call<maybe_text> lpop(std::string_view key);
/// RPOP: takes the last value. @return nothing when the list is empty or not there
redis_call<maybe_text> rpop(std::string_view key);
/// LRANGE, from 0; negative ones count from the end. @param last part of what is given
redis_call<texts> lrange(std::string_view key, number first, number last);
/// LLEN. @return the length; 0 when there is no such key
redis_call<number> llen(std::string_view key);
/// LTRIM: keeps what lrange() would give, and removes the rest.
redis_call<none> ltrim(std::string_view key, number first, number last);
/// LINDEX, from 0; negative ones count from the end. @return nothing beyond either end
redis_call<maybe_text> lindex(std::string_view key, number index);

// sets
/// SADD. @return how many members are new
template <class... Members>
redis_call<number> sadd(std::string_view key, const Members&... members) {
  return {redis_command("SADD", key, members...)};
}
/// SREM: removes members. @return how many there were
template <class... Members>
redis_call<number> srem(std::string_view key, const Members&... members) {
  return {redis_command("SREM", key, members...)};
}
/// SMEMBERS: all, in no order; scan_inside() for large ones.
redis_call<texts> smembers(std::string_view key);
/// SISMEMBER. @return whether it is a member
redis_call<bool> sismember(std::string_view key, std::string_view member);
/// SCARD. @return how many members there are
redis_call<number> scard(std::string_view key);

// sorted sets
/// ZADD. @param all scores and members in turn, or a range of pairs (score, member) @return how many are new
template <class... ScoresAndMembers>
redis_call<number> zadd(std::string_view key, const ScoresAndMembers&... all) {
  return {redis_command("ZADD", key, all...)};
}
/// ZREM: removes members. @return how many there were
template <class... Members>
redis_call<number> zrem(std::string_view key, const Members&... members) {
  return {redis_command("ZREM", key, members...)};
}
/// ZRANGE by rank, from 0; negative ones count from the end. @param last part of what is given
redis_call<texts> zrange(std::string_view key, number first, number last);
/// ZRANGE … WITHSCORES: the same, with scores.
redis_call<std::vector<redis_scored>> zrange_with_scores(std::string_view key, number first, number last);
/// ZRANGEBYSCORE. @param least, most numbers, or words of Redis such as "-inf" and "(1.5" (without 1.5)
template <class Least, class Most>
redis_call<texts> zrangebyscore(std::string_view key, const Least& least, const Most& most) {
  return {redis_command("ZRANGEBYSCORE", key, least, most)};
}
/// ZRANGEBYSCORE … WITHSCORES: the same, with scores.
template <class Least, class Most>
redis_call<std::vector<redis_scored>> zrangebyscore_with_scores(std::string_view key, const Least& least,
                                                                const Most& most) {
  return {redis_command("ZRANGEBYSCORE", key, least, most, "WITHSCORES")};
}
/// ZSCORE. @return nothing when there is no such member
redis_call<std::optional<double>> zscore(std::string_view key, std::string_view member);
/// ZCARD. @return how many members there are
redis_call<number> zcard(std::string_view key);
/// ZINCRBY: adds to a member's score; one that is not there begins at 0. @return its score then
redis_call<double> zincrby(std::string_view key, double by, std::string_view member);

}  // namespace redis_calls
}  // namespace polypool
