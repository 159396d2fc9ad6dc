// SPDX-License-Identifier: Apache-2.0
#include "drivers/mongodb/bson_writer.hpp"

#include "base/utf8.hpp"
#include "driver/extended_json.hpp"
#include "drivers/mongodb/native.hpp"

#include <polypool/error.hpp>

#include <limits>
#include <string>

namespace polypool::mongodb {
namespace {

namespace json = boost::json;
using extended_json::special;
using kind = special::kind_type;

// Servers take about a hundred levels; this only keeps our stack.
constexpr int most_levels_written = 200;

// Where in the document we are, for messages; a list of stack frames from the inside out.
struct place {
  const place* outer;
  std::string_view name;
  int level = 0;
};

std::string path_of(const place& at) {
  std::string out(excerpt(at.name));
  for (const auto* each = at.outer; each && !each->name.empty(); each = each->outer) {
    out.insert(0, excerpt(each->name) + ".");
  }
  return excerpt(out, 200);
}

[[noreturn]] void refuse(errc code, const place& at, std::string_view why) {
  throw error(code, "the member '" + path_of(at) + "': " + std::string(why));
}

// The only way in which appending fails.
void check(bool appended, const place& at) {
  if (!appended) refuse(errc::invalid_value, at, "the document is too large: BSON ends at 2 GiB");
}

class writer {
 public:
  explicit writer(bson_t* target) noexcept : target_(target) {}

  void members(const json::object& source, const place* outer) {
    for (const auto& member : source) {
      const auto key = member.key();
      const place at{outer, {key.data(), key.size()}, outer ? outer->level + 1 : 1};
      if (at.name.contains('\0')) refuse(errc::invalid_argument, at, "a name must not hold a NUL character");
      if (!is_valid_utf8(at.name)) refuse(errc::invalid_value, at, "the name is not UTF-8");
      value(member.value(), at);
    }
  }

  void elements(const json::array& source, const place* outer) {
    std::uint32_t index = 0;
    for (const auto& element : source) {
      char buffer[16];
      const char* name = nullptr;
      const auto size = bson_uint32_to_string(index++, &name, buffer, sizeof buffer);
      const place at{outer, {name, size}, outer ? outer->level + 1 : 1};
      value(element, at);
    }
  }

  void value(const json::value& source, const place& at);

 private:
  static int length(std::string_view text) noexcept { return static_cast<int>(text.size()); }

  void text(std::string_view source, const place& at) {
    if (!is_valid_utf8(source)) {
      refuse(errc::invalid_value, at, "the text is not UTF-8; send bytes as bson::binary");
    }
    if (source.size() >= static_cast<std::size_t>(std::numeric_limits<int>::max())) check(false, at);
    check(bson_append_utf8(target_, at.name.data(), length(at.name), source.data(), length(source)), at);
  }

  void integer(std::int64_t number, const place& at) {
    const bool small =
        number >= std::numeric_limits<std::int32_t>::min() && number <= std::numeric_limits<std::int32_t>::max();
    check(small ? bson_append_int32(target_, at.name.data(), length(at.name), static_cast<std::int32_t>(number))
                : bson_append_int64(target_, at.name.data(), length(at.name), number),
          at);
  }

  void nested(const json::object& source, const place& at) {
    if (at.level > most_levels_written) refuse(errc::invalid_value, at, "documents are nested too deep");
    bson_t child;
    check(bson_append_document_begin(target_, at.name.data(), length(at.name), &child), at);
    writer(&child).members(source, &at);
    check(bson_append_document_end(target_, &child), at);
  }

  void nested(const json::array& source, const place& at) {
    if (at.level > most_levels_written) refuse(errc::invalid_value, at, "arrays are nested too deep");
    bson_t child;
    check(bson_append_array_begin(target_, at.name.data(), length(at.name), &child), at);
    writer(&child).elements(source, &at);
    check(bson_append_array_end(target_, &child), at);
  }

  void object(const json::object& source, const place& at) {
    const auto found = [&] {
      try {
        return extended_json::read(source);
      } catch (const error& problem) {
        refuse(problem.portable_code(), at, problem.cause());
      }
    }();
    if (found.kind == kind::none) {
      nested(source, at);
    } else {
      check(append(found, at), at);
    }
  }

  bool append(const special& found, const place& at);
  bool decimal(const std::string& text, const place& at);
  bool binary(const special& found, const place& at);
  bool scoped_code(const special& found, const std::string& text, const place& at);

