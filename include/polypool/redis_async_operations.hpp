// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Talking Redis, command by command, as tasks.
#pragma once

#include <polypool/redis_calls.hpp>
#include <polypool/task.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace polypool {

/// Each command as a task. What a task needs is copied when it is made; what it answers and throws is the same as that
/// of its namesake in redis_operations.
class redis_async_operations {
 public:
  virtual ~redis_async_operations() = default;

  /// Runs one of redis_calls.
  template <class T>
  task<T> async_run(redis_call<T> what) {
    return converted<T>(run_later(std::move(what.command)));
  }
  /// Runs any other command: `co_await db.async_command("OBJECT", "ENCODING", key)`.
  template <class... Words>
  task<redis_reply> async_command(std::string_view name, const Words&... words) {
    return run_later(redis_command(name, words...));
  }

  // connection and server
  /// PING. @return what the server answers: "PONG"
  task<std::string> async_ping() { return async_run(redis_calls::ping()); }
  /// INFO. @param section such as "replication"; empty: the default ones @return lines of `name:value`
  task<std::string> async_info(std::string_view section = {}) { return async_run(redis_calls::info(section)); }
  /// CONFIG GET. @param pattern a glob pattern, such as "max*" @return values by the names that match
  task<std::unordered_map<std::string, std::string>> async_config_get(std::string_view pattern) {
    return async_run(redis_calls::config_get(pattern));
  }
  /// CONFIG SET. Throws what the server says of an unknown name or a wrong value.
  task<void> async_config_set(std::string_view name, std::string_view value) {
    return async_run(redis_calls::config_set(name, value));
  }
  /// DBSIZE. @return how many keys the database has
  task<std::int64_t> async_dbsize() { return async_run(redis_calls::dbsize()); }
  /// FLUSHDB: removes all keys of this database.
  task<void> async_flushdb() { return async_run(redis_calls::flushdb()); }
  /// FLUSHALL: removes all keys of all databases of the server.
  task<void> async_flushall() { return async_run(redis_calls::flushall()); }
  /// PUBLISH. @return how many subscribers the server handed it to
  task<std::int64_t> async_publish(std::string_view channel, std::string_view message) {
    return async_run(redis_calls::publish(channel, message));
  }

  // keys
  /// DEL: removes keys. @return how many there were
  template <class... Keys>
  task<std::int64_t> async_del(const Keys&... keys) {
    return async_run(redis_calls::del(keys...));
  }
  /// UNLINK: removes keys, and frees their memory in the background. @return how many there were
  template <class... Keys>
  task<std::int64_t> async_unlink(const Keys&... keys) {
    return async_run(redis_calls::unlink(keys...));
  }
  /// EXISTS. @return how many of them there are; one that is named twice counts twice
  template <class... Keys>
  task<std::int64_t> async_exists(const Keys&... keys) {
    return async_run(redis_calls::exists(keys...));
  }
  /// EXPIRE, or PEXPIRE where it is not whole seconds. @return false when there is no such key
  task<bool> async_expire(std::string_view key, std::chrono::milliseconds span) {
    return async_run(redis_calls::expire(key, span));
  }
  /// PERSIST: the key stays for ever. @return false when there is none, or it stays anyway
  task<bool> async_persist(std::string_view key) { return async_run(redis_calls::persist(key)); }
  /// TTL. @return seconds; -1 when it does not expire, -2 when there is no such key
  task<std::int64_t> async_ttl(std::string_view key) { return async_run(redis_calls::ttl(key)); }
  /// PTTL. @return milliseconds; -1 when it does not expire, -2 when there is no such key
  task<std::int64_t> async_pttl(std::string_view key) { return async_run(redis_calls::pttl(key)); }
  /// TYPE. @return "string", "list", "set", "zset", "hash", "stream"; "none" when there is no such key
  task<std::string> async_type(std::string_view key) { return async_run(redis_calls::type(key)); }
  /// KEYS: holds up the whole server while it looks; scan() does not. @param pattern a glob pattern
  task<std::vector<std::string>> async_keys(std::string_view pattern) { return async_run(redis_calls::keys(pattern)); }

