// SPDX-License-Identifier: Apache-2.0
// Commands that concern several nodes, and several commands at once.
#include "base/words.hpp"
#include "drivers/redis/cluster_session.hpp"

#include <polypool/redis_cast.hpp>

#include <algorithm>
#include <charconv>
#include <map>

namespace polypool::redis {
namespace {

redis_command command_of(const std::vector<std::string_view>& words) {
  redis_command out(words.front());
  for (std::size_t i = 1; i < words.size(); ++i) out.add(words[i]);
  return out;
}

// Whether all keys of MGET, MSET, DEL … live together.
bool shares_a_slot(const std::vector<std::string_view>& words) {
  const std::size_t step = same_word(words.front(), "MSET") ? 2 : 1;
  for (std::size_t i = 1; i < words.size(); i += step) {
    if (slot_of(words[i]) != slot_of(words[1])) return false;
  }
  return true;
}

// One of a node's own cursors, with the node's place among the primaries in the upper bits. (Redis's cursors stay below
// the size of its table of keys.)
constexpr int node_shift = 48;
constexpr std::uint64_t cursor_mask = (std::uint64_t{1} << node_shift) - 1;

}  // namespace

struct cluster_session::unit {
  std::size_t first = 0;
  std::size_t count = 1;
  std::optional<std::uint16_t> slot;
  cluster_way way = cluster_way::anywhere;
  bool transaction() const noexcept { return count > 1; }
};

// Keys that live apart: a command for each slot, all of them at once.
task<redis_reply> cluster_session::run_split(words what) {
  const bool pairs = same_word(what.front(), "MSET");
  const bool list = same_word(what.front(), "MGET");
  const std::size_t step = pairs ? 2 : 1;
  if ((what.size() - 1) % step != 0) throw redis_error("ERR wrong number of arguments for 'mset' command");
  std::map<std::uint16_t, std::vector<std::size_t>> by_slot;
  for (std::size_t i = 1; i < what.size(); i += step) by_slot[slot_of(what[i])].push_back(i);
  redis_batch parts;
  for (const auto& [slot, positions] : by_slot) {
    redis_command part(what.front());
    for (const std::size_t at : positions) {
      part.add(what[at]);
      if (pairs) part.add(what[at + 1]);
    }
    parts.add(part);
  }
  task<std::vector<redis_reply>> running = pipeline(parts);
  const std::vector<redis_reply> answers = co_await std::move(running);
  std::int64_t sum = 0;
  std::vector<redis_reply> values(list ? what.size() - 1 : 0);
  auto answer = answers.begin();
  for (const auto& [slot, positions] : by_slot) {
    if (answer->is_error()) throw redis_error(answer->text());
    if (list && answer->size() != positions.size()) detail::throw_redis_count(answer->size(), positions.size());
    for (std::size_t i = 0; list && i < positions.size(); ++i) {
      values[positions[i] - 1] = redis_reply::copy_of((*answer)[i]);
    }
    sum += answer->integer();
    ++answer;
  }
  if (list) co_return redis_reply::of_elements(redis_type::array, values);
  if (pairs) co_return redis_reply::of_text(redis_type::simple_string, "OK");
  co_return redis_reply::of_integer(sum);
}

// Numbers are added up, lists put behind each other; of other answers the last one counts.
task<redis_reply> cluster_session::run_on_all(const redis_command& what) {
  std::int64_t sum = 0;
  std::vector<redis_reply> elements;
  redis_reply last;
  for (const auto& each : primaries()) {
    task<session_pointer> opening = session_to(each);
    const session_pointer there = co_await std::move(opening);
    task<redis_reply> running = there->execute(what);
    last = co_await std::move(running);
    sum += last.integer();
    for (const redis_value element : last) elements.push_back(redis_reply::copy_of(element));
  }
  if (last.type() == redis_type::integer) co_return redis_reply::of_integer(sum);
  if (last.is_aggregate()) co_return redis_reply::of_elements(last.type(), elements);
  co_return std::move(last);
}

task<redis_reply> cluster_session::run_scan(words what) {
  const auto all = primaries();
  std::uint64_t cursor = 0;
  if (what.size() > 1) std::from_chars(what[1].data(), what[1].data() + what[1].size(), cursor);
  const std::size_t index = cursor >> node_shift;
  if (what.size() < 2 || index >= all.size()) throw redis_error("ERR invalid cursor");
  const std::string own = std::to_string(cursor & cursor_mask);
  what[1] = own;
  const redis_command command = command_of(what);
  task<session_pointer> opening = session_to(all[index]);
  const session_pointer there = co_await std::move(opening);
  task<redis_reply> running = there->execute(command);
  const redis_reply page = co_await std::move(running);
  if (page.size() != 2) detail::throw_redis_count(page.size(), 2);
  const auto next = page[0].as<std::uint64_t>();
  std::uint64_t after = next | (std::uint64_t{index} << node_shift);
  if (next == 0) after = index + 1 < all.size() ? (std::uint64_t{index} + 1) << node_shift : 0;
  std::vector<redis_reply> both;
  both.push_back(redis_reply::of_text(redis_type::bulk_string, std::to_string(after)));
  both.push_back(redis_reply::copy_of(page[1]));
  co_return redis_reply::of_elements(redis_type::array, both);
}

task<redis_reply> cluster_session::run_alone(const redis_command& what, std::string_view wire) {
  const words all = words_of(wire);
  switch (way_of(all)) {
    case cluster_way::all:
      return run_on_all(what);
    case cluster_way::scan:
      return run_scan(all);
    case cluster_way::split:
      if (!shares_a_slot(all)) return run_split(all);
      break;
    default:
      break;
  }
  return route(what, slot_of_command(all));
}

// pipelines ----------------------------------------------------------------------------------------------------------

std::vector<cluster_session::unit> cluster_session::units_of(const redis_batch& all) {
  std::vector<unit> out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const words first = words_of(all[i]);
    unit one;
    one.first = i;
    one.way = way_of(first);
    one.slot = slot_of_command(first);
    if (same_word(first.front(), "MULTI")) {
      for (bool open = true; open && ++i < all.size(); ++one.count) {
        const words inside = words_of(all[i]);
        if (!one.slot) one.slot = slot_of_command(inside);
        open = !same_word(inside.front(), "EXEC") && !same_word(inside.front(), "DISCARD");
      }
    }
    out.push_back(one);
  }
  return out;
}

