// SPDX-License-Identifier: Apache-2.0
#include "drivers/postgres/cancel.hpp"

#include "driver/postgres_life.hpp"

#include <polypool/error.hpp>
#include <polypool/waits.hpp>

#include <array>

namespace polypool::postgres {
task<void> cancel_statement(PGcancel& request, int descriptor) {
  co_await await_sign_of_life(descriptor);
  std::array<char, 256> words{};
  auto ask = [&request, &words] { return PQcancel(&request, words.data(), static_cast<int>(words.size())) == 1; };
  const bool taken = co_await offload(std::move(ask));
  if (!taken) throw error(errc::connection_lost, "PostgreSQL cannot be asked to cancel: " + std::string(words.data()));
}

}  // namespace polypool::postgres
