// SPDX-License-Identifier: Apache-2.0
// What the test server understands of T-SQL, run by an SQLite database.
#pragma once

#include "support/tds_values.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace polypool::test {

/// An error as SQL Server reports it.
struct tds_error : std::runtime_error {
  tds_error(int error_number, int error_class, const std::string& text)
      : std::runtime_error(text), number(error_number), severity(error_class) {}
  int number;
  int severity;
};
/// The client has asked to stop.
struct tds_attention : std::runtime_error {
  tds_attention() : std::runtime_error("attention") {}
};

struct tds_column {
  std::string name;
  tds_type type;
};
using tds_parameters = std::map<std::string, tds_value, std::less<>>;

/// Where the results of a batch go.
class tds_results {
 public:
  virtual ~tds_results() = default;
  virtual void columns(const std::vector<tds_column>& all) = 0;
  virtual void row(const std::vector<tds_value>& values) = 0;
  /// A statement is done. @param counted rows is a count
  virtual void done(std::uint64_t rows, bool counted) = 0;
  /// A statement has failed, and the batch goes on.
  virtual void failed(const tds_error& problem) = 0;
  virtual void transaction_began(std::uint64_t descriptor) = 0;
  virtual void transaction_ended(std::uint64_t descriptor, bool committed) = 0;
  /// Whether the client has asked to stop; waits for it for that long.
  virtual bool attention_within(int milliseconds) = 0;
};

/// One session's view of the database. Its statements are T-SQL as far as tests need it, and SQLite's SQL beyond that.
class tds_database {
 public:
  /// @param file that sessions share @param number the session's
  tds_database(const std::string& file, int number);
  ~tds_database();
  tds_database(const tds_database&) = delete;
  tds_database& operator=(const tds_database&) = delete;

  /// Runs the statements of a batch. Throws tds_error, tds_attention; what was done before stays done.
  void run(std::string_view batch, const tds_parameters& parameters, tds_results& results);
  void read_only(bool on) noexcept { read_only_ = on; }
  /// It is in an availability group, that far behind its primary. @param milliseconds less than 0: in no group
  void replica_behind(int milliseconds);

 private:
  struct functions;
  friend struct functions;
  void run_statement(std::string_view text, const tds_parameters& parameters, tds_results& results);
  bool run_special(const std::vector<std::string>& words, tds_results& results);
  void run_procedure(const std::vector<std::string>& words, tds_results& results);
  bool run_transaction(const std::vector<std::string>& words, tds_results& results);
  void wait_for(std::string_view delay, tds_results& results);
  void roll_back(tds_results& results);
  void execute(const std::string& sql);
  void run_sql(const std::string& sql, const tds_parameters& parameters, tds_results& results);
  bool step(sqlite3_stmt* statement);
  [[noreturn]] void fail(int code);

  sqlite3* db_ = nullptr;
  int number_;
  int depth_ = 0;  // @@TRANCOUNT
  std::uint64_t transaction_ = 0;
  std::uint64_t next_transaction_ = 1;
  bool read_only_ = false;
  int replica_behind_ = -1;
  bool knows_groups_ = false;  // has the view that tells of them
  std::string isolation_ = "READ COMMITTED";
  std::map<std::string, std::string> settings_;  // what SET leaves behind
  tds_results* running_ = nullptr;
  bool interrupted_ = false;
};

/// A batch's statements, and the words of one.
std::vector<std::string_view> tds_statements(std::string_view batch);
std::vector<std::string> tds_words(std::string_view statement);
/// T-SQL in SQLite's words.
std::string tds_translated(std::string_view statement);

}  // namespace polypool::test
