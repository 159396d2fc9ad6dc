// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// Talking Redis, command by command: what handles and transactions share.
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

/// Each command blocks, and, with `async_` before its name, is a task; they are described in redis_calls.hpp. What a
/// task needs is copied when it is made.
/// Errors: what the server said (see redis_error), `type_mismatch` where the answer is of another type than the call
/// says, `pool_timeout`, `deadline_exceeded`, `connection_lost`, `connection_closed`.
class redis_operations {
 public:
  virtual ~redis_operations() = default;

  /// Runs one of redis_calls.
  template <class T>
  T run(const redis_call<T>& what) {
    return run_now(what.command).template as<T>();
  }
  template <class T>
  task<T> async_run(redis_call<T> what) {
    return converted<T>(run_later(std::move(what.command)));
  }
  /// Runs any other command: `db.command("OBJECT", "ENCODING", key)`.
  template <class... Words>
  redis_reply command(std::string_view name, const Words&... words) {
    return run_now(redis_command(name, words...));
  }
  template <class... Words>
  task<redis_reply> async_command(std::string_view name, const Words&... words) {
    return run_later(redis_command(name, words...));
  }

  // connection and server
  std::string ping() { return run(redis_calls::ping()); }
  std::string info(std::string_view section = {}) { return run(redis_calls::info(section)); }
  std::unordered_map<std::string, std::string> config_get(std::string_view pattern) {
    return run(redis_calls::config_get(pattern));
  }
  void config_set(std::string_view name, std::string_view value) { return run(redis_calls::config_set(name, value)); }
  std::int64_t dbsize() { return run(redis_calls::dbsize()); }
  void flushdb() { return run(redis_calls::flushdb()); }
  void flushall() { return run(redis_calls::flushall()); }
  std::int64_t publish(std::string_view channel, std::string_view message) {
    return run(redis_calls::publish(channel, message));
  }

  // keys
  template <class... Keys>
  std::int64_t del(const Keys&... keys) {
    return run(redis_calls::del(keys...));
  }
  template <class... Keys>
  std::int64_t unlink(const Keys&... keys) {
    return run(redis_calls::unlink(keys...));
  }
  template <class... Keys>
  std::int64_t exists(const Keys&... keys) {
    return run(redis_calls::exists(keys...));
  }
  bool expire(std::string_view key, std::chrono::milliseconds span) { return run(redis_calls::expire(key, span)); }
  bool persist(std::string_view key) { return run(redis_calls::persist(key)); }
  std::int64_t ttl(std::string_view key) { return run(redis_calls::ttl(key)); }
  std::int64_t pttl(std::string_view key) { return run(redis_calls::pttl(key)); }
  std::string type(std::string_view key) { return run(redis_calls::type(key)); }
  std::vector<std::string> keys(std::string_view pattern) { return run(redis_calls::keys(pattern)); }

  // strings
  std::optional<std::string> get(std::string_view key) { return run(redis_calls::get(key)); }
  std::optional<std::string> getdel(std::string_view key) { return run(redis_calls::getdel(key)); }
  template <class Value>
  void set(std::string_view key, const Value& value) {
    return run(redis_calls::set(key, value));
  }
  template <class Value>
  void set(std::string_view key, const Value& value, std::chrono::milliseconds expire) {
    return run(redis_calls::set(key, value, expire));
  }
  template <class Value>
  bool set(std::string_view key, const Value& value, const redis_set_options& options) {
    return run(redis_calls::set(key, value, options)).value;
  }
  template <class... Keys>
  std::vector<std::optional<std::string>> mget(const Keys&... keys) {
    return run(redis_calls::mget(keys...));
  }
  template <class... KeysAndValues>
  void mset(const KeysAndValues&... all) {
    return run(redis_calls::mset(all...));
  }
  std::int64_t incr(std::string_view key) { return run(redis_calls::incr(key)); }
  std::int64_t incrby(std::string_view key, std::int64_t by) { return run(redis_calls::incrby(key, by)); }
  double incrbyfloat(std::string_view key, double by) { return run(redis_calls::incrbyfloat(key, by)); }
  std::int64_t decr(std::string_view key) { return run(redis_calls::decr(key)); }
  std::int64_t decrby(std::string_view key, std::int64_t by) { return run(redis_calls::decrby(key, by)); }
  std::int64_t append(std::string_view key, std::string_view value) { return run(redis_calls::append(key, value)); }
  std::int64_t strlen(std::string_view key) { return run(redis_calls::strlen(key)); }