  // strings
  /// GET. @return nothing when there is no such key. Throws type_mismatch when the key is no string.
  task<std::optional<std::string>> async_get(std::string_view key) { return async_run(redis_calls::get(key)); }
  /// GETDEL: removes the key. @return what it was; nothing when there is no such key
  task<std::optional<std::string>> async_getdel(std::string_view key) { return async_run(redis_calls::getdel(key)); }
  /// SET: replaces what was there, of whatever type, and its expiry.
  template <class Value>
  task<void> async_set(std::string_view key, const Value& value) {
    return async_run(redis_calls::set(key, value));
  }
  /// SET for this long: whole seconds go as EX, others as PX.
  template <class Value>
  task<void> async_set(std::string_view key, const Value& value, std::chrono::milliseconds expire) {
    return async_run(redis_calls::set(key, value, expire));
  }
  /// SET with NX, XX, KEEPTTL. @return false when nothing was set: a key was there (NX), or none (XX)
  template <class Value>
  task<redis_accepted> async_set(std::string_view key, const Value& value, const redis_set_options& options) {
    return async_run(redis_calls::set(key, value, options));
  }
  /// MGET. @return a value for each key, in their order; nothing for one that is no string or not there
  template <class... Keys>
  task<std::vector<std::optional<std::string>>> async_mget(const Keys&... keys) {
    return async_run(redis_calls::mget(keys...));
  }
  /// MSET: all at once. @param all keys and values in turn, or a range of pairs
  template <class... KeysAndValues>
  task<void> async_mset(const KeysAndValues&... all) {
    return async_run(redis_calls::mset(all...));
  }
  /// INCR: adds 1; a key that is not there counts as 0. @return the sum. Throws invalid_value when it is no integer.
  task<std::int64_t> async_incr(std::string_view key) { return async_run(redis_calls::incr(key)); }
  /// INCRBY: the same with another number. @return the sum
  task<std::int64_t> async_incrby(std::string_view key, std::int64_t by) {
    return async_run(redis_calls::incrby(key, by));
  }
  /// INCRBYFLOAT: the same for real numbers. @return the sum
  task<double> async_incrbyfloat(std::string_view key, double by) {
    return async_run(redis_calls::incrbyfloat(key, by));
  }
  /// DECR: takes 1 away; a key that is not there counts as 0. @return the difference
  task<std::int64_t> async_decr(std::string_view key) { return async_run(redis_calls::decr(key)); }
  /// DECRBY: the same with another number. @return the difference
  task<std::int64_t> async_decrby(std::string_view key, std::int64_t by) {
    return async_run(redis_calls::decrby(key, by));
  }
  /// APPEND: puts bytes behind the value; makes the key. @return how many bytes it has then
  task<std::int64_t> async_append(std::string_view key, std::string_view value) {
    return async_run(redis_calls::append(key, value));
  }
  /// STRLEN. @return how many bytes the value has; 0 when there is no such key
  task<std::int64_t> async_strlen(std::string_view key) { return async_run(redis_calls::strlen(key)); }

  // hashes
  /// HSET. @param all fields and values in turn, or a range of pairs @return how many fields are new
  template <class... FieldsAndValues>
  task<std::int64_t> async_hset(std::string_view key, const FieldsAndValues&... all) {
    return async_run(redis_calls::hset(key, all...));
  }
  /// HGET. @return nothing when there is no such key or field
  task<std::optional<std::string>> async_hget(std::string_view key, std::string_view field) {
    return async_run(redis_calls::hget(key, field));
  }
  /// HMGET. @return a value for each field, in their order; nothing for one that is not there
  template <class... Fields>
  task<std::vector<std::optional<std::string>>> async_hmget(std::string_view key, const Fields&... fields) {
    return async_run(redis_calls::hmget(key, fields...));
  }
  /// HGETALL. @return values by their fields; empty when there is no such key
  task<std::unordered_map<std::string, std::string>> async_hgetall(std::string_view key) {
    return async_run(redis_calls::hgetall(key));
  }
  /// HDEL: removes fields. @return how many there were
  template <class... Fields>
  task<std::int64_t> async_hdel(std::string_view key, const Fields&... fields) {
    return async_run(redis_calls::hdel(key, fields...));
  }
  /// HEXISTS. @return whether there is such a field
  task<bool> async_hexists(std::string_view key, std::string_view field) {
    return async_run(redis_calls::hexists(key, field));
  }
  /// HLEN. @return how many fields there are
  task<std::int64_t> async_hlen(std::string_view key) { return async_run(redis_calls::hlen(key)); }
  /// HKEYS. @return the fields, in no order
  task<std::vector<std::string>> async_hkeys(std::string_view key) { return async_run(redis_calls::hkeys(key)); }
  /// HVALS. @return the values, in no order
  task<std::vector<std::string>> async_hvals(std::string_view key) { return async_run(redis_calls::hvals(key)); }
  /// HINCRBY: adds to a field; one that is not there counts as 0. @return the sum
  task<std::int64_t> async_hincrby(std::string_view key, std::string_view field, std::int64_t by) {
    return async_run(redis_calls::hincrby(key, field, by));
  }

