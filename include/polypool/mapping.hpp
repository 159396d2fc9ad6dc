// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup sql
/// Rows as structures: columns go to the members of the same name, by Boost.Describe.
///
/// ```cpp
/// struct user { std::int64_t id; std::string name; std::optional<std::string> email; };
/// BOOST_DESCRIBE_STRUCT(user, (), (id, name, email))
/// ```
/// Members may be whatever field::get gives; one that may be NULL is a std::optional. Inherited members count.
#pragma once

#include <polypool/builder.hpp>
#include <polypool/result.hpp>

#include <boost/describe/bases.hpp>
#include <boost/describe/class.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>
#include <boost/mp11/list.hpp>

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace polypool {

/// A structure whose public members are described.
template <class T>
concept described = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;

namespace detail {

template <class T>
using members_of = boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;

/// Throws column_not_found with all members that have no column, and the columns there are.
[[noreturn]] void throw_missing_columns(const column_list& columns, const std::vector<std::string_view>& missing);

}  // namespace detail

/// Makes structures of rows. Finds the columns once; good for all rows of one result.
template <described T>
class row_mapper {
 public:
  /// Throws column_not_found that names every member without a column.
  explicit row_mapper(const column_list& columns) {
    std::vector<std::string_view> missing;
    std::size_t at = 0;
    boost::mp11::mp_for_each<detail::members_of<T>>([&](auto member) {
      const auto found = position_of(columns, member.name);
      if (found == columns.size()) missing.push_back(member.name);
      positions_[at++] = found;
    });
    if (!missing.empty()) detail::throw_missing_columns(columns, missing);
  }
  /// Throws null_value and type_mismatch that name the column.
  T operator()(const row& from) const {
    T made{};
    std::size_t at = 0;
    boost::mp11::mp_for_each<detail::members_of<T>>([&](auto member) {
      using member_type = std::remove_reference_t<decltype(made.*member.pointer)>;
      made.*member.pointer = from.template get<member_type>(positions_[at++]);
    });
    return made;
  }

 private:
  static std::size_t position_of(const column_list& columns, std::string_view name) noexcept {
    std::size_t at = 0;
    while (at < columns.size() && columns[at].name != name) ++at;
    return at;
  }
  std::array<std::size_t, boost::mp11::mp_size<detail::members_of<T>>::value> positions_{};
};

/// All rows as structures. Throws column_not_found, null_value, type_mismatch.
template <described T>
std::vector<T> mapped(const result& rows) {
  std::vector<T> made;
  made.reserve(rows.size());
  const row_mapper<T> make(rows.columns());
  for (const row each : rows) made.push_back(make(each));
  return made;
}

/// The members of a structure as columns with values, to insert or update.
template <described T>
column_values columns_of(const T& from) {
  column_values made;
  boost::mp11::mp_for_each<detail::members_of<T>>(
      [&](auto member) { made.emplace_back(member.name, value(from.*member.pointer)); });
  return made;
}

}  // namespace polypool