  // hashes
  template <class... FieldsAndValues>
  std::int64_t hset(std::string_view key, const FieldsAndValues&... all) {
    return run(redis_calls::hset(key, all...));
  }
  std::optional<std::string> hget(std::string_view key, std::string_view field) {
    return run(redis_calls::hget(key, field));
  }
  template <class... Fields>
  std::vector<std::optional<std::string>> hmget(std::string_view key, const Fields&... fields) {
    return run(redis_calls::hmget(key, fields...));
  }
  std::unordered_map<std::string, std::string> hgetall(std::string_view key) { return run(redis_calls::hgetall(key)); }
  template <class... Fields>
  std::int64_t hdel(std::string_view key, const Fields&... fields) {
    return run(redis_calls::hdel(key, fields...));
  }
  bool hexists(std::string_view key, std::string_view field) { return run(redis_calls::hexists(key, field)); }
  std::int64_t hlen(std::string_view key) { return run(redis_calls::hlen(key)); }
  std::vector<std::string> hkeys(std::string_view key) { return run(redis_calls::hkeys(key)); }
  std::vector<std::string> hvals(std::string_view key) { return run(redis_calls::hvals(key)); }
  std::int64_t hincrby(std::string_view key, std::string_view field, std::int64_t by) {
    return run(redis_calls::hincrby(key, field, by));
  }

  // lists
  template <class... Values>
  std::int64_t lpush(std::string_view key, const Values&... values) {
    return run(redis_calls::lpush(key, values...));
  }
  template <class... Values>
  std::int64_t rpush(std::string_view key, const Values&... values) {
    return run(redis_calls::rpush(key, values...));
  }
  std::optional<std::string> lpop(std::string_view key) { return run(redis_calls::lpop(key)); }
  std::optional<std::string> rpop(std::string_view key) { return run(redis_calls::rpop(key)); }
  std::vector<std::string> lrange(std::string_view key, std::int64_t first, std::int64_t last) {
    return run(redis_calls::lrange(key, first, last));
  }
  std::int64_t llen(std::string_view key) { return run(redis_calls::llen(key)); }
  void ltrim(std::string_view key, std::int64_t first, std::int64_t last) {
    return run(redis_calls::ltrim(key, first, last));
  }
  std::optional<std::string> lindex(std::string_view key, std::int64_t index) {
    return run(redis_calls::lindex(key, index));
  }

  // sets
  template <class... Members>
  std::int64_t sadd(std::string_view key, const Members&... members) {
    return run(redis_calls::sadd(key, members...));
  }
  template <class... Members>
  std::int64_t srem(std::string_view key, const Members&... members) {
    return run(redis_calls::srem(key, members...));
  }
  std::vector<std::string> smembers(std::string_view key) { return run(redis_calls::smembers(key)); }
  bool sismember(std::string_view key, std::string_view member) { return run(redis_calls::sismember(key, member)); }
  std::int64_t scard(std::string_view key) { return run(redis_calls::scard(key)); }

  // sorted sets
  template <class... ScoresAndMembers>
  std::int64_t zadd(std::string_view key, const ScoresAndMembers&... all) {
    return run(redis_calls::zadd(key, all...));
  }
  template <class... Members>
  std::int64_t zrem(std::string_view key, const Members&... members) {
    return run(redis_calls::zrem(key, members...));
  }
  std::vector<std::string> zrange(std::string_view key, std::int64_t first, std::int64_t last) {
    return run(redis_calls::zrange(key, first, last));
  }
  std::vector<redis_scored> zrange_with_scores(std::string_view key, std::int64_t first, std::int64_t last) {
    return run(redis_calls::zrange_with_scores(key, first, last));
  }
  template <class Least, class Most>
  std::vector<std::string> zrangebyscore(std::string_view key, const Least& least, const Most& most) {
    return run(redis_calls::zrangebyscore(key, least, most));
  }
  template <class Least, class Most>
  std::vector<redis_scored> zrangebyscore_with_scores(std::string_view key, const Least& least, const Most& most) {
    return run(redis_calls::zrangebyscore_with_scores(key, least, most));
  }
  std::optional<double> zscore(std::string_view key, std::string_view member) {
    return run(redis_calls::zscore(key, member));
  }
  std::int64_t zcard(std::string_view key) { return run(redis_calls::zcard(key)); }
  double zincrby(std::string_view key, double by, std::string_view member) {
    return run(redis_calls::zincrby(key, by, member));
  }

  // The same as tasks.

