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
  bool alone = false;  // goes to several nodes, or is a transaction
  bool transaction() const noexcept { return count > 1; }
};

struct cluster_session::share {
  server_address where;
  std::vector<std::size_t> positions;  // of its commands in the pipeline
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
    const auto way = way_of(first);
    one.alone =
        way == cluster_way::all || way == cluster_way::scan || (way == cluster_way::split && !shares_a_slot(first));
    one.slot = slot_of_command(first);
    if (same_word(first.front(), "MULTI")) {
      for (bool open = true; open && ++i < all.size(); ++one.count) {
        const words inside = words_of(all[i]);
        if (!one.slot) one.slot = slot_of_command(inside);
        open = !same_word(inside.front(), "EXEC") && !same_word(inside.front(), "DISCARD");
      }
      one.alone = true;
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

// Sends one node its commands. What has to be said elsewhere, because a slot has moved or the node is gone, is noted.
task<void> cluster_session::run_share(const redis_batch& all, const share& part, std::vector<redis_reply>& into,
                                      std::vector<std::size_t>& elsewhere) {
  redis_batch commands;
  for (const std::size_t at : part.positions) commands.add(command_of(words_of(all[at])));
  std::vector<redis_reply> answers;
  try {
    task<session_pointer> opening = session_to(part.where);
    const session_pointer there = co_await std::move(opening);
    task<std::vector<redis_reply>> running = there->pipeline(commands);
    answers = co_await std::move(running);
  } catch (const error& failure) {
    // Nothing of it was sent: each finds its own way.
    if (failure.disposition() != disposition::retryable && failure.portable_code() != errc::connect_failed) throw;
  }
  for (std::size_t i = 0; i < part.positions.size(); ++i) {
    const bool redirected =
        answers.empty() || (answers[i].is_error() && (redirection_in(answers[i].text(), part.where) ||
                                                      answers[i].text().starts_with("TRYAGAIN")));
    if (redirected) {
      elsewhere.push_back(part.positions[i]);
    } else {
      into[part.positions[i]] = std::move(answers[i]);
    }
  }
}

// Each node gets its commands in one piece. Commands on the same key stay in their order: they have the same node, and
// what it sends away it sends away from then on.
task<void> cluster_session::run_row(const redis_batch& all, const std::vector<unit>& row,
                                    std::vector<redis_reply>& into) {
  std::map<std::string, share> by_node;
  for (const auto& one : row) {
    const server_address where = place_of(one.slot);
    auto& part = by_node[where.text()];
    part.where = where;
    part.positions.push_back(one.first);
  }
  std::vector<std::size_t> elsewhere;
  for (const auto& [name, part] : by_node) {
    task<void> running = run_share(all, part, into, elsewhere);
    co_await std::move(running);
  }
  for (const std::size_t at : elsewhere) {
    unit one;
    one.first = at;
    task<void> running = run_unit(all, one, into);
    co_await std::move(running);
  }
}

// Transactions and what concerns several nodes come by themselves, after what stands before them.
task<std::vector<redis_reply>> cluster_session::pipeline(const redis_batch& what) {
  if (what.effect() >= redis_effect::subscribes) {
    throw error(errc::invalid_argument, "one of these has no answer of its own in a pipeline");
  }
  std::vector<redis_reply> out(what.size());
  std::vector<unit> row;
  for (const auto& one : units_of(what)) {
    if (!one.alone) {
      row.push_back(one);
      continue;
    }
    task<void> before = run_row(what, row, out);
    co_await std::move(before);
    row.clear();
    task<void> running = run_unit(what, one, out);
    co_await std::move(running);
  }
  task<void> rest = run_row(what, row, out);
  co_await std::move(rest);
  co_return std::move(out);
}

}  // namespace polypool::redis
