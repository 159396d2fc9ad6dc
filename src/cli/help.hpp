// SPDX-License-Identifier: Apache-2.0
#pragma once

// What stands below the options in each command's help.
namespace polypool::cli::help {

inline constexpr const char* overview = R"(Try:
  polypool check polypool.yaml                    is the configuration right?
  polypool health                                 do all databases answer?
  polypool query primary 'SELECT * FROM users'    ask one of them
  polypool serve                                  run the daemon
  polypool top                                    watch it

Exit codes:
  0  done
  1  it failed: a database or the daemon said no, or something is unhealthy
  2  the command line or the configuration is wrong
  3  there is no connection of that name

Colours appear only on a terminal, and not when NO_COLOR is set. Errors go to standard error.
'polypool COMMAND --help' tells more about a command.
)";

inline constexpr const char* serve = R"(Examples:
  polypool serve --config examples/demo.yaml
  polypool serve --listen 127.0.0.1:9000 --log-format json
  MAIN_DB_URL=postgres://user:password@host/shop polypool serve

A connection that fails does not stop the daemon, unless it is critical: then it ends with exit code 1.
It listens on loopback addresses only, because it does not ask who calls.
SIGHUP reads the configuration again and applies what changed; `polypool diff` shows it before.
SIGINT (Ctrl-C) or SIGTERM lets work in progress finish and stops; a second one ends it at once.
)";

inline constexpr const char* check = R"(Examples:
  polypool check polypool.yaml
  polypool check && polypool serve

Each problem is a line `file:line: field: what is wrong`, and the exit code is 2.
)";

inline constexpr const char* diff = R"(Examples:
  polypool diff                                   what the daemon at http://127.0.0.1:8080 would change
  polypool diff --url http://127.0.0.1:9000
  polypool diff polypool.yaml next.yaml           what differs between two files

Lines begin with + (new), - (gone) or ~ (changed, with the fields); values are never shown. The exit code is 0 when
nothing differs, else 1. `kill -HUP` or POST /api/admin/reload applies it.
)";

inline constexpr const char* list = R"(Examples:
  polypool list                                   what the configuration has
  polypool list --url http://127.0.0.1:8080       what a running daemon has
)";

inline constexpr const char* health = R"(Examples:
  polypool health                                 probe all databases from here
  polypool health primary                         only one
  polypool health --url http://127.0.0.1:8080     as the daemon sees them
)";

inline constexpr const char* stats = R"(Examples:
  polypool stats                                  of the daemon at http://127.0.0.1:8080
  polypool stats --url http://127.0.0.1:9000 --format json
  polypool stats --config polypool.yaml           connects from here and shows what that took
)";

inline constexpr const char* top = R"(Examples:
  polypool top
  polypool top --url http://127.0.0.1:9000 --interval 250ms
  polypool top --once                             for scripts

Keys: up and down select, s switches to the selected connection, f fails its group over, r replaces its sessions,
? explains the columns, q quits.
)";

inline constexpr const char* events = R"(Examples:
  polypool events                                 the last 50
  polypool events --follow --kind health-change --kind failover
  polypool events --follow --connection primary --format json

With --follow and --format json, each event is a JSON object on a line of its own.
)";

inline constexpr const char* switch_active = R"(Examples:
  polypool switch analytics
  polypool switch cache2 --redis
)";

inline constexpr const char* failover = R"(Examples:
  polypool failover orders                        to the next member that takes writes
  polypool failover orders --to orders_backup
  polypool failover orders --back                 to the declared primary, as before

It promotes no server: a replica has to be promoted first. Where two members say that they are the primary, it says which
one is right. Calls go to no other one by themselves until `--back`, except to a server that is the only primary.
)";

inline constexpr const char* breaker = R"(Examples:
  polypool breaker                                of all connections
  polypool breaker primary open                   no call passes until it is released
  polypool breaker primary release
)";

inline constexpr const char* query = R"(Examples:
  polypool query primary 'SELECT id, name FROM users WHERE id > $1' 100
  polypool query primary 'SELECT * FROM orders' --format csv > orders.csv
  polypool query primary 'UPDATE users SET email = $1 WHERE id = $2' NULL 7 --null NULL
  echo 'SELECT 1' | polypool query primary - --format json
  polypool query cache 'HGETALL user:1'           a Redis command; quotes as in redis-cli
  polypool query cache SET greeting 'good day'    its words may also come one by one
  polypool query documents '{"find": "articles", "filter": {"author": "Ada"}}' --format json

Parameters are sent as text, and the server makes of them what the statement needs. SQLite does no such thing, so
there words like 42, -7 and 1.5 are sent as numbers (not 007 or 1e3); --text turns that off. There is no word for NULL
unless --null names one. A word that begins with '-' and is no number needs '--' before it.

A MongoDB command is a JSON object; dates, ids and their like are extended JSON: {"$oid": "…"}, {"$date": "…"}.

json: numbers as numbers, exact decimals of more than 15 digits as text, bytes as \x and hexadecimal digits.
csv: RFC 4180 with plain line feeds; NULL is an empty field, empty text is "". Both are written as the rows come.
table: a thousand rows at a time; the first thousand decide how wide the columns are.
)";

inline constexpr const char* script = R"(Examples:
  polypool script primary schema.sql
  cat *.sql | polypool script primary -

Statements are separated by semicolons and take no parameters. It stops at the first error; statements before it stay
done unless the file says BEGIN and COMMIT.
)";

}  // namespace polypool::cli::help
