// SPDX-License-Identifier: Apache-2.0
// Groups: their fields, and their members as names or with a weight.
#include "config/reader.hpp"

#include <polypool/duration.hpp>

#include <array>
#include <utility>

namespace polypool::config {
namespace {

constexpr std::array<std::string_view, 2> type_words{"failover", "balance"};
constexpr std::array<std::string_view, 4> strategy_words{"round_robin", "least_in_use", "power_of_two", "weighted"};
constexpr std::array<std::string_view, 2> fail_back_words{"automatic", "manual"};
constexpr std::array<std::string_view, 2> several_words{"refuse", "in_order"};

template <class Value, std::size_t Count>
read_result<void> keep_word(std::string_view text, const std::array<std::string_view, Count>& words,
                            std::string_view kind, Value& place) {
  const auto found = read_word(text, {words.begin(), words.end()}, kind);
  if (!found) return std::unexpected(found.error());
  place = static_cast<Value>(std::ranges::find(words, *found) - words.begin());
  return {};
}

template <auto Member>
read_result<void> set_time(group& target, std::string_view text) {
  return keep(read_duration(text), target.*Member);
}
template <auto Member>
read_result<void> set_flag(group& target, std::string_view text) {
  return keep(read_flag(text), target.*Member);
}
template <auto Member, std::uint32_t Least>
read_result<void> set_count(group& target, std::string_view text) {
  return keep(read_count(text, Least), target.*Member);
}
read_result<void> set_type(group& t, std::string_view text) { return keep_word(text, type_words, "a type", t.type); }
read_result<void> set_strategy(group& t, std::string_view text) {
  return keep_word(text, strategy_words, "a strategy", t.strategy);
}
read_result<void> set_several(group& t, std::string_view text) {
  return keep_word(text, several_words, "a policy", t.two_primaries);
}
read_result<void> set_primary(group& t, std::string_view text) {
  t.primary = text;
  return {};
}
// `automatic`, `manual`, or a time, which is automatic after that time.
read_result<void> set_fail_back(group& t, std::string_view text) {
  if (const auto time = read_duration(text)) {
    t.fail_back = fail_back_policy::automatic;
    t.fail_back_after = *time;
    return {};
  }
  auto done = keep_word(text, fail_back_words, "a policy", t.fail_back);
  if (!done) done.error().allowed += ", or a time such as 5m to wait before";
  return done;
}
std::map<std::string, std::string>& tags_of(group& t) { return t.tags; }
read_result<void> refuse_tags(group& /*target*/, std::string_view /*text*/) {
  return std::unexpected(refusal{"is not a map of texts", "a map"});
}

constexpr std::array fields{
    field<group>{"type", "", &set_type},
    field<group>{"primary", "", &set_primary},
    field<group>{"strategy", "", &set_strategy},
    field<group>{"fail_back", "", &set_fail_back},
    field<group>{"fail_back_after", "", &set_time<&group::fail_back_after>},
    field<group>{"two_primaries", "", &set_several},
    field<group>{"max_lag", "", &set_time<&group::max_lag>},
    field<group>{"read_your_writes", "", &set_flag<&group::read_your_writes>},
    field<group>{"role_check_interval", "", &set_time<&group::role_check_interval>},
    field<group>{"unreachable_after", "", &set_count<&group::unreachable_after, 1>},
    field<group>{"settle_time", "", &set_time<&group::settle_time>},
    field<group>{"eject_after", "", &set_count<&group::eject_after, 0>},
    field<group>{"eject_time", "", &set_time<&group::eject_time>},
    field<group>{"eject_max", "", &set_time<&group::eject_max>},
    field<group>{"slow_start", "", &set_time<&group::slow_start>},
    field<group>{"critical", "", &set_flag<&group::critical>},
    field<group>{"tags", "", &refuse_tags, &tags_of},
};

using members_field = std::pair<std::string_view, std::vector<group_member> group::*>;
constexpr std::array<members_field, 3> lists{
    {{"replicas", &group::replicas}, {"backups", &group::backups}, {"members", &group::members}}};

read_result<void> set_name(group_member& t, std::string_view text) {
  t.name = text;
  return {};
}
read_result<void> set_weight(group_member& t, std::string_view text) {
  return keep(read_count(text, 1, 100), t.weight);
}
constexpr std::array member_fields{field<group_member>{"name", "", &set_name},
                                   field<group_member>{"weight", "", &set_weight}};

void read_members(reading& with, const node& list, const std::string& path, std::vector<group_member>& target) {
  if (list.is_null()) return;
  if (!list.is_list()) {
    with.problems.add(list.where, path, "is " + std::string(list.what()) + "; a list of connections is expected");
    return;
  }
  for (std::size_t i = 0; i < list.children.size(); ++i) {
    const auto& item = list.children[i].value;
    const std::string place = path + "[" + std::to_string(i) + "]";
    group_member one;
    if (item.is_map()) {
      const std::span<const field<group_member>> known(member_fields);
      read_fields(with, item, place, known, one, {}, [](const entry&) { return false; });
      if (one.name.empty()) with.problems.add(item.where, place, "has no name; a member is the name of a connection");
    } else if (auto text = text_of(with, item, place)) {
      one.name = std::move(*text);
    }
    target.push_back(std::move(one));
  }
}

}  // namespace

std::string_view to_string(group_type type) noexcept { return type_words[static_cast<std::size_t>(type)]; }
std::string_view to_string(balance_strategy strategy) noexcept {
  return strategy_words[static_cast<std::size_t>(strategy)];
}
std::string_view to_string(fail_back_policy policy) noexcept {
  return fail_back_words[static_cast<std::size_t>(policy)];
}
std::string_view to_string(several_primaries policy) noexcept {
  return several_words[static_cast<std::size_t>(policy)];
}

std::optional<group> read_group(reading& with, const entry& from, group_places& places) {
  const std::string path = inside("groups", from.key);
  if (!from.value.is_map()) {
    with.problems.add(from.where, path, "is " + std::string(from.value.what()) + "; a map of fields is expected");
    return std::nullopt;
  }
  group made;
  made.name = from.key;
  const std::span<const field<group>> known(fields);
  const auto before = with.problems.size();
  std::vector<std::string_view> list_names;
  for (const auto& each : lists) list_names.push_back(each.first);
  read_fields(with, from.value, path, known, made, list_names, [&](const entry& child) {
    const auto found = std::ranges::find(lists, std::string_view(child.key), &members_field::first);
    if (found == lists.end()) return false;
    read_members(with, child.value, inside(path, child.key), made.*found->second);
    return true;
  });
  if (from.value.find("type") == nullptr) {
    with.problems.add(from.where, inside(path, "type"), "is missing; allowed: failover, balance");
  }
  places[made.name] = &from;
  if (with.problems.size() != before) return std::nullopt;
  return made;
}

}  // namespace polypool::config
