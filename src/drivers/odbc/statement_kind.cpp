// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/statement_kind.hpp"

#include "driver/postgres_words.hpp"

#include <algorithm>
#include <array>

namespace polypool::odbc {
namespace {

using token_kind = sql_token::token_kind;

bool is_one_of(const sql_token& token, std::initializer_list<std::string_view> words) noexcept {
  return token.kind == token_kind::word &&
         std::ranges::any_of(words, [&](std::string_view word) { return same_word(token.text, word); });
}

// What the first two words of a statement do with the transaction.
transaction_effect effect_of(const sql_token& first, const sql_token& second, brand database) noexcept {
  using enum transaction_effect;
  if (is_one_of(first, {"begin"})) {
    const bool named = is_one_of(second, {"tran", "transaction"});
    if (database == brand::mssql) return named ? begins : none;  // else it is a block
    return begins;
  }
  if (is_one_of(first, {"start"})) return is_one_of(second, {"transaction"}) ? begins : none;
  if (is_one_of(first, {"commit", "end"})) return is_one_of(second, {"prepared"}) ? none : commits;
  if (is_one_of(first, {"abort"})) return rolls_back;
  return none;
}

transaction_effect effect_of_rollback(sql_scanner words, brand database) noexcept {
  using enum transaction_effect;
  auto word = words.next();
  const bool named = is_one_of(word, {"tran", "transaction", "work"});
  if (named) word = words.next();
  if (is_one_of(word, {"to"})) return undoes;
  if (is_one_of(word, {"prepared"})) return none;
  // SQL Server names a savepoint, or the transaction, without TO.
  if (database == brand::mssql && named && word.kind != token_kind::end && !word.is(';')) return unclear;
  return rolls_back;
}

// Words of T-SQL that may leave something behind, wherever they stand. A temporary table's name begins with #.
bool leaves_state_in_sql_server(const sql_token& token, bool updating) noexcept {
  if (token.is('#')) return true;
  if (is_one_of(token, {"set"})) return !updating;
  return is_one_of(token, {"use", "exec", "execute", "cursor", "revert", "setuser", "openrowset", "dbcc", "bulk",
                           "sp_getapplock", "sp_set_session_context"});
}

bool leaves_state_in_sqlite(const sql_token& token) noexcept {
  return is_one_of(token, {"pragma", "attach", "detach", "temp", "temporary", "load_extension"});
}

// Of a database whose words are not known only the plainest statements are trusted.
bool is_plain(const sql_token& first) noexcept {
  return is_one_of(first, {"select", "insert", "update", "delete", "merge", "with", "values", "begin", "start",
                           "commit", "rollback", "savepoint", "release", "drop", "truncate", "grant"});
}

bool ends_with_block(brand database) noexcept { return database == brand::sqlite; }

class judge {
 public:
  judge(std::string_view text, const profile& with) noexcept : with_(with), words_(text, with.dialect()) {}

  statement_kind run() {
    const auto first = words_.next();
    const sql_scanner behind_first = words_;
    out_.repeats = is_one_of(first, {"select", "insert", "update", "delete", "merge", "with", "values", "replace"});
    out_.inserts = is_one_of(first, {"insert", "replace"});
    creates_ = is_one_of(first, {"create"});
    auto token = words_.next();
    out_.transaction = is_one_of(first, {"rollback"}) ? effect_of_rollback(behind_first, with_.database)
                                                      : effect_of(first, token, with_.database);
    if (with_.database == brand::other) out_.leaves_state = !is_plain(first) && !(creates_ && !mentions_temporary());
    look_at(first);
    for (; token.kind != token_kind::end; token = words_.next()) look_at(token);
    if (out_.several && out_.transaction != transaction_effect::none) out_.transaction = transaction_effect::unclear;
    if (out_.leaves_state && with_.database != brand::postgres) out_.needs_reopening = true;
    return out_;
  }

