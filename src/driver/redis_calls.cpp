// SPDX-License-Identifier: Apache-2.0
#include <polypool/redis_calls.hpp>

namespace polypool::redis_calls {
namespace {

void add_options(redis_command& to, const redis_scan_options& options) {
  if (!options.match.empty()) to.add("MATCH").add(options.match);
  if (options.count > 0) to.add("COUNT").add(options.count);
  if (!options.type.empty()) to.add("TYPE").add(options.type);
}

}  // namespace

void add_expiry(redis_command& to, std::chrono::milliseconds span) {
  if (span.count() % 1000 == 0) {
    to.add("EX").add(span.count() / 1000);
  } else {
    to.add("PX").add(span.count());
  }
}

redis_call<text> ping() { return {redis_command("PING")}; }
redis_call<text> info(std::string_view section) {
  redis_call<text> out{redis_command("INFO")};
  if (!section.empty()) out.command.add(section);
  return out;
}
redis_call<fields> config_get(std::string_view pattern) { return {redis_command("CONFIG", "GET", pattern)}; }
redis_call<none> config_set(std::string_view name, std::string_view value) {
  return {redis_command("CONFIG", "SET", name, value)};
}
redis_call<number> dbsize() { return {redis_command("DBSIZE")}; }
redis_call<none> flushdb() { return {redis_command("FLUSHDB")}; }
redis_call<none> flushall() { return {redis_command("FLUSHALL")}; }
redis_call<number> publish(std::string_view channel, std::string_view message) {
  return {redis_command("PUBLISH", channel, message)};
}

redis_call<bool> expire(std::string_view key, std::chrono::milliseconds span) {
  if (span.count() % 1000 == 0) return {redis_command("EXPIRE", key, span.count() / 1000)};
  return {redis_command("PEXPIRE", key, span.count())};
}
redis_call<bool> persist(std::string_view key) { return {redis_command("PERSIST", key)}; }
redis_call<number> ttl(std::string_view key) { return {redis_command("TTL", key)}; }
redis_call<number> pttl(std::string_view key) { return {redis_command("PTTL", key)}; }
redis_call<text> type(std::string_view key) { return {redis_command("TYPE", key)}; }
redis_call<texts> keys(std::string_view pattern) { return {redis_command("KEYS", pattern)}; }
redis_call<redis_page> scan(std::uint64_t cursor, const redis_scan_options& options) {
  redis_call<redis_page> out{redis_command("SCAN", cursor)};
  add_options(out.command, options);
  return out;
}
redis_call<redis_page> scan_inside(std::string_view command, std::string_view key, std::uint64_t cursor,
                                   const redis_scan_options& options) {
  redis_call<redis_page> out{redis_command(command, key, cursor)};
  add_options(out.command, options);
  return out;
}

redis_call<maybe_text> get(std::string_view key) { return {redis_command("GET", key)}; }
redis_call<maybe_text> getdel(std::string_view key) { return {redis_command("GETDEL", key)}; }
redis_call<number> incr(std::string_view key) { return {redis_command("INCR", key)}; }
redis_call<number> incrby(std::string_view key, number by) { return {redis_command("INCRBY", key, by)}; }
redis_call<double> incrbyfloat(std::string_view key, double by) { return {redis_command("INCRBYFLOAT", key, by)}; }
redis_call<number> decr(std::string_view key) { return {redis_command("DECR", key)}; }
redis_call<number> decrby(std::string_view key, number by) { return {redis_command("DECRBY", key, by)}; }
redis_call<number> append(std::string_view key, std::string_view value) {
  return {redis_command("APPEND", key, value)};
}
redis_call<number> strlen(std::string_view key) { return {redis_command("STRLEN", key)}; }

redis_call<maybe_text> hget(std::string_view key, std::string_view field) {
  return {redis_command("HGET", key, field)};
}
redis_call<fields> hgetall(std::string_view key) { return {redis_command("HGETALL", key)}; }
redis_call<bool> hexists(std::string_view key, std::string_view field) {
  return {redis_command("HEXISTS", key, field)};
}
redis_call<number> hlen(std::string_view key) { return {redis_command("HLEN", key)}; }
redis_call<texts> hkeys(std::string_view key) { return {redis_command("HKEYS", key)}; }
redis_call<texts> hvals(std::string_view key) { return {redis_command("HVALS", key)}; }
redis_call<number> hincrby(std::string_view key, std::string_view field, number by) {
  return {redis_command("HINCRBY", key, field, by)};
}

redis_call<maybe_text> lpop(std::string_view key) { return {redis_command("LPOP", key)}; }
redis_call<maybe_text> rpop(std::string_view key) { return {redis_command("RPOP", key)}; }
redis_call<texts> lrange(std::string_view key, number first, number last) {
  return {redis_command("LRANGE", key, first, last)};
}
redis_call<number> llen(std::string_view key) { return {redis_command("LLEN", key)}; }
redis_call<none> ltrim(std::string_view key, number first, number last) {
  return {redis_command("LTRIM", key, first, last)};
}
redis_call<maybe_text> lindex(std::string_view key, number index) { return {redis_command("LINDEX", key, index)}; }

redis_call<texts> smembers(std::string_view key) { return {redis_command("SMEMBERS", key)}; }
redis_call<bool> sismember(std::string_view key, std::string_view member) {
  return {redis_command("SISMEMBER", key, member)};
}
redis_call<number> scard(std::string_view key) { return {redis_command("SCARD", key)}; }

redis_call<texts> zrange(std::string_view key, number first, number last) {
  return {redis_command("ZRANGE", key, first, last)};
}
redis_call<std::vector<redis_scored>> zrange_with_scores(std::string_view key, number first, number last) {
  return {redis_command("ZRANGE", key, first, last, "WITHSCORES")};
}
redis_call<std::optional<double>> zscore(std::string_view key, std::string_view member) {
  return {redis_command("ZSCORE", key, member)};
}
redis_call<number> zcard(std::string_view key) { return {redis_command("ZCARD", key)}; }
redis_call<double> zincrby(std::string_view key, double by, std::string_view member) {
  return {redis_command("ZINCRBY", key, by, member)};
}

}  // namespace polypool::redis_calls
