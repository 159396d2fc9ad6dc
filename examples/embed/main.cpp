// SPDX-License-Identifier: Apache-2.0
// An in-memory SQLite through a manager that knows no other driver.
#include <polypool/manager.hpp>
#include <polypool/sqlite.hpp>

#include <cstdint>
#include <iostream>
#include <string>
#include <utility>

int main() {
  polypool::config::settings settings;
  settings.connections.push_back(polypool::config::connection_from_url("books", "sqlite::memory:"));
  settings.connections.front().overrides.max_open_conns = 1;  // every session has a memory of its own

  polypool::manager_options options;
  options.drivers.push_back(polypool::sqlite::make_driver());
  polypool::manager mgr(std::move(settings), std::move(options));
  mgr.connect();

  auto db = mgr.sql("books");
  db.execute_script("CREATE TABLE books(id INTEGER PRIMARY KEY, title TEXT NOT NULL)");
  {
    auto tx = db.begin();
    tx.execute("INSERT INTO books(title) VALUES ($1)", "The C Programming Language");
    tx.execute("INSERT INTO books(title) VALUES ($1)", "Database Internals");
    tx.commit();
  }
  {
    auto tx = db.begin();
    tx.execute("DELETE FROM books");
  }  // not committed: rolled back

  for (auto row : db.query("SELECT id, title FROM books ORDER BY id"))
    std::cout << row.get<std::int64_t>("id") << ": " << row.get<std::string>("title") << '\n';
}
