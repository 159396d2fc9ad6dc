// SPDX-License-Identifier: Apache-2.0
#include "cli/row_writers.hpp"

#include "base/plain_json.hpp"
#include "base/utf8.hpp"
#include "cli/table.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <ostream>
#include <set>
#include <vector>

namespace polypool::cli {
namespace {

bool is_number(data_type type) noexcept {
  using enum data_type;
  return type == integer || type == unsigned_integer || type == real || type == numeric;
}

bool is_json(std::string_view text) {
  boost::system::error_code wrong;
  boost::json::stream_parser parser;
  parser.write(text.data(), text.size(), wrong);
  if (!wrong) parser.finish(wrong);
  return !wrong;
}

std::string rows_in_words(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " row" : " rows"); }

class table_writer final : public row_writer {
 public:
  table_writer(std::ostream& out, const terminal& where) : out_(out), where_(where) {}
  void begin(const column_list& columns) override {
    for (const column& each : columns) {
      headings_.push_back({.text = printable(each.name), .right = is_number(each.type)});
    }
  }
  void add(const row& each) override {
    std::vector<cell> line;
    for (std::size_t i = 0; i < each.size(); ++i) {
      const field value = each[i];
      // SQLite types values, not columns.
      if (!table_ && is_number(value.type()) && !value.is_null()) headings_[i].right = true;
      line.push_back(value.is_null() ? cell{.text = "<null>", .how = style::dim}
                                     : cell{.text = printable(value.to_display()), .how = style::plain});
    }
    rows_.push_back(std::move(line));
    ++count_;
    if (rows_.size() == part) print_part();
  }
  void end() override {
    print_part();
    out_ << where_.paint("(" + rows_in_words(count_) + ")", style::dim) << '\n';
  }
  void changed(std::uint64_t rows) override { out_ << rows_in_words(rows) << " affected\n"; }

 private:
  static constexpr std::size_t part = 1000;  // rows that are kept, to know the widths

  void print_part() {
    if (!table_) table_.emplace(std::move(headings_));
    for (auto& line : rows_) table_->add(std::move(line));
    rows_.clear();
    table_->print_part(out_, where_);
  }

  std::ostream& out_;
  terminal where_;
  std::vector<table::heading> headings_;  // until the first part
  std::vector<std::vector<cell>> rows_;
  std::optional<table> table_;
  std::uint64_t count_ = 0;
};

class csv_writer final : public row_writer {
 public:
  explicit csv_writer(std::ostream& out) : out_(out) {}
  void begin(const column_list& columns) override {
    for (std::size_t i = 0; i < columns.size(); ++i) put(i, columns[i].name);
    out_ << '\n';
  }
  void add(const row& each) override {
    for (std::size_t i = 0; i < each.size(); ++i) {
      const field value = each[i];
      if (value.is_null()) {
        if (i > 0) out_ << ',';
      } else {
        put(i, value.to_display());
      }
    }
    out_ << '\n';
  }
  void end() override {}
  void changed(std::uint64_t rows) override { out_ << "affected_rows\n" << rows << '\n'; }

 private:
  void put(std::size_t column, std::string_view text) {
    if (column > 0) out_ << ',';
    out_ << csv_cell(text);
  }
  std::ostream& out_;
};

class json_writer final : public row_writer {
 public:
  explicit json_writer(std::ostream& out) : out_(out) {}
  void begin(const column_list& columns) override {
    std::set<std::string> taken;
    for (const column& each : columns) {  // two columns of one name would hide each other
      std::string name = each.name;
      for (int i = 2; !taken.insert(name).second; ++i) name = each.name + "_" + std::to_string(i);
      keys_.push_back(json_string(name));
    }
    out_ << '[';
  }
  void add(const row& each) override {
    out_ << (first_ ? "\n  {" : ",\n  {");
    first_ = false;
    for (std::size_t i = 0; i < each.size(); ++i) {
      out_ << (i > 0 ? ", " : "") << keys_[i] << ": " << to_json(each[i]);
    }
    out_ << '}';
  }
  void end() override { out_ << (first_ ? "]\n" : "\n]\n"); }
  void changed(std::uint64_t rows) override { out_ << "{\"affected_rows\": " << rows << "}\n"; }

 private:
  std::ostream& out_;
  std::vector<std::string> keys_;
  bool first_ = true;
};

}  // namespace

std::unique_ptr<row_writer> make_row_writer(row_format format, std::ostream& out, const terminal& where) {
  switch (format) {
    case row_format::json:
      return std::make_unique<json_writer>(out);
    case row_format::csv:
      return std::make_unique<csv_writer>(out);
    case row_format::table:
      break;
  }
  return std::make_unique<table_writer>(out, where);
}

std::string csv_cell(std::string_view text) {
  if (!text.empty() && text.find_first_of("\",\r\n") == text.npos) return std::string(text);
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"') out += '"';
    out += letter;
  }
  return out + '"';
}

std::string json_string(std::string_view text) {
  return boost::json::serialize(boost::json::value(boost::json::string(to_valid_utf8(text))));
}

bool exact_json_number(std::string_view text) noexcept {
  const auto digit = [](char letter) { return letter >= '0' && letter <= '9'; };
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto whole = std::min(text.find('.'), text.size());
  const auto fraction = text.substr(whole);
  const auto front = text.substr(0, whole);
  const auto digits = front.size() + (fraction.empty() ? 0 : fraction.size() - 1);
  return !front.empty() && std::ranges::all_of(front, digit) && (front.size() == 1 || front[0] != '0') &&
         (fraction.empty() || (fraction.size() > 1 && std::ranges::all_of(fraction.substr(1), digit))) && digits <= 15;
}

std::string to_json(const field& value) {
  if (value.is_null()) return "null";
  switch (value.type()) {
    case data_type::boolean:
      return value.get<bool>() ? "true" : "false";
    case data_type::integer:
    case data_type::unsigned_integer:
      return value.to_display();
    case data_type::real:
      return std::isfinite(value.get<double>()) ? shortest(value.get<double>()) : json_string(value.to_display());
    case data_type::numeric: {
      const std::string text = value.to_display();
      return exact_json_number(text) ? text : json_string(text);
    }
    case data_type::json: {  // a column that SQLite calls JSON may hold anything
      const std::string text = value.to_display();
      return is_json(text) ? text : json_string(text);
    }
    default:
      return json_string(value.to_display());
  }
}

}  // namespace polypool::cli
