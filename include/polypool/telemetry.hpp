// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup telemetry
/// Where log records go, and how numbers become Prometheus metrics.
#pragma once

#include <polypool/histogram.hpp>
#include <polypool/log.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Collectable;
}

namespace polypool {

/// The version of this build, such as "0.1.0".
std::string_view build_version() noexcept;

namespace log {

/// `text`: a line for people. `json`: one JSON object a line, always valid.
enum class format : std::uint8_t { text, json };

/// "trace", "debug", "info", "warning" (or "warn"), "error", "off"; nothing when unknown.
std::optional<level> parse_level(std::string_view text) noexcept;
/// "text" or "json"; nothing when unknown.
std::optional<format> parse_format(std::string_view text) noexcept;
std::string_view to_string(level value) noexcept;

/// How and where to log.
struct sink_options {
  level least = level::info;          ///< records below it are dropped
  log::format format = format::text;  ///< one line a record either way
  std::filesystem::path file{};       ///< appended to; empty: standard error
  std::ostream* stream = nullptr;     ///< when set, records go here instead; has to outlive the sink
  /// Components that log at debug although `least` is higher: the form of the variable DEBUG, such as
  /// `polypool:pool,polypool:*,-polypool:server`. `setup:multi-connection` is another word for `polypool:*`; words of
  /// other programs are ignored.
  std::string debug{};
};

/// What the environment variable DEBUG says; empty when it is not set.
std::string debug_from_environment();

/// A sink whose threshold and form may change while it is used. Thread-safe.
class adjustable_sink : public sink {
 public:
  /// From now on. @param debug as in sink_options
  virtual void adjust(level least, log::format format, std::string_view debug) = 0;
};

/// A sink that writes lines. Times are UTC in ISO 8601. Line breaks and other control characters in messages and
/// values are escaped, and bytes that are not UTF-8 replaced, so that no value can forge a record.
/// Throws invalid_configuration when the file cannot be opened.
std::shared_ptr<adjustable_sink> make_log_sink(sink_options options);

}  // namespace log

/// A bulkhead's numbers at the moment of a scrape.
struct bulkhead_sample {
  std::uint64_t limit = 0;  ///< 0: there is none, and nothing is shown
  std::uint64_t at_work = 0;
  std::uint64_t waiting = 0;
  std::uint64_t refused = 0;
  std::uint64_t timed_out = 0;
};

/// What became of one webhook's events.
struct webhook_sample {
  std::string name;
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;   ///< given up
  std::uint64_t retries = 0;  ///< attempts after the first
  std::uint64_t dropped = 0;  ///< never tried
  std::uint64_t pending = 0;
};

/// The numbers that are not one connection's.
struct whole_sample {
  bulkhead_sample places;                ///< of the limit over all connections
  std::vector<webhook_sample> webhooks;  ///< those of one name are shown as one
};

/// One connection's numbers at the moment of a scrape.
struct connection_sample {
  std::string name;
  std::string type;             ///< "postgres", "sqlite" …
  bool metrics_enabled = true;  ///< false: left out of everything
  std::optional<bool> healthy;  ///< nothing while it is not known yet: no status is shown then
  std::uint64_t open = 0;
  std::uint64_t idle = 0;
  std::uint64_t in_use = 0;
  std::uint64_t wait_count = 0;
  std::chrono::nanoseconds wait_time{};
  std::uint64_t lifetime_closed = 0;
  std::uint64_t idle_closed = 0;
  std::uint64_t reconnects_succeeded = 0;
  std::uint64_t reconnects_failed = 0;
  std::uint64_t retries = 0;
  std::uint64_t retries_left_out = 0;
  std::uint8_t breaker_state = 0;  ///< 0 closed, 1 half-open, 2 open
  std::uint64_t breaker_opened = 0;
  std::uint64_t breaker_refused = 0;
  bulkhead_sample places;
  histogram_snapshot health_checks;
  std::uint64_t health_checks_failed = 0;
  /// Of a group, which has no pool of its own: how its calls were spread.
  struct member {
    std::string name;
    bool primary = false;
    bool ejected = false;
    std::uint64_t calls = 0, failures = 0, ejections = 0;
  };
  std::vector<member> members;  ///< empty: it is no group
  bool balances = false;        ///< among equals: none is the primary
  std::uint64_t failovers = 0;
};

/// Gives the numbers of all connections; called at each scrape, from the scraping thread.
using sample_source = std::function<std::vector<connection_sample>()>;
/// Gives the rest; called after the other one.
using whole_source = std::function<whole_sample()>;

/// Turns samples into the `dbmanager_*` metrics. Works only when somebody scrapes, so it costs the queries nothing.
/// Thread-safe as far as its source is.
class metrics_exporter {
 public:
  explicit metrics_exporter(sample_source source, whole_source whole = {});
  ~metrics_exporter();
  metrics_exporter(const metrics_exporter&) = delete;
  metrics_exporter& operator=(const metrics_exporter&) = delete;

  /// The Prometheus text format (version 0.0.4). Throws what the source throws.
  std::string text() const;
  /// The same metrics for prometheus-cpp's own exposer or gateway; shares the source and may outlive the exporter.
  std::shared_ptr<prometheus::Collectable> collectable() const;

 private:
  std::shared_ptr<prometheus::Collectable> metrics_;
};

}  // namespace polypool
