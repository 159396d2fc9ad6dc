// SPDX-License-Identifier: Apache-2.0
// What needs to know all drivers: managers made without a list of them, and the functions over the process-wide one.
#include <polypool/facade.hpp>

#include <mutex>

namespace polypool {

namespace {

manager_options with_default_drivers(log::logger log) {
  manager_options options;
  options.drivers = default_drivers();
  options.log = std::move(log);
  return options;
}

struct process_wide {
  std::mutex mutex;
  std::unique_ptr<manager> instance;
};

process_wide& the_one() {
  clock::system();  // made first, so gone last: a manager closes itself when the process ends
  polypool_category();
  static process_wide holder;
  return holder;
}

manager& open_manager() {
  auto& holder = the_one();
  const std::scoped_lock lock(holder.mutex);
  if (!holder.instance) holder.instance = std::make_unique<manager>(config::settings());
  return *holder.instance;
}

}  // namespace

manager::manager(config::settings configuration, log::logger log)
    : manager(std::move(configuration), with_default_drivers(std::move(log))) {}

manager& default_manager() { return open_manager(); }

connection register_database(config::connection configuration) {
  auto& holder = the_one();
  {
    const std::scoped_lock lock(holder.mutex);
    if (holder.instance && holder.instance->closing()) holder.instance.reset();
  }
  return open_manager().register_connection(std::move(configuration));
}

connection get_database(std::string_view name) { return open_manager().get(name); }

connection get_connection_pool(std::string_view name) {
  connection found = open_manager().get(name);
  if (found.phase() != connection_phase::connected) {
    try {
      found.connect();
    } catch (const error& e) {
      if (e.code() != errc::already_connected) throw;  // somebody else was quicker
    }
  }
  return found;
}

connect_report initialize_databases(std::vector<config::connection> configurations) {
  for (auto& each : configurations) register_database(std::move(each));
  return default_manager().connect();
}

bool is_pool_healthy(std::string_view name) {
  return open_manager().get(name).health_check().status == health_status::healthy;
}

void shutdown_all(duration drain_timeout) {
  auto& holder = the_one();
  manager* instance = nullptr;
  {
    const std::scoped_lock lock(holder.mutex);
    instance = holder.instance.get();
  }
  if (instance) instance->close(drain_timeout, drain_timeout + std::chrono::seconds(10));
}

}  // namespace polypool
