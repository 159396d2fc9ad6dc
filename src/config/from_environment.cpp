// SPDX-License-Identifier: Apache-2.0
#include "config/reader.hpp"

#include <cstdlib>
#include <utility>

namespace polypool::config {
namespace {

/// `database` is `_DB_NAME` and `dsn` is `_DB_URL`, as is usual there; a connection's name is the prefix.
std::string variable_of(const std::string& start, std::string_view field) {
  if (field == "database") return start + "NAME";
  if (field == "dsn") return start + "URL";
  return start + upper_case(field);
}

/// The variables without which a connection of this type makes no sense.
std::vector<std::string_view> required(database_type type) {
  switch (type) {
    case database_type::sqlite:
      return {"filepath"};
    case database_type::postgres:
    case database_type::mysql:
    case database_type::mssql:
      return {"host", "user", "password", "database"};
    case database_type::mongodb:
      return {"host", "database"};
    default:
      return {"host"};
  }
}

class variables_reader {
 public:
  variables_reader(std::string_view prefix, const variable_lookup& variables)
      : name_(lower_case(prefix)), start_(upper_case(prefix) + "_DB_"), variables_(variables) {
    std::ranges::replace(start_, '-', '_');
  }

  connection read() {
    for (std::size_t i = 0; i < fields_.size(); ++i) take(i);
    if (!draft_.dsn && !refused_.any()) check_required();
    if (!draft_.dsn && !draft_.type) draft_.type = type();
    std::optional<connection> made;
    if (problems_.empty()) {
      made = assemble(std::move(draft_), name_, tuning(), given_, [this](std::string_view field, std::string what) {
        complain(variable_of(start_, field), std::move(what));
      });
    }
    problems_.throw_if_any();
    return std::move(made.value());
  }

 private:
  void complain(std::string variable, std::string what) {
    problems_.add(nowhere_, "environment variable " + std::move(variable), std::move(what));
  }

  void take(std::size_t index) {
    const auto& one = fields_[index];
    if (one.name == "name") return;
    const auto variable = variable_of(start_, one.name);
    const auto value = variables_ ? variables_(variable) : std::nullopt;
    if (!value) return;
    // An empty variable is one that was not filled in; only a password may be meant to be empty.
    if (value->empty() && one.name != "password") return;
    given_[index] = true;
    if (const auto done = one.set(draft_, *value); !done) {
      refused_[index] = true;
      complain(variable,
               (one.is_secret ? "" : shown(*value) + " ") + done.error().why + "; allowed: " + done.error().allowed);
    }
  }

  bool is_given(std::string_view name) const {
    return given_[static_cast<std::size_t>(find_field(fields_, name) - fields_.data())];
  }

  /// A file and no host is SQLite, whoever leaves the type out.
  database_type type() const {
    const bool file_only = is_given("filepath") && !is_given("host");
    return draft_.type.value_or(file_only ? database_type::sqlite : database_type::postgres);
  }

  void check_required() {
    std::string missing;
    for (const auto name : required(type())) {
      if (is_given(name)) continue;
      if (!missing.empty()) missing += ", ";
      missing += variable_of(start_, name);
      if (name == "password") missing += " (may be empty)";
    }
    if (missing.empty()) return;
    problems_.add(nowhere_, "environment variables " + start_ + "*",
                  "not set: " + missing + "; set them, or " + start_ + "URL");
  }

  std::string name_;
  std::string start_;
  const variable_lookup& variables_;
  std::span<const field<connection_draft>> fields_ = connection_fields();
  problem_list problems_;
  position nowhere_{problems_.add_file(""), 0, 0};
  connection_draft draft_;
  field_bits given_;
  field_bits refused_;
};

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

connection build_config_from_env(std::string_view prefix, const variable_lookup& variables) {
  if (auto wrong = wrong_name(prefix); !wrong.empty()) {
    problem one;
    one.what = std::move(wrong);
    throw configuration_error({std::move(one)});
  }
  return variables_reader(prefix, variables).read();
}

std::optional<std::vector<connection>> connections_from_databases_variable(const variable_lookup& variables) {
  const auto text = variables ? variables("DATABASES") : std::nullopt;
  if (!text || text->empty()) return std::nullopt;
  problem_list problems;
  // As if it were the connections of a file, so that a list with names is read, too.
  node root;
  root.type = node::kind::map;
  root.children.push_back(
      {"connections", {}, read_document(*text, "environment variable DATABASES", notation::json, problems)});
  problems.throw_if_any();
  name_connections(problems, root);
  const auto& map = root.children.front().value;
  reading with{problems, variables};
  std::vector<connection> made;
  if (map.is_map()) {
    made = read_connections(with, map, tuning());
  } else {
    problems.add(map.where, {},
                 "is " + std::string(map.what()) + "; an object of name and URL, or name and fields, is expected");
  }
  problems.throw_if_any();
  return made;
}

}  // namespace polypool::config