// One after the other: a transaction whose slot has moved is said again as a whole.
task<void> cluster_session::run_unit(const redis_batch& all, unit one, std::vector<redis_reply>& into) {
  if (!one.transaction()) {
    const redis_command what = command_of(words_of(all[one.first]));
    try {
      task<redis_reply> running = run_alone(what, all[one.first]);
      into[one.first] = co_await std::move(running);
    } catch (const error& failure) {
      if (failure.server_message().empty()) throw;
      into[one.first] = redis_reply::of_text(redis_type::error, failure.server_message());
    }
    co_return;
  }
  redis_batch part;
  for (std::size_t i = 0; i < one.count; ++i) part.add(command_of(words_of(all[one.first + i])));
  const auto slot = watched_ ? watched_ : one.slot;
  for (int attempt = 1;; ++attempt) {
    const server_address where = place_of(slot);
    task<session_pointer> opening = session_to(where);
    const session_pointer there = co_await std::move(opening);
    task<std::vector<redis_reply>> running = there->pipeline_of_cluster(part);
    std::vector<redis_reply> answers = co_await std::move(running);
    std::optional<error> moved;
    for (const auto& each : answers) {
      if (!moved && each.is_error() && redirection_in(each.text(), where)) moved = redis_error(each.text());
    }
    bool again = false;
    if (moved && !watched_) {
      task<bool> recovering = recover(*moved, where, attempt);
      again = co_await std::move(recovering);
    }
    if (again) continue;
    std::ranges::move(answers, into.begin() + static_cast<std::ptrdiff_t>(one.first));
    co_return;
  }
}

task<std::vector<redis_reply>> cluster_session::pipeline(const redis_batch& what) {
  if (what.effect() >= redis_effect::subscribes) {
    throw error(errc::invalid_argument, "one of these has no answer of its own in a pipeline");
  }
  std::vector<redis_reply> out(what.size());
  const auto units = units_of(what);
  // What goes to one node goes there in one piece; transactions and what concerns several nodes come by themselves.
  std::map<std::string, std::vector<std::size_t>> by_node;
  std::map<std::string, server_address> places;
  std::vector<unit> apart;
  for (const auto& one : units) {
    const words first = words_of(what[one.first]);
    const bool several = one.way == cluster_way::all || one.way == cluster_way::scan ||
                         (one.way == cluster_way::split && !shares_a_slot(first));
    if (one.transaction() || several) {
      apart.push_back(one);
      continue;
    }
    const server_address where = place_of(one.slot);
    places.emplace(where.text(), where);
    by_node[where.text()].push_back(one.first);
  }
  for (const auto& [name, positions] : by_node) {
    redis_batch part;
    for (const std::size_t at : positions) part.add(command_of(words_of(what[at])));
    std::vector<redis_reply> answers;
    try {
      task<session_pointer> opening = session_to(places.at(name));
      const session_pointer there = co_await std::move(opening);
      task<std::vector<redis_reply>> running = there->pipeline(part);
      answers = co_await std::move(running);
    } catch (const error& failure) {
      // Nothing of it was sent: each finds its own way.
      if (failure.disposition() != disposition::retryable && failure.portable_code() != errc::connect_failed) throw;
    }
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const bool redirected =
          answers.empty() || (answers[i].is_error() && (redirection_in(answers[i].text(), places.at(name)) ||
                                                        answers[i].text().starts_with("TRYAGAIN")));
      if (redirected) {
        unit one;
        one.first = positions[i];
        apart.push_back(one);
      } else {
        out[positions[i]] = std::move(answers[i]);
      }
    }
  }
  for (const auto& one : apart) {
    task<void> running = run_unit(what, one, out);
    co_await std::move(running);
  }
  co_return std::move(out);
}

}  // namespace polypool::redis