  // connection and server
  task<std::string> async_ping() { return async_run(redis_calls::ping()); }
  task<std::string> async_info(std::string_view section = {}) { return async_run(redis_calls::info(section)); }
  task<std::unordered_map<std::string, std::string>> async_config_get(std::string_view pattern) {
    return async_run(redis_calls::config_get(pattern));
  }
  task<void> async_config_set(std::string_view name, std::string_view value) {
    return async_run(redis_calls::config_set(name, value));
  }
  task<std::int64_t> async_dbsize() { return async_run(redis_calls::dbsize()); }
  task<void> async_flushdb() { return async_run(redis_calls::flushdb()); }
  task<void> async_flushall() { return async_run(redis_calls::flushall()); }
  task<std::int64_t> async_publish(std::string_view channel, std::string_view message) {
    return async_run(redis_calls::publish(channel, message));
  }

  // keys
  template <class... Keys>
  task<std::int64_t> async_del(const Keys&... keys) {
    return async_run(redis_calls::del(keys...));
  }
  template <class... Keys>
  task<std::int64_t> async_unlink(const Keys&... keys) {
    return async_run(redis_calls::unlink(keys...));
  }
  template <class... Keys>
  task<std::int64_t> async_exists(const Keys&... keys) {
    return async_run(redis_calls::exists(keys...));
  }
  task<bool> async_expire(std::string_view key, std::chrono::milliseconds span) {
    return async_run(redis_calls::expire(key, span));
  }
  task<bool> async_persist(std::string_view key) { return async_run(redis_calls::persist(key)); }
  task<std::int64_t> async_ttl(std::string_view key) { return async_run(redis_calls::ttl(key)); }
  task<std::int64_t> async_pttl(std::string_view key) { return async_run(redis_calls::pttl(key)); }
  task<std::string> async_type(std::string_view key) { return async_run(redis_calls::type(key)); }
  task<std::vector<std::string>> async_keys(std::string_view pattern) { return async_run(redis_calls::keys(pattern)); }

  // strings
  task<std::optional<std::string>> async_get(std::string_view key) { return async_run(redis_calls::get(key)); }
  task<std::optional<std::string>> async_getdel(std::string_view key) { return async_run(redis_calls::getdel(key)); }
  template <class Value>
  task<void> async_set(std::string_view key, const Value& value) {
    return async_run(redis_calls::set(key, value));
  }
  template <class Value>
  task<void> async_set(std::string_view key, const Value& value, std::chrono::milliseconds expire) {
    return async_run(redis_calls::set(key, value, expire));
  }
  template <class Value>
  task<redis_accepted> async_set(std::string_view key, const Value& value, const redis_set_options& options) {
    return async_run(redis_calls::set(key, value, options));
  }
  template <class... Keys>
  task<std::vector<std::optional<std::string>>> async_mget(const Keys&... keys) {
    return async_run(redis_calls::mget(keys...));
  }
  template <class... KeysAndValues>
  task<void> async_mset(const KeysAndValues&... all) {
    return async_run(redis_calls::mset(all...));
  }
  task<std::int64_t> async_incr(std::string_view key) { return async_run(redis_calls::incr(key)); }
  task<std::int64_t> async_incrby(std::string_view key, std::int64_t by) {
    return async_run(redis_calls::incrby(key, by));
  }
  task<double> async_incrbyfloat(std::string_view key, double by) {
    return async_run(redis_calls::incrbyfloat(key, by));
  }
  task<std::int64_t> async_decr(std::string_view key) { return async_run(redis_calls::decr(key)); }
  task<std::int64_t> async_decrby(std::string_view key, std::int64_t by) {
    return async_run(redis_calls::decrby(key, by));
  }
  task<std::int64_t> async_append(std::string_view key, std::string_view value) {
    return async_run(redis_calls::append(key, value));
  }
  task<std::int64_t> async_strlen(std::string_view key) { return async_run(redis_calls::strlen(key)); }

  // hashes
  template <class... FieldsAndValues>
  task<std::int64_t> async_hset(std::string_view key, const FieldsAndValues&... all) {
    return async_run(redis_calls::hset(key, all...));
  }
  task<std::optional<std::string>> async_hget(std::string_view key, std::string_view field) {
    return async_run(redis_calls::hget(key, field));
  }
  template <class... Fields>
  task<std::vector<std::optional<std::string>>> async_hmget(std::string_view key, const Fields&... fields) {
    return async_run(redis_calls::hmget(key, fields...));
  }
  task<std::unordered_map<std::string, std::string>> async_hgetall(std::string_view key) {
    return async_run(redis_calls::hgetall(key));
  }
  template <class... Fields>
  task<std::int64_t> async_hdel(std::string_view key, const Fields&... fields) {
    return async_run(redis_calls::hdel(key, fields...));
  }
  task<bool> async_hexists(std::string_view key, std::string_view field) {
    return async_run(redis_calls::hexists(key, field));
  }
  task<std::int64_t> async_hlen(std::string_view key) { return async_run(redis_calls::hlen(key)); }
  task<std::vector<std::string>> async_hkeys(std::string_view key) { return async_run(redis_calls::hkeys(key)); }
  task<std::vector<std::string>> async_hvals(std::string_view key) { return async_run(redis_calls::hvals(key)); }
  task<std::int64_t> async_hincrby(std::string_view key, std::string_view field, std::int64_t by) {
    return async_run(redis_calls::hincrby(key, field, by));
  }

