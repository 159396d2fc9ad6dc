// SPDX-License-Identifier: Apache-2.0
// What each of the server's error codes means.
#include "drivers/mongodb/errors.hpp"

#include <algorithm>
#include <array>

namespace polypool::mongodb {
namespace {

struct meaning {
  int server_code;
  errc code;
};

constexpr std::array meanings{
    meaning{2, errc::invalid_value},             // BadValue
    meaning{4, errc::invalid_value},             // NoSuchKey
    meaning{6, errc::connection_lost},           // HostUnreachable
    meaning{7, errc::connection_lost},           // HostNotFound
    meaning{9, errc::syntax_error},              // FailedToParse
    meaning{11, errc::authentication_failed},    // UserNotFound
    meaning{13, errc::permission_denied},        // Unauthorized
    meaning{14, errc::invalid_value},            // TypeMismatch
    meaning{15, errc::invalid_value},            // Overflow
    meaning{16, errc::invalid_value},            // InvalidLength
    meaning{18, errc::authentication_failed},    // AuthenticationFailed
    meaning{20, errc::unsupported},              // IllegalOperation
    meaning{22, errc::invalid_value},            // InvalidBSON
    meaning{24, errc::lock_timeout},             // LockTimeout
    meaning{26, errc::undefined_object},         // NamespaceNotFound
    meaning{27, errc::undefined_object},         // IndexNotFound
    meaning{28, errc::invalid_value},            // PathNotViable
    meaning{31, errc::undefined_object},         // RoleNotFound
    meaning{40, errc::syntax_error},             // ConflictingUpdateOperators
    meaning{43, errc::undefined_object},         // CursorNotFound
    meaning{46, errc::lock_timeout},             // LockBusy
    meaning{50, errc::deadline_exceeded},        // MaxTimeMSExpired
    meaning{52, errc::invalid_value},            // DollarPrefixedFieldName
    meaning{53, errc::invalid_value},            // InvalidIdField
    meaning{54, errc::invalid_value},            // NotSingleValueField
    meaning{55, errc::invalid_value},            // InvalidDBRef
    meaning{56, errc::invalid_value},            // EmptyFieldName
    meaning{57, errc::invalid_value},            // DottedFieldName
    meaning{59, errc::unsupported},              // CommandNotFound
    meaning{66, errc::invalid_value},            // ImmutableField
    meaning{67, errc::invalid_value},            // CannotCreateIndex
    meaning{72, errc::invalid_value},            // InvalidOptions
    meaning{73, errc::invalid_value},            // InvalidNamespace
    meaning{89, errc::connection_lost},          // NetworkTimeout
    meaning{91, errc::connection_lost},          // ShutdownInProgress
    meaning{112, errc::serialization_failure},   // WriteConflict
    meaning{115, errc::unsupported},             // CommandNotSupported
    meaning{121, errc::check_violation},         // DocumentValidationFailure
    meaning{123, errc::unsupported},             // NotAReplicaSet
    meaning{166, errc::unsupported},             // CommandNotSupportedOnView
    meaning{168, errc::syntax_error},            // InvalidPipelineOperator
    meaning{175, errc::serialization_failure},   // QueryPlanKilled
    meaning{189, errc::read_only},               // PrimarySteppedDown
    meaning{197, errc::invalid_value},           // InvalidIndexSpecificationOption
    meaning{211, errc::undefined_object},        // KeyNotFound
    meaning{225, errc::transaction_aborted},     // TransactionTooOld
    meaning{237, errc::cancelled},               // CursorKilled
    meaning{238, errc::unsupported},             // NotImplemented
    meaning{241, errc::invalid_value},           // ConversionFailure
    meaning{244, errc::transaction_aborted},     // TransactionAborted
    meaning{246, errc::serialization_failure},   // SnapshotUnavailable
    meaning{251, errc::transaction_aborted},     // NoSuchTransaction
    meaning{257, errc::invalid_value},           // TransactionTooLarge
    meaning{261, errc::too_many_connections},    // TooManyLogicalSessions
    meaning{262, errc::deadline_exceeded},       // ExceededTimeLimit
    meaning{263, errc::unsupported},             // OperationNotSupportedInTransaction
    meaning{290, errc::transaction_aborted},     // TransactionExceededLifetimeLimitSeconds
    meaning{317, errc::connection_lost},         // ConnectionPoolExpired
    meaning{334, errc::authentication_failed},   // MechanismUnavailable
    meaning{365, errc::serialization_failure},   // TemporarilyUnavailable
    meaning{8000, errc::authentication_failed},  // AtlasError
    meaning{9001, errc::connection_lost},        // SocketException
    meaning{10058, errc::read_only},             // LegacyNotPrimary
    meaning{10107, errc::read_only},             // NotWritablePrimary
    meaning{10334, errc::invalid_value},         // BSONObjectTooLarge
    meaning{11000, errc::unique_violation},      // DuplicateKey
    meaning{11001, errc::unique_violation},      // its old number for updates
    meaning{11600, errc::connection_lost},       // InterruptedAtShutdown
    meaning{11601, errc::cancelled},             // Interrupted
    meaning{11602, errc::connection_lost},       // InterruptedDueToReplStateChange
    meaning{12582, errc::unique_violation},      // its number in sharded clusters
    meaning{13435, errc::read_only},             // NotPrimaryNoSecondaryOk
    meaning{13436, errc::read_only},             // NotPrimaryOrSecondary
    meaning{14031, errc::disk_full},             // OutOfDiskSpace
    meaning{16755, errc::invalid_value},         // cannot extract geo keys
    meaning{17280, errc::invalid_value},         // KeyTooLong
};
static_assert(std::ranges::is_sorted(meanings, {}, &meaning::server_code));

}  // namespace

errc portable_code(int server_code) noexcept {
  const auto found = std::ranges::lower_bound(meanings, server_code, {}, &meaning::server_code);
  return found != meanings.end() && found->server_code == server_code ? found->code : errc::database_error;
}

}  // namespace polypool::mongodb
