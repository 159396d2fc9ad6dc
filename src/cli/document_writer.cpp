// SPDX-License-Identifier: Apache-2.0
#include "cli/document_writer.hpp"

#include "base/plain_json.hpp"
#include "cli/exit_codes.hpp"
#include "cli/table.hpp"

#include <boost/json/stream_parser.hpp>

#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <vector>

namespace polypool::cli {
namespace {

namespace json = boost::json;

// Text as it is, anything else as JSON.
std::string cell_text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : plain_json(value);
}

class json_documents final : public document_writer {
 public:
  explicit json_documents(std::ostream& out) : out_(out) {}
  void begin() override { out_ << '['; }
  void add(const document& each) override {
    out_ << (first_ ? "\n  " : ",\n  ") << plain_json(each);
    first_ = false;
  }
  void end() override { out_ << (first_ ? "]\n" : "\n]\n"); }

 private:
  std::ostream& out_;
  bool first_ = true;
};

// Keeps all documents, and their fields in the order in which they first came.
class kept_documents : public document_writer {
 public:
  void begin() override {}
  void add(const document& each) override {
    for (const auto& field : each) {
      if (std::ranges::find(fields_, field.key()) == fields_.end()) fields_.emplace_back(field.key());
    }
    documents_.push_back(each);
  }

 protected:
  std::vector<std::string> fields_;
  std::vector<document> documents_;
};

class table_documents final : public kept_documents {
 public:
  table_documents(std::ostream& out, const terminal& where) : out_(out), where_(where) {}
  void end() override {
    std::vector<table::heading> headings;
    for (const auto& field : fields_) headings.push_back({.text = printable(field), .right = false});
    table all(std::move(headings));
    for (const auto& each : documents_) {
      std::vector<cell> line;
      for (const auto& field : fields_) {
        const auto* value = each.if_contains(field);
        line.push_back(value == nullptr ? cell() : cell{.text = printable(cell_text(*value)), .how = style::plain});
      }
      all.add(std::move(line));
    }
    if (!fields_.empty()) all.print(out_, where_);
    const auto count = documents_.size();
    out_ << where_.paint("(" + std::to_string(count) + (count == 1 ? " document)" : " documents)"), style::dim) << '\n';
  }

 private:
  std::ostream& out_;
  terminal where_;
};

class csv_documents final : public kept_documents {
 public:
  explicit csv_documents(std::ostream& out) : out_(out) {}
  void end() override {
    if (fields_.empty()) return;
    for (std::size_t i = 0; i < fields_.size(); ++i) out_ << (i > 0 ? "," : "") << csv_cell(fields_[i]);
    out_ << '\n';
    for (const auto& each : documents_) {
      for (std::size_t i = 0; i < fields_.size(); ++i) {
        const auto* value = each.if_contains(fields_[i]);
        out_ << (i > 0 ? "," : "");
        if (value != nullptr && !value->is_null()) out_ << csv_cell(cell_text(*value));
      }
      out_ << '\n';
    }
  }

 private:
  std::ostream& out_;
};

}  // namespace

std::unique_ptr<document_writer> make_document_writer(row_format format, std::ostream& out, const terminal& where) {
  switch (format) {
    case row_format::json:
      return std::make_unique<json_documents>(out);
    case row_format::csv:
      return std::make_unique<csv_documents>(out);
    case row_format::table:
      break;
  }
  return std::make_unique<table_documents>(out, where);
}

void write_document(const document& answer, row_format format, std::ostream& out) {
  if (format == row_format::json) {
    out << plain_json(answer) << '\n';
    return;
  }
  for (const auto& field : answer) {
    if (format == row_format::csv) {
      out << csv_cell(field.key()) << ',' << csv_cell(cell_text(field.value())) << '\n';
    } else {
      out << printable(field.key()) << ": " << printable(cell_text(field.value())) << '\n';
    }
  }
}

document command_document(std::string_view text) {
  constexpr const char* hint = R"(for example: {"find": "articles", "filter": {"author": "Ada"}})";
  json::stream_parser parser;
  boost::system::error_code wrong;
  const auto read = parser.write_some(text.data(), text.size(), wrong);
  if (!wrong && parser.done() && text.substr(read).find_first_not_of(" \t\r\n") != text.npos) {
    wrong = json::error::extra_data;
  }
  if (!wrong) parser.finish(wrong);
  if (wrong) {
    throw command_error(usage, "the command is no JSON: " + wrong.message() + " at byte " + std::to_string(read), hint);
  }
  auto value = parser.release();
  if (!value.is_object() || value.get_object().empty()) {
    throw command_error(usage, "a MongoDB command is a JSON object whose first field names it", hint);
  }
  return std::move(value.get_object());
}

bool gives_cursor(const document& command) {
  constexpr std::array<std::string_view, 4> with_cursor{"find", "aggregate", "listCollections", "listIndexes"};
  return std::ranges::find(with_cursor, std::string_view(command.begin()->key())) != with_cursor.end();
}

}  // namespace polypool::cli
