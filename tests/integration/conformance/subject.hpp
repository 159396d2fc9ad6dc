// SPDX-License-Identifier: Apache-2.0
// The databases that the conformance tests run on: one body of tests, and here what differs from database to database.
//
// A driver takes part with a file NAME_subject.cpp beside this one that holds an `add_subject` (see
// sqlite_subject.cpp); it is compiled when the build has all drivers that NAME names: odbc_postgres_subject.cpp wants
// two.
#pragma once

#include <polypool/config.hpp>
#include <polypool/driver.hpp>

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace polypool::test {

/// A database of one test's own, gone with it.
class subject_place {
 public:
  virtual ~subject_place() = default;
  /// How to connect to it. Named "db".
  virtual config::connection connection() const = 0;
  /// Ends the test's sessions on the server, where it would notice late by itself that their clients are gone.
  virtual void end_all() {}
  /// Waits until the server has no session of the test's any more. @return false when that never came
  virtual bool becomes_quiet() { return true; }
};

struct subject {
  std::string name;  ///< of letters and digits: it becomes part of the tests' names
  /// Why it cannot be tested here; empty when it can.
  std::function<std::string()> why_not;
  std::function<std::unique_ptr<subject_place>()> open;
  std::function<std::shared_ptr<driver>()> make_driver;

  /// The SQL type for values of a type; what is not there, the database has not.
  std::map<data_type, std::string> types;
  /// Something to select `n` from, with this many rows: 1, 2, 3 …
  std::function<std::string(int)> series;
  /// Puts a name in quotes.
  std::function<std::string(const std::string&)> quoted;
  /// A SELECT that takes a minute, and can be cancelled.
  std::string slow;
  /// Tells sessions apart; empty where there is nothing to tell them by.
  std::string session_id;
  /// Statements that leave something behind in a session, each with a query whose (first) answer shows it. A query that
  /// fails is an answer, too.
  std::vector<std::pair<std::string, std::string>> traces;
  /// NUMERIC of any length comes back exactly (SQLite makes long ones REAL).
  bool exact_numerics = true;
  /// Text that is no number is refused by a column of numbers.
  bool strict_types = true;
  bool read_only_transactions = true;
  /// A reset may make a new connection underneath.
  bool reset_keeps_session = true;
  /// A SELECT runs when it is sent, not only as its rows are fetched.
  bool selects_run_at_once = true;
  /// A text may be several statements, since nothing separates them reliably (T-SQL).
  bool batches = false;
  /// An error in a transaction spoils all of it.
  bool errors_end_transactions = false;
  /// Its endpoint is a host and a TCP port.
  bool network = true;

  friend void PrintTo(const subject& what, std::ostream* out) { *out << what.name; }
};

/// For the subjects' own files: `static const bool added = add_subject({...});`.
bool add_subject(subject added);
const std::vector<subject>& all_subjects();

}  // namespace polypool::test