  bson_t* target_;
};

void writer::value(const json::value& source, const place& at) {
  const char* const name = at.name.data();
  const int size = length(at.name);
  switch (source.kind()) {
    case json::kind::null:
      return check(bson_append_null(target_, name, size), at);
    case json::kind::bool_:
      return check(bson_append_bool(target_, name, size, source.get_bool()), at);
    case json::kind::int64:
      return integer(source.get_int64(), at);
    case json::kind::uint64:
      if (source.get_uint64() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        refuse(errc::invalid_value, at, "BSON's integers end at 9223372036854775807; send it as bson::decimal");
      }
      return integer(static_cast<std::int64_t>(source.get_uint64()), at);
    case json::kind::double_:
      return check(bson_append_double(target_, name, size, source.get_double()), at);
    case json::kind::string:
      return text({source.get_string().data(), source.get_string().size()}, at);
    case json::kind::array:
      return nested(source.get_array(), at);
    case json::kind::object:
      return object(source.get_object(), at);
  }
}

bool writer::decimal(const std::string& text, const place& at) {
  bson_decimal128_t number;
  if (text.empty() || !bson_decimal128_from_string(text.c_str(), &number)) {
    refuse(errc::invalid_argument, at, "'" + excerpt(text) + "' is not a decimal number of 34 digits");
  }
  return bson_append_decimal128(target_, at.name.data(), length(at.name), &number);
}

bool writer::binary(const special& found, const place& at) {
  constexpr std::uint8_t nothing = 0;
  return bson_append_binary(target_, at.name.data(), length(at.name), static_cast<bson_subtype_t>(found.subtype),
                            found.data.empty() ? &nothing : found.data.data(),
                            static_cast<std::uint32_t>(found.data.size()));
}

bool writer::scoped_code(const special& found, const std::string& text, const place& at) {
  if (at.level > most_levels_written) refuse(errc::invalid_value, at, "documents are nested too deep");
  bson_document scope;
  writer(scope.get()).members(*found.scope, &at);
  return bson_append_code_with_scope(target_, at.name.data(), length(at.name), text.c_str(), scope.get());
}

bool writer::append(const special& found, const place& at) {
  const char* const name = at.name.data();
  const int size = length(at.name);
  bson_oid_t id;
  bson_oid_init_from_data(&id, found.id.data());
  const std::string text(found.text);  // libbson wants an end to it
  if (text.contains('\0') && found.kind != kind::symbol) {
    refuse(errc::invalid_argument, at, "it must not hold a NUL character");
  }
  switch (found.kind) {
    case kind::none:
      break;
    case kind::object_id:
      return bson_append_oid(target_, name, size, &id);
    case kind::date:
      return bson_append_date_time(target_, name, size, found.integer);
    case kind::int32:
      return bson_append_int32(target_, name, size, static_cast<std::int32_t>(found.integer));
    case kind::int64:
      return bson_append_int64(target_, name, size, found.integer);
    case kind::real:
      return bson_append_double(target_, name, size, found.real);
    case kind::decimal:
      return decimal(text, at);
    case kind::binary:
      return binary(found, at);
    case kind::regex:
      return bson_append_regex(target_, name, size, text.c_str(), std::string(found.options).c_str());
    case kind::timestamp:
      return bson_append_timestamp(target_, name, size, found.seconds, found.increment);
    case kind::code:
      return bson_append_code(target_, name, size, text.c_str());
    case kind::scoped_code:
      return scoped_code(found, text, at);
    case kind::symbol:
      return bson_append_symbol(target_, name, size, text.data(), length(text));
    case kind::undefined:
      return bson_append_undefined(target_, name, size);
    case kind::min_key:
      return bson_append_minkey(target_, name, size);
    case kind::max_key:
      return bson_append_maxkey(target_, name, size);
    case kind::pointer:
      return bson_append_dbpointer(target_, name, size, text.c_str(), &id);
  }
  return false;
}

}  // namespace

void append_members(bson_t* target, const json::object& source) { writer(target).members(source, nullptr); }

void append_value(bson_t* target, std::string_view name, const json::value& value) {
  writer(target).value(value, place{nullptr, name, 1});
}

void append_elements(bson_t* target, const json::array& source) { writer(target).elements(source, nullptr); }

}  // namespace polypool::mongodb
