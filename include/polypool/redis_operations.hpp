// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Talking Redis, command by command: what handles and transactions share.
#pragma once

#include <polypool/redis_async_operations.hpp>
#include <polypool/redis_calls.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace polypool {

/// Each command blocks; with `async_` before its name it is a task.
/// Errors: what the server said (see redis_error), `type_mismatch` where the answer is of another type than the call
/// says, `pool_timeout`, `deadline_exceeded`, `connection_lost`, `connection_closed`.
class redis_operations : public redis_async_operations {
 public:
  /// Runs one of redis_calls.
  template <class T>
  T run(const redis_call<T>& what) {
    return run_now(what.command).template as<T>();
  }
  /// Runs any other command: `db.command("OBJECT", "ENCODING", key)`.
  template <class... Words>
  redis_reply command(std::string_view name, const Words&... words) {
    return run_now(redis_command(name, words...));
  }

  // connection and server
  /// PING. @return what the server answers: "PONG"
  std::string ping() { return run(redis_calls::ping()); }
  /// INFO. @param section such as "replication"; empty: the default ones @return lines of `name:value`
  std::string info(std::string_view section = {}) { return run(redis_calls::info(section)); }
  /// CONFIG GET. @param pattern a glob pattern, such as "max*" @return values by the names that match
  std::unordered_map<std::string, std::string> config_get(std::string_view pattern) {
    return run(redis_calls::config_get(pattern));
  }
  /// CONFIG SET. Throws what the server says of an unknown name or a wrong value.
  void config_set(std::string_view name, std::string_view value) { return run(redis_calls::config_set(name, value)); }
  /// DBSIZE. @return how many keys the database has
  std::int64_t dbsize() { return run(redis_calls::dbsize()); }
  /// FLUSHDB: removes all keys of this database.
  void flushdb() { return run(redis_calls::flushdb()); }
  /// FLUSHALL: removes all keys of all databases of the server.
  void flushall() { return run(redis_calls::flushall()); }
  /// PUBLISH. @return how many subscribers the server handed it to
  std::int64_t publish(std::string_view channel, std::string_view message) {
    return run(redis_calls::publish(channel, message));
  }

  // keys
  /// DEL: removes keys. @return how many there were
  template <class... Keys>
  /// DEL: removes keys. @return how many there were
  std::int64_t del(const Keys&... keys) {
    return run(redis_calls::del(keys...));
  }
  /// UNLINK: removes keys, and frees their memory in the background. @return how many there were
  template <class... Keys>
  /// UNLINK: removes keys, and frees their memory in the background. @return how many there were
  std::int64_t unlink(const Keys&... keys) {
    return run(redis_calls::unlink(keys...));
  }
  /// EXISTS. @return how many of them there are; one that is named twice counts twice
  template <class... Keys>
  /// EXISTS. @return how many of them there are; one that is named twice counts twice
  std::int64_t exists(const Keys&... keys) {
    return run(redis_calls::exists(keys...));
  }
  /// EXPIRE, or PEXPIRE where it is not whole seconds. @return false when there is no such key
  bool expire(std::string_view key, std::chrono::milliseconds span) { return run(redis_calls::expire(key, span)); }
  /// PERSIST: the key stays for ever. @return false when there is none, or it stays anyway
  bool persist(std::string_view key) { return run(redis_calls::persist(key)); }
  /// TTL. @return seconds; -1 when it does not expire, -2 when there is no such key
  std::int64_t ttl(std::string_view key) { return run(redis_calls::ttl(key)); }
  /// PTTL. @return milliseconds; -1 when it does not expire, -2 when there is no such key
  std::int64_t pttl(std::string_view key) { return run(redis_calls::pttl(key)); }
  /// TYPE. @return "string", "list", "set", "zset", "hash", "stream"; "none" when there is no such key
  std::string type(std::string_view key) { return run(redis_calls::type(key)); }
  /// KEYS: holds up the whole server while it looks; scan() does not. @param pattern a glob pattern
  std::vector<std::string> keys(std::string_view pattern) { return run(redis_calls::keys(pattern)); }

