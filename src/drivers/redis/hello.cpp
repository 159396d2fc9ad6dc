// SPDX-License-Identifier: Apache-2.0
#include "drivers/redis/hello.hpp"

#include <polypool/error.hpp>

#include <algorithm>
#include <charconv>

namespace polypool::redis {
namespace {

bool knows_no_hello(const redis_value& answer) {
  return answer.is_error() &&
         (answer.text().starts_with("ERR unknown command") || answer.text().starts_with("NOPROTO"));
}

error refusal(const wire& on, const redis_value& answer, const secret& password) {
  const error told = redis_error(answer.text());
  errc code = told.portable_code();
  const bool known =
      code == errc::authentication_failed || code == errc::too_many_connections || code == errc::permission_denied;
  error out(known ? code : errc::connect_failed,
            "cannot connect to Redis at " + on.place() + ": " + redact(answer.text(), password));
  out.with_server_message(redact(answer.text(), password)).with_hint(told.hint());
  const bool later = told.disposition() == disposition::retryable || told.disposition() == disposition::in_doubt;
  out.with_disposition(later ? disposition::retryable : told.disposition());
  return out;
}

// "7.0.15" → 70015
int version_number(std::string_view text) {
  int out = 0;
  for (int part = 0; part < 3; ++part) {
    int value = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
    out = out * 100 + std::min(value, 99);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with('.')) text.remove_prefix(1);
  }
  return out;
}

task<std::vector<redis_reply>> say(wire& on, redis_batch words) {
  std::vector<redis_reply> answers(words.size());
  task<void> saying = on.exchange(words.wire(), answers);
  co_await std::move(saying);
  co_return std::move(answers);
}

}  // namespace

introduction introduction_of(const session_settings& settings) {
  introduction out;
  out.user = settings.user;
  out.password = &settings.password;
  out.client_name = settings.client_name;
  out.database = settings.database;
  out.protocol = settings.protocol;
  return out;
}

redis_batch introduction_commands(const introduction& who, int protocol) {
  redis_batch out;
  const std::string user = who.user.empty() ? "default" : who.user;
  if (protocol >= 3) {
    redis_command hello("HELLO", 3);
    if (!who.password->empty()) hello.add("AUTH").add(user).add(who.password->reveal());
    if (!who.client_name.empty()) hello.add("SETNAME").add(who.client_name);
    out.add(hello);
  } else {
    if (!who.password->empty()) {
      redis_command auth("AUTH");
      if (!who.user.empty()) auth.add(who.user);  // servers before 6 know no users
      out.add(auth.add(who.password->reveal()));
    }
    if (!who.client_name.empty()) out.add(redis_command("CLIENT", "SETNAME", who.client_name));
  }
  if (who.database != 0) out.add(redis_command("SELECT", who.database));
  if (out.empty()) out.add(redis_command("PING"));  // whether it lets us in
  return out;
}

server_facts facts_of(const redis_value& hello) {
  server_facts out;
  out.protocol = 3;
  out.version = hello.find("version").text();
  out.knows_reset = version_number(out.version) >= 60200;
  return out;
}

task<server_facts> introduce(wire& on, introduction who) {
  server_facts facts;
  int protocol = who.protocol;
  for (;;) {
    redis_batch words = introduction_commands(who, protocol);
    task<std::vector<redis_reply>> saying = say(on, std::move(words));
    const std::vector<redis_reply> answers = co_await std::move(saying);
    if (protocol >= 3 && knows_no_hello(answers.front())) {
      protocol = 2;
      continue;
    }
    for (const auto& each : answers) {
      if (each.is_error()) throw refusal(on, each, *who.password);
    }
    if (protocol >= 3) facts = facts_of(answers.front());
    co_return std::move(facts);
  }
}

}  // namespace polypool::redis
