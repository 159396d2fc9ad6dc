// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup driver
/// How a Redis reply becomes a C++ type: what redis_value::as() goes through.
#pragma once

#include <polypool/redis_reply.hpp>

#include <charconv>
#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace polypool::detail {

std::int64_t redis_integer(const redis_value& from);
std::uint64_t redis_unsigned(const redis_value& from);
double redis_real(const redis_value& from);
bool redis_boolean(const redis_value& from);
std::string_view redis_text(const redis_value& from);
/// Throws unless it is an aggregate; what the server said, where it is an error.
void require_redis_aggregate(const redis_value& from, std::string_view wanted);

template <class T>
concept redis_map_like = requires(T all) {
  typename T::key_type;
  typename T::mapped_type;
  all.emplace(std::declval<typename T::key_type>(), std::declval<typename T::mapped_type>());
};
template <class T>
concept redis_set_like = !redis_map_like<T> && requires(T all) {
  typename T::key_type;
  all.insert(std::declval<typename T::key_type>());
};
template <class T>
inline constexpr bool is_redis_pair = false;
template <class A, class B>
inline constexpr bool is_redis_pair<std::pair<A, B>> = true;

template <class T>
T redis_number(const redis_value& from) {
  if constexpr (std::is_signed_v<T>) {
    const auto wide = redis_integer(from);
    if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max()) {
      throw_redis_text(std::to_string(wide), "an integer of this size");
    }
    return static_cast<T>(wide);
  } else {
    const auto wide = redis_unsigned(from);
    if (wide > std::numeric_limits<T>::max()) throw_redis_text(std::to_string(wide), "an integer of this size");
    return static_cast<T>(wide);
  }
}

template <class T>
struct redis_cast {
  static T of(const redis_value& from) {
    if constexpr (std::same_as<T, bool>) {
      return redis_boolean(from);
    } else if constexpr (std::integral<T>) {
      return redis_number<T>(from);
    } else if constexpr (std::floating_point<T>) {
      return static_cast<T>(redis_real(from));
    } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
      return T(redis_text(from));
    } else if constexpr (redis_map_like<T>) {
      return map_of(from);
    } else if constexpr (redis_set_like<T>) {
      require_redis_aggregate(from, "a set");
      T out;
      for (const redis_value each : from) out.insert(each.as<typename T::key_type>());
      return out;
    } else {
      static_assert(sizeof(T) == 0, "a Redis reply cannot become this type");
    }
  }
  static T of(redis_reply&& from) {
    if constexpr (std::same_as<T, std::string_view>) {
      static_assert(sizeof(T) == 0, "the text would be gone with the reply");
    } else if constexpr (std::same_as<T, std::string>) {
      redis_text(from);  // throws unless it is one
      return std::move(from).take_text();
    } else {
      return of(from.value());
    }
  }

 private:
  static T map_of(const redis_value& from) {
    require_redis_aggregate(from, "a map");
    T out;
    for (auto at = from.begin(); at != from.end();) {
      const redis_value first = *at++;
      if (first.is_aggregate()) {  // RESP3 puts some pairs into arrays of their own
        if (first.size() != 2) throw_redis_count(first.size(), 2);
        out.emplace(first[0].as<typename T::key_type>(), first[1].as<typename T::mapped_type>());
      } else {
        if (at == from.end()) throw_redis_count(from.size(), from.size() + 1);
        out.emplace(first.as<typename T::key_type>(), (*at++).as<typename T::mapped_type>());
      }
    }
    return out;
  }
};

template <>
struct redis_cast<redis_reply> {
  static redis_reply of(const redis_value& from) { return redis_reply::copy_of(from); }
  static redis_reply of(redis_reply&& from) { return std::move(from); }
};

/// Nothing to give back; still throws what the server said.
template <>
struct redis_cast<void> {
  static void of(const redis_value& from) {
    if (from.is_error()) throw redis_error(from.text());
  }
};

template <class T>
struct redis_cast<std::optional<T>> {
  static std::optional<T> of(const redis_value& from) {
    if (from.is_null()) return std::nullopt;
    return from.as<T>();
  }
  static std::optional<T> of(redis_reply&& from) {
    if (from.is_null()) return std::nullopt;
    return std::move(from).as<T>();
  }
};

template <class T>
struct redis_cast<std::vector<T>> {
  static std::vector<T> of(const redis_value& from) {
    require_redis_aggregate(from, "a list");
    std::vector<T> out;
    if constexpr (is_redis_pair<T>) {
      const bool nested = !from.empty() && from[0].is_aggregate();
      if (!nested) {  // RESP2 puts pairs in a row
        if (from.size() % 2 != 0) throw_redis_count(from.size(), from.size() + 1);
        out.reserve(from.size() / 2);
        for (auto at = from.begin(); at != from.end();) {
          const redis_value first = *at++;
          const redis_value second = *at++;
          out.emplace_back(first.as<typename T::first_type>(), second.as<typename T::second_type>());
        }
        return out;
      }
    }
    out.reserve(from.size());
    for (const redis_value each : from) out.push_back(each.as<T>());
    return out;
  }
};

template <class A, class B>
struct redis_cast<std::pair<A, B>> {
  static std::pair<A, B> of(const redis_value& from) {
    require_redis_aggregate(from, "a pair");
    if (from.size() != 2) throw_redis_count(from.size(), 2);
    return {from[0].as<A>(), from[1].as<B>()};
  }
};

template <class... Types>
struct redis_cast<std::tuple<Types...>> {
  static std::tuple<Types...> of(const redis_value& from) {
    require_redis_aggregate(from, "a tuple");
    if (from.size() != sizeof...(Types)) throw_redis_count(from.size(), sizeof...(Types));
    auto at = from.begin();
    return std::tuple<Types...>{(*at++).template as<Types>()...};
  }
};

}  // namespace polypool::detail