  // strings
  /// GET. @return nothing when there is no such key. Throws type_mismatch when the key is no string.
  std::optional<std::string> get(std::string_view key) { return run(redis_calls::get(key)); }
  /// GETDEL: removes the key. @return what it was; nothing when there is no such key
  std::optional<std::string> getdel(std::string_view key) { return run(redis_calls::getdel(key)); }
  /// SET: replaces what was there, of whatever type, and its expiry.
  template <class Value>
  void set(std::string_view key, const Value& value) {
    return run(redis_calls::set(key, value));
  }
  /// SET for this long: whole seconds go as EX, others as PX.
  template <class Value>
  void set(std::string_view key, const Value& value, std::chrono::milliseconds expire) {
    return run(redis_calls::set(key, value, expire));
  }
  /// SET with NX, XX, KEEPTTL. @return false when nothing was set: a key was there (NX), or none (XX)
  template <class Value>
  bool set(std::string_view key, const Value& value, const redis_set_options& options) {
    return run(redis_calls::set(key, value, options)).value;
  }
  /// MGET. @return a value for each key, in their order; nothing for one that is no string or not there
  template <class... Keys>
  /// MGET. @return a value for each key, in their order; nothing for one that is no string or not there
  std::vector<std::optional<std::string>> mget(const Keys&... keys) {
    return run(redis_calls::mget(keys...));
  }
  /// MSET: all at once. @param all keys and values in turn, or a range of pairs
  template <class... KeysAndValues>
  void mset(const KeysAndValues&... all) {
    return run(redis_calls::mset(all...));
  }
  /// INCR: adds 1; a key that is not there counts as 0. @return the sum. Throws invalid_value when it is no integer.
  std::int64_t incr(std::string_view key) { return run(redis_calls::incr(key)); }
  /// INCRBY: the same with another number. @return the sum
  std::int64_t incrby(std::string_view key, std::int64_t by) { return run(redis_calls::incrby(key, by)); }
  /// INCRBYFLOAT: the same for real numbers. @return the sum
  double incrbyfloat(std::string_view key, double by) { return run(redis_calls::incrbyfloat(key, by)); }
  /// DECR: takes 1 away; a key that is not there counts as 0. @return the difference
  std::int64_t decr(std::string_view key) { return run(redis_calls::decr(key)); }
  /// DECRBY: the same with another number. @return the difference
  std::int64_t decrby(std::string_view key, std::int64_t by) { return run(redis_calls::decrby(key, by)); }
  /// APPEND: puts bytes behind the value; makes the key. @return how many bytes it has then
  std::int64_t append(std::string_view key, std::string_view value) { return run(redis_calls::append(key, value)); }
  /// STRLEN. @return how many bytes the value has; 0 when there is no such key
  std::int64_t strlen(std::string_view key) { return run(redis_calls::strlen(key)); }

  // hashes
  /// HSET. @param all fields and values in turn, or a range of pairs @return how many fields are new
  template <class... FieldsAndValues>
  /// HSET. @param all fields and values in turn, or a range of pairs @return how many fields are new
  std::int64_t hset(std::string_view key, const FieldsAndValues&... all) {
    return run(redis_calls::hset(key, all...));
  }
  /// HGET. @return nothing when there is no such key or field
  std::optional<std::string> hget(std::string_view key, std::string_view field) {
    return run(redis_calls::hget(key, field));
  }
  /// HMGET. @return a value for each field, in their order; nothing for one that is not there
  template <class... Fields>
  /// HMGET. @return a value for each field, in their order; nothing for one that is not there
  std::vector<std::optional<std::string>> hmget(std::string_view key, const Fields&... fields) {
    return run(redis_calls::hmget(key, fields...));
  }
  /// HGETALL. @return values by their fields; empty when there is no such key
  std::unordered_map<std::string, std::string> hgetall(std::string_view key) { return run(redis_calls::hgetall(key)); }
  /// HDEL: removes fields. @return how many there were
  template <class... Fields>
  /// HDEL: removes fields. @return how many there were
  std::int64_t hdel(std::string_view key, const Fields&... fields) {
    return run(redis_calls::hdel(key, fields...));
  }
  /// HEXISTS. @return whether there is such a field
  bool hexists(std::string_view key, std::string_view field) { return run(redis_calls::hexists(key, field)); }
  /// HLEN. @return how many fields there are
  std::int64_t hlen(std::string_view key) { return run(redis_calls::hlen(key)); }
  /// HKEYS. @return the fields, in no order
  std::vector<std::string> hkeys(std::string_view key) { return run(redis_calls::hkeys(key)); }
  /// HVALS. @return the values, in no order
  std::vector<std::string> hvals(std::string_view key) { return run(redis_calls::hvals(key)); }
  /// HINCRBY: adds to a field; one that is not there counts as 0. @return the sum
  std::int64_t hincrby(std::string_view key, std::string_view field, std::int64_t by) {
    return run(redis_calls::hincrby(key, field, by));
  }

