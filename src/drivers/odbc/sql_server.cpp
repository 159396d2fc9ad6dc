// SPDX-License-Identifier: Apache-2.0
#include "drivers/odbc/sql_server.hpp"

#include <algorithm>
#include <array>

namespace polypool::odbc {
namespace {

struct meaning {
  int number;
  errc code;
};

// In the order of the numbers.
constexpr std::array meanings{
    meaning{64, errc::connection_lost},           // the network name is no longer available
    meaning{102, errc::syntax_error},             // incorrect syntax near
    meaning{103, errc::syntax_error},             // identifier too long
    meaning{105, errc::syntax_error},             // unclosed quotation mark
    meaning{121, errc::connection_lost},          // the semaphore timeout period has expired
    meaning{137, errc::syntax_error},             // must declare the scalar variable
    meaning{156, errc::syntax_error},             // incorrect syntax near the keyword
    meaning{170, errc::syntax_error},             // incorrect syntax near (old)
    meaning{195, errc::undefined_object},         // not a recognized function
    meaning{201, errc::parameter_count},          // procedure expects parameter
    meaning{206, errc::invalid_value},            // operand type clash
    meaning{207, errc::undefined_object},         // invalid column name
    meaning{208, errc::undefined_object},         // invalid object name
    meaning{210, errc::invalid_value},            // conversion from binary to datetime failed
    meaning{213, errc::syntax_error},             // column name or number of supplied values does not match
    meaning{220, errc::invalid_value},            // arithmetic overflow
    meaning{229, errc::permission_denied},        // permission denied on the object
    meaning{230, errc::permission_denied},        // permission denied on the column
    meaning{232, errc::invalid_value},            // arithmetic overflow
    meaning{233, errc::connection_lost},          // no process is on the other end of the pipe
    meaning{235, errc::invalid_value},            // cannot convert to money
    meaning{241, errc::invalid_value},            // conversion to date failed
    meaning{242, errc::invalid_value},            // date out of range
    meaning{244, errc::invalid_value},            // conversion overflowed
    meaning{245, errc::invalid_value},            // conversion failed
    meaning{248, errc::invalid_value},            // conversion overflowed int
    meaning{257, errc::invalid_value},            // implicit conversion is not allowed
    meaning{262, errc::permission_denied},        // CREATE … permission denied
    meaning{295, errc::invalid_value},            // conversion to smalldatetime failed
    meaning{297, errc::permission_denied},        // the user does not have permission
    meaning{300, errc::permission_denied},        // VIEW SERVER STATE denied
    meaning{319, errc::syntax_error},             // incorrect syntax near the keyword 'with'
    meaning{515, errc::not_null_violation},       // cannot insert NULL
    meaning{529, errc::invalid_value},            // explicit conversion is not allowed
    meaning{547, errc::foreign_key_violation},    // or CHECK, which the words say
    meaning{596, errc::connection_lost},          // the session is in the kill state
    meaning{911, errc::undefined_object},         // database does not exist
    meaning{916, errc::permission_denied},        // not able to access the database
    meaning{927, errc::connect_failed},           // the database is being restored
    meaning{976, errc::read_only},                // the database is a replica that is not readable
    meaning{978, errc::read_only},                // readable with read intent only
    meaning{1088, errc::undefined_object},        // cannot find the object
    meaning{1101, errc::disk_full},               // could not allocate a page
    meaning{1105, errc::disk_full},               // could not allocate space
    meaning{1205, errc::deadlock},                // chosen as the victim
    meaning{1222, errc::lock_timeout},            // lock request timeout
    meaning{1505, errc::unique_violation},        // CREATE UNIQUE INDEX found a duplicate
    meaning{2601, errc::unique_violation},        // duplicate key in a unique index
    meaning{2627, errc::unique_violation},        // violation of a key
    meaning{2628, errc::invalid_value},           // data would be truncated, in which column
    meaning{2812, errc::undefined_object},        // could not find stored procedure
    meaning{3701, errc::undefined_object},        // cannot drop: does not exist
    meaning{3902, errc::invalid_argument},        // COMMIT without BEGIN
    meaning{3903, errc::invalid_argument},        // ROLLBACK without BEGIN
    meaning{3906, errc::read_only},               // the database is read-only
    meaning{3930, errc::transaction_aborted},     // the transaction cannot be committed
    meaning{3960, errc::serialization_failure},   // snapshot isolation: update conflict
    meaning{3961, errc::serialization_failure},   // snapshot isolation: metadata changed
    meaning{3980, errc::cancelled},               // the request was aborted
    meaning{4060, errc::connect_failed},          // cannot open the database
    meaning{4064, errc::connect_failed},          // cannot open the user's default database
    meaning{4104, errc::undefined_object},        // the identifier could not be bound
    meaning{4121, errc::undefined_object},        // cannot find the column or function
    meaning{4221, errc::connect_failed},          // login to a read-secondary failed
    meaning{6001, errc::connection_lost},         // shutdown is waiting
    meaning{6005, errc::connection_lost},         // shutdown is in progress
    meaning{8114, errc::invalid_value},           // error converting data type
    meaning{8115, errc::invalid_value},           // arithmetic overflow
    meaning{8134, errc::invalid_value},           // divide by zero
    meaning{8144, errc::parameter_count},         // too many arguments
    meaning{8152, errc::invalid_value},           // data would be truncated
    meaning{8169, errc::invalid_value},           // conversion to uniqueidentifier failed
    meaning{8178, errc::parameter_count},         // expects the parameter
    meaning{9002, errc::disk_full},               // the transaction log is full
    meaning{10053, errc::connection_lost},        // transport-level error
    meaning{10054, errc::connection_lost},        // transport-level error
    meaning{10060, errc::connect_failed},         // network-related error
    meaning{10928, errc::too_many_connections},   // resource limit
    meaning{10929, errc::too_many_connections},   // resource limit
    meaning{10936, errc::too_many_connections},   // resource limit of the elastic pool
    meaning{17142, errc::connect_failed},         // the server is paused
    meaning{17147, errc::connect_failed},         // the server is shutting down
    meaning{17148, errc::connect_failed},         // the server is shutting down
    meaning{17197, errc::connect_failed},         // login timed out
    meaning{17809, errc::too_many_connections},   // the maximum number of user connections is reached
    meaning{18450, errc::authentication_failed},  // login failed
    meaning{18451, errc::connect_failed},         // only administrators at this time
    meaning{18452, errc::authentication_failed},  // login from an untrusted domain
    meaning{18456, errc::authentication_failed},  // login failed
    meaning{18461, errc::connect_failed},         // the server is in single-user mode
    meaning{18470, errc::authentication_failed},  // the account is disabled
    meaning{18486, errc::authentication_failed},  // the account is locked
    meaning{18487, errc::authentication_failed},  // the password has expired
    meaning{18488, errc::authentication_failed},  // the password must be changed
    meaning{20002, errc::connect_failed},         // FreeTDS: connection failed
    meaning{20003, errc::deadline_exceeded},      // FreeTDS: timeout
    meaning{20004, errc::connection_lost},        // FreeTDS: read failed
    meaning{20006, errc::connection_lost},        // FreeTDS: write failed
    meaning{20009, errc::connect_failed},         // FreeTDS: the server is unavailable
    meaning{20017, errc::connection_lost},        // FreeTDS: unexpected end of file
    meaning{20020, errc::connection_lost},        // FreeTDS: bad token
    meaning{20047, errc::connection_lost},        // FreeTDS: the session is dead
    meaning{40197, errc::connect_failed},         // Azure: error processing the request
    meaning{40501, errc::too_many_connections},   // Azure: the service is busy
    meaning{40544, errc::disk_full},              // Azure: the size quota is reached
    meaning{40613, errc::connect_failed},         // Azure: the database is not available
    meaning{40615, errc::permission_denied},      // Azure: the firewall does not allow this address
    meaning{41301, errc::serialization_failure},  // memory-optimized tables: a transaction it depends on aborted
    meaning{41302, errc::serialization_failure},  // memory-optimized tables: update conflict
    meaning{41305, errc::serialization_failure},  // memory-optimized tables: repeatable read
    meaning{41325, errc::serialization_failure},  // memory-optimized tables: serializable
    meaning{49918, errc::too_many_connections},   // Azure: not enough resources
    meaning{49919, errc::too_many_connections},   // Azure: too many operations
    meaning{49920, errc::too_many_connections},   // Azure: too many operations
};
static_assert(std::ranges::is_sorted(meanings, {}, &meaning::number));

constexpr std::array ending{1205, 3930, 3960, 3961, 41301, 41302, 41305, 41325};
constexpr std::array passing{927,   4221,  10060, 10928, 10929, 10936, 17142, 17147, 17148,
                             17197, 18451, 18461, 40197, 40501, 40613, 49918, 49919, 49920};
static_assert(std::ranges::is_sorted(ending) && std::ranges::is_sorted(passing));

}  // namespace

errc code_of_sql_server(int number, std::string_view words) noexcept {
  const auto found = std::ranges::lower_bound(meanings, number, {}, &meaning::number);
  if (found == meanings.end() || found->number != number) return errc::database_error;
  if (number == 547 && words.contains("CHECK")) return errc::check_violation;
  return found->code;
}

bool ends_transaction(int number) noexcept { return std::ranges::binary_search(ending, number); }
bool is_transient(int number) noexcept { return std::ranges::binary_search(passing, number); }

}  // namespace polypool::odbc
