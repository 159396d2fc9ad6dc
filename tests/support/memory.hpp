// SPDX-License-Identifier: Apache-2.0
// Measuring memory in tests.
#pragma once

#include <fstream>
#include <unistd.h>

namespace polypool::test {

/// False under a sanitizer, which keeps freed memory for a while and needs a large address space: what is measured then
/// says nothing about us.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool memory_is_ours = false;
#elif defined(__has_feature)
inline constexpr bool memory_is_ours = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool memory_is_ours = true;
#endif

/// What this process has resident, in bytes.
inline long resident_bytes() {
  long all = 0;
  long mine = 0;
  std::ifstream("/proc/self/statm") >> all >> mine;
  return mine * ::sysconf(_SC_PAGESIZE);
}

}  // namespace polypool::test