  // lists
  /// LPUSH: puts values before the first one, one after the other: the last one named is the first then. @return the
  /// length then
  template <class... Values>
  task<std::int64_t> async_lpush(std::string_view key, const Values&... values) {
    return async_run(redis_calls::lpush(key, values...));
  }
  /// RPUSH: puts values behind the last one. @return the length then
  template <class... Values>
  task<std::int64_t> async_rpush(std::string_view key, const Values&... values) {
    return async_run(redis_calls::rpush(key, values...));
  }
  /// LPOP: takes the first value. @return nothing when the list is empty or not there
  task<std::optional<std::string>> async_lpop(std::string_view key) { return async_run(redis_calls::lpop(key)); }
  /// RPOP: takes the last value. @return nothing when the list is empty or not there
  task<std::optional<std::string>> async_rpop(std::string_view key) { return async_run(redis_calls::rpop(key)); }
  /// LRANGE, from 0; negative ones count from the end. @param last part of what is given
  task<std::vector<std::string>> async_lrange(std::string_view key, std::int64_t first, std::int64_t last) {
    return async_run(redis_calls::lrange(key, first, last));
  }
  /// LLEN. @return the length; 0 when there is no such key
  task<std::int64_t> async_llen(std::string_view key) { return async_run(redis_calls::llen(key)); }
  /// LTRIM: keeps what lrange() would give, and removes the rest.
  task<void> async_ltrim(std::string_view key, std::int64_t first, std::int64_t last) {
    return async_run(redis_calls::ltrim(key, first, last));
  }
  /// LINDEX, from 0; negative ones count from the end. @return nothing beyond either end
  task<std::optional<std::string>> async_lindex(std::string_view key, std::int64_t index) {
    return async_run(redis_calls::lindex(key, index));
  }

  // sets
  /// SADD. @return how many members are new
  template <class... Members>
  task<std::int64_t> async_sadd(std::string_view key, const Members&... members) {
    return async_run(redis_calls::sadd(key, members...));
  }
  /// SREM: removes members. @return how many there were
  template <class... Members>
  task<std::int64_t> async_srem(std::string_view key, const Members&... members) {
    return async_run(redis_calls::srem(key, members...));
  }
  /// SMEMBERS: all, in no order; scan_inside() for large ones.
  task<std::vector<std::string>> async_smembers(std::string_view key) { return async_run(redis_calls::smembers(key)); }
  /// SISMEMBER. @return whether it is a member
  task<bool> async_sismember(std::string_view key, std::string_view member) {
    return async_run(redis_calls::sismember(key, member));
  }
  /// SCARD. @return how many members there are
  task<std::int64_t> async_scard(std::string_view key) { return async_run(redis_calls::scard(key)); }

  // sorted sets
  /// ZADD. @param all scores and members in turn, or a range of pairs (score, member) @return how many are new
  template <class... ScoresAndMembers>
  task<std::int64_t> async_zadd(std::string_view key, const ScoresAndMembers&... all) {
    return async_run(redis_calls::zadd(key, all...));
  }
  /// ZREM: removes members. @return how many there were
  template <class... Members>
  task<std::int64_t> async_zrem(std::string_view key, const Members&... members) {
    return async_run(redis_calls::zrem(key, members...));
  }
  /// ZRANGE by rank, from 0; negative ones count from the end. @param last part of what is given
  task<std::vector<std::string>> async_zrange(std::string_view key, std::int64_t first, std::int64_t last) {
    return async_run(redis_calls::zrange(key, first, last));
  }
  /// ZRANGE … WITHSCORES: the same, with scores.
  task<std::vector<redis_scored>> async_zrange_with_scores(std::string_view key, std::int64_t first,
                                                           std::int64_t last) {
    return async_run(redis_calls::zrange_with_scores(key, first, last));
  }
  /// ZRANGEBYSCORE. @param least, most numbers, or words of Redis such as "-inf" and "(1.5" (without 1.5)
  template <class Least, class Most>
  task<std::vector<std::string>> async_zrangebyscore(std::string_view key, const Least& least, const Most& most) {
    return async_run(redis_calls::zrangebyscore(key, least, most));
  }
  /// ZRANGEBYSCORE … WITHSCORES: the same, with scores.
  template <class Least, class Most>
  task<std::vector<redis_scored>> async_zrangebyscore_with_scores(std::string_view key, const Least& least,
                                                                  const Most& most) {
    return async_run(redis_calls::zrangebyscore_with_scores(key, least, most));
  }
  /// ZSCORE. @return nothing when there is no such member
  task<std::optional<double>> async_zscore(std::string_view key, std::string_view member) {
    return async_run(redis_calls::zscore(key, member));
  }
  /// ZCARD. @return how many members there are
  task<std::int64_t> async_zcard(std::string_view key) { return async_run(redis_calls::zcard(key)); }
  /// ZINCRBY: adds to a member's score; one that is not there begins at 0. @return its score then
  task<double> async_zincrby(std::string_view key, double by, std::string_view member) {
    return async_run(redis_calls::zincrby(key, by, member));
  }

 protected:
  redis_async_operations() = default;
  redis_async_operations(const redis_async_operations&) = default;
  redis_async_operations(redis_async_operations&&) = default;
  redis_async_operations& operator=(const redis_async_operations&) = default;
  redis_async_operations& operator=(redis_async_operations&&) = default;

  /// Runs a command; what all of the above go through.
  virtual task<redis_reply> run_later(redis_command what) = 0;

 private:
  template <class T>
  static task<T> converted(task<redis_reply> work) {
    redis_reply answer = co_await std::move(work);
    co_return std::move(answer).template as<T>();
  }
};

}  // namespace polypool
