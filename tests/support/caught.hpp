// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <polypool/error.hpp>

#include <gtest/gtest.h>

namespace polypool::test {

/// The error that the work throws.
template <class Work>
error caught(Work&& work) {
  try {
    work();
  } catch (const error& problem) {
    return problem;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {errc::internal_error, "nothing was thrown"};
}

}  // namespace polypool::test
