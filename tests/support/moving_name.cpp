// SPDX-License-Identifier: Apache-2.0
#include "support/moving_name.hpp"

#include <condition_variable>
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <netdb.h>
#include <set>

namespace polypool::test {
namespace {

struct name_table {
  std::mutex mutex;
  std::map<std::string, std::string, std::less<>> addresses;
  std::set<std::string, std::less<>> hanging;
  std::condition_variable released;
  static name_table& instance() {
    static name_table the_one;
    return the_one;
  }
};

}  // namespace

moving_name::moving_name(std::string name, std::string address) : name_(std::move(name)) {
  move_to(std::move(address));
}

moving_name::~moving_name() {
  auto& names = name_table::instance();
  const std::scoped_lock lock(names.mutex);
  names.addresses.erase(name_);
}

void moving_name::move_to(std::string address) {
  auto& names = name_table::instance();
  const std::scoped_lock lock(names.mutex);
  names.addresses[name_] = std::move(address);
}

hanging_name::hanging_name(std::string name) : name_(std::move(name)) {
  auto& names = name_table::instance();
  const std::scoped_lock lock(names.mutex);
  names.hanging.insert(name_);
}

hanging_name::~hanging_name() {
  auto& names = name_table::instance();
  const std::scoped_lock lock(names.mutex);
  names.hanging.erase(name_);
  names.released.notify_all();
}

}  // namespace polypool::test

// Found by the dynamic linker before the C library's one, so that drivers and their client libraries call it, too.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  using function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto of_the_system = reinterpret_cast<function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  std::string address;
  if (name != nullptr) {
    auto& names = polypool::test::name_table::instance();
    std::unique_lock lock(names.mutex);
    if (names.hanging.contains(name)) {
      names.released.wait(lock, [&] { return !names.hanging.contains(name); });
      return EAI_AGAIN;
    }
    if (const auto known = names.addresses.find(name); known != names.addresses.end()) address = known->second;
  }
  return of_the_system(address.empty() ? name : address.c_str(), service, hints, found);
}
