// SPDX-License-Identifier: Apache-2.0
// What a reload would change, or what differs between two files.
#include "cli/commands.hpp"
#include "cli/configuration.hpp"
#include "cli/exit_codes.hpp"
#include "cli/http_client.hpp"
#include "cli/terminal.hpp"

#include <polypool/config_changes.hpp>

#include <boost/json.hpp>

#include <iostream>
#include <unistd.h>

namespace polypool::cli {
namespace {

namespace json = boost::json;

std::vector<std::string> between_files(const std::string& before, const std::string& after) {
  std::vector<std::string> lines;
  for (const auto& each : config::compare(find_configuration(before).settings, find_configuration(after).settings)) {
    lines.push_back(each.to_string());
  }
  return lines;
}

std::string text_at(const json::object& from, std::string_view name) {
  const auto* found = from.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

// What the daemon says that its own file would change.
std::vector<std::string> of_daemon(const std::string& url) {
  const auto reply = http_get(url, "/api/admin/reload");
  boost::system::error_code wrong;
  const auto parsed = json::parse(reply.body, wrong);
  if (wrong || !parsed.is_object()) throw command_error(failed, "the daemon's answer is not what was asked for");
  const auto& answer = parsed.as_object();
  if (reply.status != 200) throw command_error(failed, text_at(answer, "error"), text_at(answer, "details"));
  std::vector<std::string> lines;
  const auto* data = answer.if_contains("data");
  const auto* changes = data != nullptr && data->is_object() ? data->as_object().if_contains("changes") : nullptr;
  if (changes == nullptr || !changes->is_array()) throw command_error(failed, "the answer lists no changes");
  for (const auto& each : changes->as_array()) {
    if (each.is_object()) lines.push_back(printable(text_at(each.as_object(), "text")));
  }
  return lines;
}

}  // namespace

int diff(const arguments& given) {
  if (given.text.empty() != given.name.empty()) {
    throw command_error(usage, "two files are compared, or none with --url", "polypool diff old.yaml new.yaml");
  }
  const bool files = !given.name.empty();
  const std::string url = given.url.empty() ? "http://127.0.0.1:8080" : given.url;
  const auto lines = files ? between_files(given.name, given.text) : of_daemon(url);
  const auto out = terminal::of(STDOUT_FILENO);
  for (const auto& line : lines) {
    std::cout << out.paint(line, line.starts_with('+')   ? style::green
                                 : line.starts_with('-') ? style::red
                                                         : style::bold)
              << '\n';
  }
  if (lines.empty()) std::cout << "no changes\n";
  return lines.empty() ? success : failed;
}

}  // namespace polypool::cli