  // lists
  /// LPUSH: puts values before the first one, one after the other: the last one named is the first then. @return the
  /// length then
  template <class... Values>
  /// LPUSH: puts values before the first one, each before the one before it. @return the length then
  std::int64_t lpush(std::string_view key, const Values&... values) {
    return run(redis_calls::lpush(key, values...));
  }
  /// RPUSH: puts values behind the last one. @return the length then
  template <class... Values>
  /// RPUSH: puts values behind the last one. @return the length then
  std::int64_t rpush(std::string_view key, const Values&... values) {
    return run(redis_calls::rpush(key, values...));
  }
  /// LPOP: takes the first value. @return nothing when the list is empty or not there
  std::optional<std::string> lpop(std::string_view key) { return run(redis_calls::lpop(key)); }
  /// RPOP: takes the last value. @return nothing when the list is empty or not there
  std::optional<std::string> rpop(std::string_view key) { return run(redis_calls::rpop(key)); }
  /// LRANGE, from 0; negative ones count from the end. @param last part of what is given
  std::vector<std::string> lrange(std::string_view key, std::int64_t first, std::int64_t last) {
    return run(redis_calls::lrange(key, first, last));
  }
  /// LLEN. @return the length; 0 when there is no such key
  std::int64_t llen(std::string_view key) { return run(redis_calls::llen(key)); }
  /// LTRIM: keeps what lrange() would give, and removes the rest.
  void ltrim(std::string_view key, std::int64_t first, std::int64_t last) {
    return run(redis_calls::ltrim(key, first, last));
  }
  /// LINDEX, from 0; negative ones count from the end. @return nothing beyond either end
  std::optional<std::string> lindex(std::string_view key, std::int64_t index) {
    return run(redis_calls::lindex(key, index));
  }

  // sets
  /// SADD. @return how many members are new
  template <class... Members>
  /// SADD. @return how many members are new
  std::int64_t sadd(std::string_view key, const Members&... members) {
    return run(redis_calls::sadd(key, members...));
  }
  /// SREM: removes members. @return how many there were
  template <class... Members>
  /// SREM: removes members. @return how many there were
  std::int64_t srem(std::string_view key, const Members&... members) {
    return run(redis_calls::srem(key, members...));
  }
  /// SMEMBERS: all, in no order; scan_inside() for large ones.
  std::vector<std::string> smembers(std::string_view key) { return run(redis_calls::smembers(key)); }
  /// SISMEMBER. @return whether it is a member
  bool sismember(std::string_view key, std::string_view member) { return run(redis_calls::sismember(key, member)); }
  /// SCARD. @return how many members there are
  std::int64_t scard(std::string_view key) { return run(redis_calls::scard(key)); }

  // sorted sets
  /// ZADD. @param all scores and members in turn, or a range of pairs (score, member) @return how many are new
  template <class... ScoresAndMembers>
  /// ZADD. @param all scores and members in turn, or a range of pairs (score, member) @return how many are new
  std::int64_t zadd(std::string_view key, const ScoresAndMembers&... all) {
    return run(redis_calls::zadd(key, all...));
  }
  /// ZREM: removes members. @return how many there were
  template <class... Members>
  /// ZREM: removes members. @return how many there were
  std::int64_t zrem(std::string_view key, const Members&... members) {
    return run(redis_calls::zrem(key, members...));
  }
  /// ZRANGE by rank, from 0; negative ones count from the end. @param last part of what is given
  std::vector<std::string> zrange(std::string_view key, std::int64_t first, std::int64_t last) {
    return run(redis_calls::zrange(key, first, last));
  }
  /// ZRANGE … WITHSCORES: the same, with scores.
  std::vector<redis_scored> zrange_with_scores(std::string_view key, std::int64_t first, std::int64_t last) {
    return run(redis_calls::zrange_with_scores(key, first, last));
  }
  /// ZRANGEBYSCORE. @param least, most numbers, or words of Redis such as "-inf" and "(1.5" (without 1.5)
  template <class Least, class Most>
  /// ZRANGEBYSCORE. @param least, most numbers, or words of Redis such as "-inf" and "(1.5" (without 1.5)
  std::vector<std::string> zrangebyscore(std::string_view key, const Least& least, const Most& most) {
    return run(redis_calls::zrangebyscore(key, least, most));
  }
  /// ZRANGEBYSCORE … WITHSCORES: the same, with scores.
  template <class Least, class Most>
  /// ZRANGEBYSCORE … WITHSCORES: the same, with scores.
  std::vector<redis_scored> zrangebyscore_with_scores(std::string_view key, const Least& least, const Most& most) {
    return run(redis_calls::zrangebyscore_with_scores(key, least, most));
  }
  /// ZSCORE. @return nothing when there is no such member
  std::optional<double> zscore(std::string_view key, std::string_view member) {
    return run(redis_calls::zscore(key, member));
  }
  /// ZCARD. @return how many members there are
  std::int64_t zcard(std::string_view key) { return run(redis_calls::zcard(key)); }
  /// ZINCRBY: adds to a member's score; one that is not there begins at 0. @return its score then
  double zincrby(std::string_view key, double by, std::string_view member) {
    return run(redis_calls::zincrby(key, by, member));
  }

 protected:
  redis_operations() = default;
  redis_operations(const redis_operations&) = default;
  redis_operations(redis_operations&&) = default;
  redis_operations& operator=(const redis_operations&) = default;
  redis_operations& operator=(redis_operations&&) = default;

  /// Runs a command; what all of the above go through.
  virtual redis_reply run_now(const redis_command& what) = 0;
};

}  // namespace polypool
