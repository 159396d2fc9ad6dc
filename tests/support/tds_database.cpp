// SPDX-License-Identifier: Apache-2.0
#include "support/tds_database.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace polypool::test {
namespace {

struct finalize {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using statement_ptr = std::unique_ptr<sqlite3_stmt, finalize>;

std::string unquoted(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != '\'') return std::string(literal);
  std::string out;
  for (std::size_t i = 1; i + 1 < literal.size(); ++i) {
    out += literal[i];
    if (literal[i] == '\'') ++i;
  }
  return out;
}

tds_value value_of(sqlite3_stmt* statement, int column) {
  const auto data = [&](const void* start) {
    return std::string(static_cast<const char*>(start),
                       static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
  };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return static_cast<std::int64_t>(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT:
      return data(sqlite3_column_text(statement, column));
    case SQLITE_BLOB: {
      const void* start = sqlite3_column_blob(statement, column);
      return tds_bytes{start ? data(start) : std::string()};
    }
    default:
      return std::monostate();
  }
}

void bind_value(sqlite3_stmt* statement, int index, const tds_value& value) {
  const auto size = [](const std::string& text) { return static_cast<int>(text.size()); };
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    sqlite3_bind_int64(statement, index, *number);
  } else if (const auto* real = std::get_if<double>(&value)) {
    sqlite3_bind_double(statement, index, *real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    sqlite3_bind_text(statement, index, text->c_str(), size(*text), SQLITE_STATIC);
  } else if (const auto* bytes = std::get_if<tds_bytes>(&value)) {
    sqlite3_bind_blob(statement, index, bytes->data.c_str(), size(bytes->data), SQLITE_STATIC);
  }
}

bool is_procedure_call(const std::string& word) { return word == "exec" || word == "execute"; }
bool is_transaction_word(const std::string& word) { return word == "tran" || word == "transaction"; }

// Errors after which SQL Server goes on with the batch.
bool batch_goes_on(int number) { return number == 2627 || number == 2601 || number == 547 || number == 515; }

constexpr std::string_view try_begin = "BEGIN TRY";
constexpr std::string_view try_end = "END TRY BEGIN CATCH THROW; END CATCH";

}  // namespace

// What SQLite calls while a statement runs.
struct tds_database::functions {
  static tds_database& self(sqlite3_context* context) {
    return *static_cast<tds_database*>(sqlite3_user_data(context));
  }
  static void result_text(sqlite3_context* context, const std::string& text) {
    sqlite3_result_text(context, text.c_str(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }
  static std::string argument(sqlite3_value* value) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
    return text ? text : "";
  }
  static void trancount(sqlite3_context* context, int, sqlite3_value**) {
    sqlite3_result_int(context, self(context).depth_);
  }
  static void spid(sqlite3_context* context, int, sqlite3_value**) {
    sqlite3_result_int(context, self(context).number_);
  }
  static void xact_state(sqlite3_context* context, int, sqlite3_value**) {
    sqlite3_result_int(context, self(context).depth_ > 0 ? 1 : 0);
  }
  static void concat(sqlite3_context* context, int count, sqlite3_value** arguments) {
    std::string out;
    for (int i = 0; i < count; ++i) out += argument(arguments[i]);
    result_text(context, out);
  }
  static void schema_name(sqlite3_context* context, int, sqlite3_value**) { result_text(context, "dbo"); }
  static void db_name(sqlite3_context* context, int, sqlite3_value**) { result_text(context, "test"); }
  static void updateability(sqlite3_context* context, int, sqlite3_value**) {
    result_text(context, self(context).read_only_ ? "READ_ONLY" : "READ_WRITE");
  }
  static void replica_behind(sqlite3_context* context, int, sqlite3_value**) {
    sqlite3_result_int(context, self(context).replica_behind_);
  }
  static void getdate(sqlite3_context* context, int, sqlite3_value**) {  // in days
    const std::chrono::duration<double, std::ratio<86400>> now = std::chrono::system_clock::now().time_since_epoch();
    sqlite3_result_double(context, now.count());
  }
  static void isolation(sqlite3_context* context, int, sqlite3_value**) {
    result_text(context, self(context).isolation_);
  }
  static void setting(sqlite3_context* context, int, sqlite3_value** arguments) {
    const auto& all = self(context).settings_;
    const auto found = all.find(argument(arguments[0]));
    if (found == all.end()) return sqlite3_result_null(context);
    result_text(context, found->second);
  }
  static int progress(void* me) {
    auto& database = *static_cast<tds_database*>(me);
    return database.running_ && database.running_->attention_within(0) ? 1 : 0;
  }
  // Waits for a lock: two seconds at most, or what SET LOCK_TIMEOUT says in milliseconds.
  static int busy(void* me, int attempt) {
    auto& database = *static_cast<tds_database*>(me);
    constexpr int pause = 5;
    const auto found = database.settings_.find("lock_timeout");
    const int most = found == database.settings_.end() ? 2000 : std::stoi(found->second);
    if (attempt * pause >= most) return 0;
    if (database.running_ && database.running_->attention_within(pause)) {
      database.interrupted_ = true;
      return 0;
    }
    return 1;
  }
};

tds_database::tds_database(const std::string& file, int number) : number_(number) {
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(file.c_str(), &db_, flags, nullptr) != SQLITE_OK) {
    sqlite3_close_v2(db_);
    throw std::runtime_error("the test server's database does not open");
  }
  const auto define = [this](const char* name, int count, void (*function)(sqlite3_context*, int, sqlite3_value**)) {
    sqlite3_create_function_v2(db_, name, count, SQLITE_UTF8, this, function, nullptr, nullptr, nullptr);
  };
  define("polypool_trancount", 0, &functions::trancount);
  define("polypool_spid", 0, &functions::spid);
  define("xact_state", 0, &functions::xact_state);
  define("concat", -1, &functions::concat);
  define("schema_name", 0, &functions::schema_name);
  define("db_name", 0, &functions::db_name);
  define("databasepropertyex", 2, &functions::updateability);
  define("db_id", 0, &functions::spid);
  define("getdate", 0, &functions::getdate);
  define("polypool_replica_behind", 0, &functions::replica_behind);
  define("polypool_isolation", 0, &functions::isolation);
  define("polypool_setting", 1, &functions::setting);
  define("session_context", 1, &functions::setting);
  sqlite3_progress_handler(db_, 20000, &functions::progress, this);
  sqlite3_busy_handler(db_, &functions::busy, this);
  try {
    execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON");
  } catch (...) {  // its destructor does not run
    sqlite3_close_v2(db_);
    throw;
  }
}

tds_database::~tds_database() { sqlite3_close_v2(db_); }

void tds_database::replica_behind(int milliseconds) {
  replica_behind_ = milliseconds;
  if (milliseconds < 0 || knows_groups_) return;
  knows_groups_ = true;
  execute("ATTACH ':memory:' AS sys");
  execute(
      "CREATE VIEW sys.dm_hadr_database_replica_states AS SELECT 1 AS synchronization_state, "
      "polypool_replica_behind() > 0 AS redo_queue_size, getdate() - polypool_replica_behind() / 86400000.0 AS "
      "last_commit_time, 1 AS is_local, db_id() AS database_id WHERE polypool_replica_behind() >= 0");
}

void tds_database::run(std::string_view batch, const tds_parameters& parameters, tds_results& results) {
  running_ = &results;
  interrupted_ = false;
  bool tries = false;
  if (const auto end = batch.find(try_end); batch.starts_with(try_begin) && end != std::string_view::npos) {
    batch = batch.substr(try_begin.size(), end - try_begin.size());
    tries = true;
  }
  for (const auto statement : tds_statements(batch)) {
    try {
      run_statement(statement, parameters, results);
    } catch (const tds_error& problem) {
      if (tries || !batch_goes_on(problem.number)) throw;
      results.failed(problem);
    }
  }
}

void tds_database::run_statement(std::string_view text, const tds_parameters& parameters, tds_results& results) {
  if (run_special(tds_words(text), results)) return;
  run_sql(tds_translated(text), parameters, results);
}

// What is not SQLite's. @return false when it is
bool tds_database::run_special(const std::vector<std::string>& words, tds_results& results) {
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string(); };
  if (run_transaction(words, results)) return true;
  if (word(0) == "waitfor") {
    wait_for(unquoted(word(2)), results);
    results.done(0, false);
  } else if (is_procedure_call(word(0))) {
    run_procedure(words, results);
    results.done(0, false);
  } else if (word(0) == "set" && word(1) == "transaction") {
    isolation_ = word(4) + (word(5).empty() ? "" : " " + word(5));
    std::ranges::transform(isolation_, isolation_.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    results.done(0, false);
  } else if (word(0) == "set" || word(0) == "use") {
    settings_[word(0) == "set" ? word(1) : "database"] = unquoted(words.back());
    results.done(0, false);
  } else {
    return false;
  }
  return true;
}

bool tds_database::run_transaction(const std::vector<std::string>& words, tds_results& results) {
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string(); };
  const std::string name = is_transaction_word(word(1)) ? word(2) : std::string();
  if (word(0) == "begin" && is_transaction_word(word(1))) {
    if (depth_ == 0) {
      execute("BEGIN");
      transaction_ = next_transaction_++;
      results.transaction_began(transaction_);
    }
    ++depth_;
  } else if (word(0) == "commit") {
    if (depth_ == 0)
      throw tds_error(3902, 16, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.");
    if (--depth_ == 0) {
      execute("COMMIT");
      results.transaction_ended(transaction_, true);
    }
  } else if (word(0) == "save") {
    execute("SAVEPOINT " + name);
  } else if (word(0) == "rollback") {
    if (depth_ == 0) {
      throw tds_error(3903, 16, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.");
    }
    if (name.empty()) {
      roll_back(results);
    } else {
      execute("ROLLBACK TO " + name);
    }
  } else if (word(0) == "if" && word(1) == "@@trancount" && word(4) == "rollback") {
    if (depth_ > 0) roll_back(results);
  } else {
    return false;
  }
  results.done(0, false);
  return true;
}

void tds_database::roll_back(tds_results& results) {
  if (depth_ == 0) return;
  depth_ = 0;
  if (sqlite3_get_autocommit(db_) == 0) execute("ROLLBACK");
  results.transaction_ended(transaction_, false);
}

void tds_database::run_procedure(const std::vector<std::string>& words, tds_results& results) {
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string(); };
  if (word(1) == "polypool_raise") {  // number, class, 'text'
    const int number = std::stoi(word(2));
    if (number == 1205 || number == 3960) roll_back(results);
    throw tds_error(number, std::stoi(word(4)), unquoted(word(6)));
  }
  if (word(1) == "polypool_hang_up") throw tds_gone();
  if (word(1) == "sp_set_session_context") {
    settings_[unquoted(word(2))] = unquoted(word(4));
    return;
  }
  throw tds_error(2812, 16, "Could not find stored procedure '" + word(1) + "'.");
}

void tds_database::wait_for(std::string_view delay, tds_results& results) {
  unsigned parts[3] = {};
  std::size_t part = 0;
  for (const char c : delay) {
    if (c == ':') {
      part = std::min<std::size_t>(part + 1, 2);
    } else if (c >= '0' && c <= '9') {
      parts[part] = parts[part] * 10 + static_cast<unsigned>(c - '0');
    }
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::hours(parts[0]) + std::chrono::minutes(parts[1]) +
                   std::chrono::seconds(parts[2]);
  while (std::chrono::steady_clock::now() < end) {
    if (results.attention_within(20)) throw tds_attention();
  }
}

void tds_database::execute(const std::string& sql) {
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

// @return true when there is a row
bool tds_database::step(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  if (code != SQLITE_ROW && code != SQLITE_DONE) fail(code);
  return code == SQLITE_ROW;
}

void tds_database::run_sql(const std::string& sql, const tds_parameters& parameters, tds_results& results) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(db_, sql.c_str(), static_cast<int>(sql.size()), &raw, nullptr);
  const statement_ptr statement(raw);
  if (code != SQLITE_OK) fail(code);
  if (raw == nullptr) return;
  if (read_only_ && sqlite3_stmt_readonly(raw) == 0) {
    throw tds_error(3906, 16, "Failed to update database \"test\" because the database is read-only.");
  }
  for (int i = 1; i <= sqlite3_bind_parameter_count(raw); ++i) {
    const auto found = parameters.find(std::string_view(sqlite3_bind_parameter_name(raw, i)));
    if (found == parameters.end()) {
      throw tds_error(137, 15,
                      std::string("Must declare the scalar variable \"") + sqlite3_bind_parameter_name(raw, i) + "\".");
    }
    bind_value(raw, i, found->second);
  }
  bool row = step(raw);
  const int count = sqlite3_column_count(raw);
  if (count == 0) return results.done(static_cast<std::uint64_t>(sqlite3_changes64(db_)), true);
  std::vector<tds_column> columns;
  std::vector<tds_value> values(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const char* declared = sqlite3_column_decltype(raw, i);
    columns.push_back({sqlite3_column_name(raw, i),
                       declared ? tds_type::parse(declared) : tds_type::of(row ? value_of(raw, i) : tds_value())});
  }
  results.columns(columns);
  std::uint64_t rows = 0;
  for (; row; row = step(raw), ++rows) {
    for (int i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = value_of(raw, i);
    results.row(values);
  }
  results.done(rows, true);
}

// What SQLite complains about, as SQL Server would.
void tds_database::fail(int code) {
  const std::string words = sqlite3_errmsg(db_);
  if (depth_ > 0 && sqlite3_get_autocommit(db_) != 0 && running_ != nullptr) {
    depth_ = 0;
    running_->transaction_ended(transaction_, false);
  }
  const auto has = [&](std::string_view part) { return words.find(part) != std::string::npos; };
  const auto after = [&](std::string_view part) {
    return words.substr(std::min(words.find(part) + part.size(), words.size()));
  };
  if ((code & 0xFF) == SQLITE_INTERRUPT || interrupted_) throw tds_attention();
  if (code == SQLITE_BUSY_SNAPSHOT) {
    throw tds_error(3960, 16, "Snapshot isolation transaction aborted due to update conflict.");
  }
  if ((code & 0xFF) == SQLITE_BUSY) throw tds_error(1222, 16, "Lock request time out period exceeded.");
  if (has("UNIQUE constraint")) {
    throw tds_error(2627, 14,
                    "Violation of UNIQUE KEY constraint '" + after("failed: ") + "'. Cannot insert duplicate key.");
  }
  if (has("FOREIGN KEY constraint")) {
    throw tds_error(547, 16, "The statement conflicted with the FOREIGN KEY constraint.");
  }
  if (has("CHECK constraint failed: typeof("))
    throw tds_error(8114, 16, "Error converting data type nvarchar to bigint.");
  if (has("CHECK constraint"))
    throw tds_error(547, 16, "The statement conflicted with the CHECK constraint \"" + after("failed: ") + "\".");
  if (has("NOT NULL constraint")) {
    throw tds_error(
        515, 16, "Cannot insert the value NULL into column '" + after("failed: ") + "'; column does not allow nulls.");
  }
  if (has("no such table: ")) throw tds_error(208, 16, "Invalid object name '" + after("no such table: ") + "'.");
  if (has("no such column: ")) throw tds_error(207, 16, "Invalid column name '" + after("no such column: ") + "'.");
  if (has("no such function: "))
    throw tds_error(195, 15, "'" + after("no such function: ") + "' is not a recognized built-in function name.");
  if (has("already exists"))
    throw tds_error(2714, 16, "There is already an object with that name in the database: " + words);
  if (has("syntax error") || has("incomplete input")) throw tds_error(102, 15, "Incorrect syntax: " + words + ".");
  throw tds_error(50000, 16, words);
}

}  // namespace polypool::test
