// SPDX-License-Identifier: Apache-2.0
// What reads a collection.
#include "manager/mongodb_call.hpp"

namespace polypool {
namespace {

namespace json = boost::json;
using detail::document_request;
using access = document_command::access_type;

document_request reading(std::string_view command, const std::string& collection) {
  document_request out;
  out.access = access::read;
  out.body[command] = collection;
  return out;
}

document_request find_request(const std::string& collection, document filter, const find_options& how) {
  auto out = reading("find", collection);
  out.body["filter"] = std::move(filter);
  out.apply(how);
  return out;
}

// A pipeline that ends by writing has to go to the primary, and must not be sent twice.
bool writes(const json::array& pipeline) {
  if (pipeline.empty() || !pipeline.back().is_object()) return false;
  const auto& last = pipeline.back().get_object();
  return last.contains("$out") || last.contains("$merge");
}

document_request aggregate_request(json::value source, json::array pipeline, const aggregate_options& how) {
  document_request out;
  out.access = writes(pipeline) ? access::write : access::read;
  out.body["aggregate"] = std::move(source);
  out.body["pipeline"] = std::move(pipeline);
  out.body["cursor"] = document();
  out.apply(how);
  return out;
}

document_request count_request(const std::string& collection, document filter, const count_options& how) {
  auto out = reading("aggregate", collection);
  out.body["pipeline"] = nullptr;  // comes first in the command
  out.body["cursor"] = document();
  out.apply(how);
  json::array pipeline;
  document match;
  match["$match"] = std::move(filter);
  pipeline.push_back(std::move(match));
  for (const auto* stage : {"skip", "limit"}) {
    if (const auto* count = out.body.if_contains(stage)) {
      document step;
      step["$" + std::string(stage)] = *count;
      pipeline.push_back(std::move(step));
      out.body.erase(stage);
    }
  }
  document group;
  group["_id"] = nullptr;
  group["n"] = document{{"$sum", 1}};
  pipeline.push_back(document{{"$group", std::move(group)}});
  out.body["pipeline"] = std::move(pipeline);
  out.form = json_form::relaxed;
  return out;
}

json::array& first_batch(document& reply) { return reply.at("cursor").as_object().at("firstBatch").as_array(); }

task<std::optional<document>> first_of(detail::target_pointer target, document_request request) {
  request.body["limit"] = 1;
  request.body["singleBatch"] = true;
  task<document> asking = detail::run_document(std::move(target), std::move(request), "find_one");
  document reply = co_await std::move(asking);
  auto& batch = first_batch(reply);
  if (batch.empty()) co_return std::nullopt;
  co_return std::move(batch.front().as_object());
}

task<std::uint64_t> counted_by(detail::target_pointer target, document_request request) {
  task<document> asking = detail::run_document(std::move(target), std::move(request), "count_documents");
  document reply = co_await std::move(asking);
  auto& batch = first_batch(reply);
  if (batch.empty()) co_return 0;
  co_return batch.front().as_object().at("n").to_number<std::uint64_t>();
}

task<std::uint64_t> estimated_by(detail::target_pointer target, document_request request) {
  task<document> asking = detail::run_document(std::move(target), std::move(request), "estimated_document_count");
  const document reply = co_await std::move(asking);
  co_return reply.at("n").to_number<std::uint64_t>();
}

task<json::array> values_by(detail::target_pointer target, document_request request) {
  task<document> asking = detail::run_document(std::move(target), std::move(request), "distinct");
  document reply = co_await std::move(asking);
  co_return std::move(reply.at("values").as_array());
}

}  // namespace

mongodb_cursor mongodb_collection::find(document filter, find_options how) const {
  return detail::run_blocking(time(), async_find(std::move(filter), std::move(how)));
}
task<mongodb_cursor> mongodb_collection::async_find(document filter, find_options how) const {
  auto request = find_request(name_, std::move(filter), how);
  return mongodb_cursor::made_by(detail::open_documents(target_, std::move(request), "find"));
}

std::optional<document> mongodb_collection::find_one(document filter, find_options how) const {
  return detail::run_blocking(time(), async_find_one(std::move(filter), std::move(how)));
}
task<std::optional<document>> mongodb_collection::async_find_one(document filter, find_options how) const {
  return first_of(target_, find_request(name_, std::move(filter), how));
}

mongodb_cursor mongodb_collection::aggregate(json::array pipeline, aggregate_options how) const {
  return detail::run_blocking(time(), async_aggregate(std::move(pipeline), std::move(how)));
}
task<mongodb_cursor> mongodb_collection::async_aggregate(json::array pipeline, aggregate_options how) const {
  auto request = aggregate_request(json::value(name_), std::move(pipeline), how);
  return mongodb_cursor::made_by(detail::open_documents(target_, std::move(request), "aggregate"));
}

mongodb_cursor mongodb_database::aggregate(json::array pipeline, aggregate_options how) const {
  return detail::run_blocking(time(), async_aggregate(std::move(pipeline), std::move(how)));
}
task<mongodb_cursor> mongodb_database::async_aggregate(json::array pipeline, aggregate_options how) const {
  auto request = aggregate_request(json::value(1), std::move(pipeline), how);
  return mongodb_cursor::made_by(detail::open_documents(target_, std::move(request), "aggregate"));
}

std::uint64_t mongodb_collection::count_documents(document filter, count_options how) const {
  return detail::run_blocking(time(), async_count_documents(std::move(filter), std::move(how)));
}
task<std::uint64_t> mongodb_collection::async_count_documents(document filter, count_options how) const {
  return counted_by(target_, count_request(name_, std::move(filter), how));
}

std::uint64_t mongodb_collection::estimated_document_count(count_options how) const {
  return detail::run_blocking(time(), async_estimated_document_count(std::move(how)));
}
task<std::uint64_t> mongodb_collection::async_estimated_document_count(count_options how) const {
  auto request = reading("count", name_);
  request.apply(how);
  request.form = json_form::relaxed;
  return estimated_by(target_, std::move(request));
}

json::array mongodb_collection::distinct(std::string member, document filter, count_options how) const {
  return detail::run_blocking(time(), async_distinct(std::move(member), std::move(filter), std::move(how)));
}
task<json::array> mongodb_collection::async_distinct(std::string member, document filter, count_options how) const {
  auto request = reading("distinct", name_);
  request.limited_on_server = false;  // FerretDB knows no maxTimeMS here
  request.body["key"] = std::move(member);
  request.body["query"] = std::move(filter);
  request.apply(how);
  return values_by(target_, std::move(request));
}

}  // namespace polypool