  // lists
  template <class... Values>
  task<std::int64_t> async_lpush(std::string_view key, const Values&... values) {
    return async_run(redis_calls::lpush(key, values...));
  }
  template <class... Values>
  task<std::int64_t> async_rpush(std::string_view key, const Values&... values) {
    return async_run(redis_calls::rpush(key, values...));
  }
  task<std::optional<std::string>> async_lpop(std::string_view key) { return async_run(redis_calls::lpop(key)); }
  task<std::optional<std::string>> async_rpop(std::string_view key) { return async_run(redis_calls::rpop(key)); }
  task<std::vector<std::string>> async_lrange(std::string_view key, std::int64_t first, std::int64_t last) {
    return async_run(redis_calls::lrange(key, first, last));
  }
  task<std::int64_t> async_llen(std::string_view key) { return async_run(redis_calls::llen(key)); }
  task<void> async_ltrim(std::string_view key, std::int64_t first, std::int64_t last) {
    return async_run(redis_calls::ltrim(key, first, last));
  }
  task<std::optional<std::string>> async_lindex(std::string_view key, std::int64_t index) {
    return async_run(redis_calls::lindex(key, index));
  }

  // sets
  template <class... Members>
  task<std::int64_t> async_sadd(std::string_view key, const Members&... members) {
    return async_run(redis_calls::sadd(key, members...));
  }
  template <class... Members>
  task<std::int64_t> async_srem(std::string_view key, const Members&... members) {
    return async_run(redis_calls::srem(key, members...));
  }
  task<std::vector<std::string>> async_smembers(std::string_view key) { return async_run(redis_calls::smembers(key)); }
  task<bool> async_sismember(std::string_view key, std::string_view member) {
    return async_run(redis_calls::sismember(key, member));
  }
  task<std::int64_t> async_scard(std::string_view key) { return async_run(redis_calls::scard(key)); }

  // sorted sets
  template <class... ScoresAndMembers>
  task<std::int64_t> async_zadd(std::string_view key, const ScoresAndMembers&... all) {
    return async_run(redis_calls::zadd(key, all...));
  }
  template <class... Members>
  task<std::int64_t> async_zrem(std::string_view key, const Members&... members) {
    return async_run(redis_calls::zrem(key, members...));
  }
  task<std::vector<std::string>> async_zrange(std::string_view key, std::int64_t first, std::int64_t last) {
    return async_run(redis_calls::zrange(key, first, last));
  }
  task<std::vector<redis_scored>> async_zrange_with_scores(std::string_view key, std::int64_t first,
                                                           std::int64_t last) {
    return async_run(redis_calls::zrange_with_scores(key, first, last));
  }
  template <class Least, class Most>
  task<std::vector<std::string>> async_zrangebyscore(std::string_view key, const Least& least, const Most& most) {
    return async_run(redis_calls::zrangebyscore(key, least, most));
  }
  template <class Least, class Most>
  task<std::vector<redis_scored>> async_zrangebyscore_with_scores(std::string_view key, const Least& least,
                                                                  const Most& most) {
    return async_run(redis_calls::zrangebyscore_with_scores(key, least, most));
  }
  task<std::optional<double>> async_zscore(std::string_view key, std::string_view member) {
    return async_run(redis_calls::zscore(key, member));
  }
  task<std::int64_t> async_zcard(std::string_view key) { return async_run(redis_calls::zcard(key)); }
  task<double> async_zincrby(std::string_view key, double by, std::string_view member) {
    return async_run(redis_calls::zincrby(key, by, member));
  }

 protected:
  redis_operations() = default;
  redis_operations(const redis_operations&) = default;
  redis_operations(redis_operations&&) = default;
  redis_operations& operator=(const redis_operations&) = default;
  redis_operations& operator=(redis_operations&&) = default;

  virtual redis_reply run_now(const redis_command& what) = 0;
  virtual task<redis_reply> run_later(redis_command what) = 0;

 private:
  template <class T>
  static task<T> converted(task<redis_reply> work) {
    redis_reply answer = co_await std::move(work);
    co_return std::move(answer).template as<T>();
  }
};

}  // namespace polypool
