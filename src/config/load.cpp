// SPDX-License-Identifier: Apache-2.0
#include "config/reader.hpp"

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

namespace polypool::config {
namespace {

namespace fs = std::filesystem;

struct file_closer {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

/// A whole file; nothing (after a complaint) when it can't be read.
std::optional<std::string> contents_of(const fs::path& path, problem_list& problems) {
  const auto complain = [&](std::string what) {
    problems.add({problems.add_file(path.string()), 0, 0}, {}, std::move(what));
    return std::nullopt;
  };
  std::error_code ignored;
  const auto status = fs::status(path, ignored);
  if (status.type() == fs::file_type::not_found) return complain("there is no such file");
  if (fs::is_directory(status)) return complain("is a directory; a file is expected");
  const std::unique_ptr<std::FILE, file_closer> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return complain("cannot be opened: " + std::generic_category().message(errno));
  std::string text;
  constexpr std::size_t step = 256UZ * 1024;
  while (true) {
    const auto before = text.size();
    text.resize(before + step);
    const auto count = std::fread(text.data() + before, 1, step, file.get());
    text.resize(before + count);
    if (count < step || text.size() > most_bytes) break;
  }
  if (std::ferror(file.get()) != 0) return complain("cannot be read: " + std::generic_category().message(errno));
  return text;
}

/// What stands under the root key, or the whole document when it has the fields themselves; null after a complaint.
node under_root(node document, problem_list& problems) {
  if (document.is_null()) return document;
  if (!document.is_map()) {
    problems.add(document.where, {}, "is " + std::string(document.what()) + "; a configuration is a map of fields");
    return {};
  }
  auto* dbmanager = document.find("dbmanager");
  auto* polypool = document.find("polypool");
  if (dbmanager != nullptr && polypool != nullptr) {
    problems.add(polypool->where, "polypool", "stands beside 'dbmanager', which means the same; one of them has to go");
    return {};
  }
  if (dbmanager == nullptr && polypool == nullptr) return document;
  // Other keys may be an application's own, but these were meant for here.
  const std::string_view root = dbmanager == nullptr ? "polypool" : "dbmanager";
  for (const auto& child : document.children) {
    if (child.key != "connections" && child.key != "default_connection" && child.key != "environments") continue;
    problems.add(child.where, child.key, "stands beside '" + std::string(root) + "' and not in it; indent it");
  }
  node inner = std::move(dbmanager == nullptr ? *polypool : *dbmanager);
  if (inner.is_map()) return inner;
  const auto what = inner.is_null() ? "is empty" : "is " + std::string(inner.what()) + "; a map of fields is expected";
  problems.add(inner.where, std::string(root), what);
  return {};
}

std::string chosen_environment(const load_options& options) {
  if (!options.environment.empty() || !options.variables) return options.environment;
  return options.variables("POLYPOOL_ENV").value_or("");
}

bool is_plain(std::string_view name) {
  return std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

/// Reads a document down to its fields, with connections by name.
node read_layer(std::string_view text, std::string_view name, problem_list& problems) {
  const auto before = problems.size();
  auto document = read_document(text, name, notation_of(name), problems);
  if (document.is_null() && problems.size() == before) {
    problems.add({problems.add_file(name), 0, 0}, {}, "is empty; a configuration has at least 'connections'");
  }
  auto root = under_root(std::move(document), problems);
  name_connections(problems, root);
  return root;
}

/// Lays the chosen part of `environments` over the rest. False when there is that section, and it is not in it.
bool lay_section_over(node& root, const std::string& environment, problem_list& problems) {
  auto* section = root.find("environments");
  if (section == nullptr || section->is_null()) return true;
  if (!section->is_map()) {
    problems.add(section->where, "environments", "is " + std::string(section->what()) + "; a map by name is expected");
    return true;
  }
  for (const auto& child : section->children) {
    if (child.value.is_map() || child.value.is_null()) continue;
    problems.add(child.where, inside("environments", child.key),
                 "is " + std::string(child.value.what()) + "; a map of fields is expected");
  }
  auto* found = environment.empty() ? nullptr : section->find(environment);
  if (found == nullptr) return environment.empty();
  if (!found->is_map()) return true;
  node chosen = std::move(*found);
  name_connections(problems, chosen);
  std::erase_if(root.children, [](const entry& e) { return e.key == "environments"; });
  if (auto* nested = chosen.find("environments")) {
    problems.add(nested->where, "environments", "an environment has no environments of its own");
  }
  lay_over(root, std::move(chosen));
  return true;
}

std::string known_environments(const node& root) {
  std::vector<std::string_view> names;
  if (const auto* section = root.find("environments")) {
    for (const auto& child : section->children) names.push_back(child.key);
  }
  return names.empty() ? "none" : joined(names);
}

settings finish(const node& root, const load_options& options, problem_list& problems) {
  settings out;
  if (root.is_map()) {
    reading with{problems, options.variables};
    out = read_settings(with, root);
  }
  problems.throw_if_any();
  return out;
}

/// The file for one environment: `polypool.production.yaml` beside `polypool.yaml`.
fs::path overlay_of(const fs::path& file, const std::string& environment) {
  return file.parent_path() / (file.stem().string() + "." + environment + file.extension().string());
}

void complain_unknown(const node& root, const std::string& environment, const std::string& also,
                      problem_list& problems) {
  const auto* section = root.find("environments");
  problems.add(section == nullptr ? root.where : section->where, "environments",
               "there is no environment " + shown(environment) + also + "; there are: " + known_environments(root));
}

}  // namespace

settings load(const fs::path& file, const load_options& options) {
  problem_list problems;
  const auto environment = chosen_environment(options);
  if (!is_plain(environment)) {
    problems.add({problems.add_file(file.string()), 0, 0}, {},
                 "environment " + shown(environment) + " is not a name; allowed: letters, digits, _ and -");
    problems.throw_if_any();
  }
  auto text = contents_of(file, problems);
  if (!text) problems.throw_if_any();
  auto root = read_layer(*text, file.string(), problems);
  text.reset();
  const bool in_section = lay_section_over(root, environment, problems);
  if (!environment.empty()) {
    const auto overlay = overlay_of(file, environment);
    std::error_code failed;
    if (fs::exists(overlay, failed)) {
      if (const auto more = contents_of(overlay, problems)) {
        auto over = read_layer(*more, overlay.string(), problems);
        if (const auto* nested = over.find("environments")) {
          problems.add(nested->where, "environments", "the file of one environment has no environments of its own");
        }
        lay_over(root, std::move(over));
      }
    } else if (!in_section) {
      complain_unknown(root, environment, " and no file " + overlay.filename().string(), problems);
    }
  }
  return finish(root, options, problems);
}

settings parse(std::string_view text, std::string_view name, const load_options& options) {
  problem_list problems;
  const auto environment = chosen_environment(options);
  auto root = read_layer(text, name, problems);
  if (!lay_section_over(root, environment, problems)) complain_unknown(root, environment, "", problems);
  return finish(root, options, problems);
}

}  // namespace polypool::config