 private:
  bool mentions_temporary() const {
    sql_scanner ahead = words_;
    for (auto token = ahead.next(); token.kind != token_kind::end; token = ahead.next()) {
      if (is_one_of(token, {"temp", "temporary", "global", "local"})) return true;
    }
    return false;
  }
  void look_at(const sql_token& token) {
    if (ended_ && !token.is(';')) {
      out_.several = !creates_;  // the body of a trigger or function has semicolons of its own
      if (!creates_ && is_one_of(token, {"begin", "start", "commit", "rollback", "end", "abort", "savepoint"})) {
        out_.transaction = transaction_effect::unclear;
      }
    }
    ended_ = token.is(';');
    if (with_.database == brand::mssql) look_at_sql_server(token);
    if (with_.database == brand::sqlite && leaves_state_in_sqlite(token)) out_.leaves_state = true;
  }
  void look_at_sql_server(const sql_token& token) {
    if (is_one_of(token, {"update", "merge"})) updating_ = true;
    if (leaves_state_in_sql_server(token, updating_)) out_.leaves_state = true;
    // Statements need no semicolons between them, and a procedure may do anything.
    const bool control = is_one_of(token, {"tran", "transaction", "commit", "rollback", "exec", "execute"});
    if (control && seen_ > 1) out_.transaction = transaction_effect::unclear;
    if (is_one_of(token, {"exec", "execute"})) out_.transaction = transaction_effect::unclear;
    ++seen_;
  }

  const profile& with_;
  sql_scanner words_;
  statement_kind out_;
  bool ended_ = false;     // a semicolon came
  bool updating_ = false;  // the SET that comes is a part of UPDATE
  bool creates_ = false;
  int seen_ = 0;
};

}  // namespace

statement_kind kind_of(std::string_view text, const profile& with) {
  statement_kind out = judge(text, with).run();
  if (with.database != brand::postgres) return out;
  const auto known = postgres::kind_of(text);
  out.leaves_state = known.leaves_state;
  out.asks_read_only = known.asks_read_only;
  out.needs_reopening = known.prepares || known.deallocates_all;
  if (out.leaves_state) {
    sql_scanner words(text, with.dialect());
    for (auto token = words.next(); token.kind != token_kind::end; token = words.next()) {
      // set_config may name it in a literal, and so may DO.
      if (is_one_of(token, {"timezone", "zone", "set_config", "do", "call"})) out.moves_zone = true;
    }
  }
  return out;
}

std::vector<std::string_view> split_script(std::string_view text, const profile& with) {
  std::vector<std::string_view> out;
  sql_scanner words(text, with.dialect());
  const char* begin = nullptr;
  bool trigger = false;  // its body stands between BEGIN and END
  bool creates = false;
  int depth = 0;
  const auto finish = [&](const char* end) {
    if (begin != nullptr) out.emplace_back(begin, static_cast<std::size_t>(end - begin));
    begin = nullptr;
    trigger = creates = false;
    depth = 0;
  };
  for (auto token = words.next(); token.kind != token_kind::end; token = words.next()) {
    if (token.is(';')) {
      if (!trigger || depth <= 0) finish(token.text.data());
      continue;
    }
    if (begin == nullptr) {
      begin = token.text.data();
      creates = is_one_of(token, {"create"});
    }
    if (creates && ends_with_block(with.database) && is_one_of(token, {"trigger"})) trigger = true;
    if (trigger && is_one_of(token, {"begin", "case"})) ++depth;
    if (trigger && is_one_of(token, {"end"})) --depth;
  }
  finish(text.data() + text.size());
  return out;
}

bool is_one_batch(std::string_view text, const profile& with) noexcept {
  if (with.database != brand::mssql) return false;
  sql_scanner words(text, with.dialect());
  bool began = false;
  for (auto token = words.next(); token.kind != token_kind::end; token = words.next()) {
    if (token.kind == token_kind::word && token.text.starts_with('@') && !token.text.starts_with("@@")) return true;
    if (is_one_of(token, {"if", "while", "try", "declare", "goto"})) return true;
    if (began && !is_one_of(token, {"tran", "transaction", "distributed"})) return true;
    began = is_one_of(token, {"begin"});
  }
  return false;
}

}  // namespace polypool::odbc
