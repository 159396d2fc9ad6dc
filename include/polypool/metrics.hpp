// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup observe
/// A manager's numbers as Prometheus metrics, with or without the HTTP server.
#pragma once

#include <polypool/manager.hpp>
#include <polypool/telemetry.hpp>

#include <string>
#include <vector>

namespace polypool {

/// One connection's statistics as the sample that metrics are made from.
connection_sample to_sample(const connection_statistics& statistics);

/// Samples of all connections of a manager. Thread-safe; asks no server.
std::vector<connection_sample> metrics_samples(const manager& source);

/// The numbers of a manager that are not one connection's; knows of no webhooks. Thread-safe.
whole_sample metrics_of_the_whole(const manager& source);

/// All metrics of a manager in the Prometheus text format (version 0.0.4), for whatever serves them.
/// Thread-safe; asks no server.
std::string metrics_text(const manager& source);

/// An exporter of one manager, which has to outlive it and what it hands out.
metrics_exporter make_metrics_exporter(const manager& source);

}  // namespace polypool
