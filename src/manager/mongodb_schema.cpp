// SPDX-License-Identifier: Apache-2.0
// Collections and indexes: made, listed, dropped; and what the server tells of them.
#include "manager/mongodb_call.hpp"

namespace polypool {
namespace {

namespace json = boost::json;
using detail::document_request;
using access = document_command::access_type;

constexpr int namespace_not_found = 26;

document_request request_of(std::string_view command, json::value subject, access how) {
  document_request out;
  out.access = how;
  out.body[command] = std::move(subject);
  return out;
}

task<void> done_by(task<document> work) { const document reply = co_await std::move(work); }

// Old servers complain when there is nothing to drop, new ones do not.
task<void> dropped_by(task<document> work) {
  task<document> dropping = std::move(work);
  try {
    const document reply = co_await std::move(dropping);
  } catch (const error& problem) {
    if (problem.native_code() != namespace_not_found) throw;
  }
}

task<std::vector<document>> listed_by(task<std::vector<document>> work) {
  task<std::vector<document>> listing = std::move(work);
  std::vector<document> out;
  try {
    out = co_await std::move(listing);
  } catch (const error& problem) {
    if (problem.native_code() != namespace_not_found) throw;
  }
  co_return out;
}

task<std::vector<std::string>> names_by(task<std::vector<document>> work) {
  const std::vector<document> found = co_await std::move(work);
  std::vector<std::string> out;
  for (const auto& each : found) {
    const auto& name = each.at("name").as_string();
    out.emplace_back(name.data(), name.size());
  }
  co_return out;
}

task<mongodb_collection> created_by(task<document> work, mongodb_collection made) {
  const document reply = co_await std::move(work);
  co_return made;
}

task<std::string> name_by(task<document> work, std::string name) {
  const document reply = co_await std::move(work);
  co_return name;
}

// MongoDB's own way: `author_1_date_-1`.
std::string index_name(const document& keys) {
  std::string out;
  for (const auto& each : keys) {
    if (!out.empty()) out += '_';
    out += std::string(each.key()) + '_';
    if (each.value().is_string()) {
      out += std::string_view(each.value().get_string());
    } else if (each.value().is_int64()) {
      out += std::to_string(each.value().get_int64());
    } else {
      out += "1";
    }
  }
  return out;
}

document_request list_request(document filter, bool names_only) {
  auto out = request_of("listCollections", 1, access::read);
  out.body["filter"] = std::move(filter);
  out.body["nameOnly"] = names_only;
  out.body["cursor"] = document();
  return out;
}

}  // namespace

std::string mongodb_collection::create_index(document keys, index_options how) const {
  return detail::run_blocking(time(), async_create_index(std::move(keys), std::move(how)));
}
task<std::string> mongodb_collection::async_create_index(document keys, index_options how) const {
  document index;
  index["key"] = keys;
  index["name"] = index_name(keys);
  for (const auto& each : how.fields()) index.insert_or_assign(each.key(), each.value());
  std::string name(index.at("name").is_string() ? std::string_view(index.at("name").get_string()) : "");
  auto request = request_of("createIndexes", json::value(name_), access::write);
  json::array list;
  list.push_back(std::move(index));
  request.body["indexes"] = std::move(list);
  return name_by(detail::run_document(target_, std::move(request), "create_index"), std::move(name));
}

void mongodb_collection::drop_index(std::string name) const {
  detail::run_blocking(time(), async_drop_index(std::move(name)));
}
task<void> mongodb_collection::async_drop_index(std::string name) const {
  auto request = request_of("dropIndexes", json::value(name_), access::write);
  request.body["index"] = std::move(name);
  return done_by(detail::run_document(target_, std::move(request), "drop_index"));
}
void mongodb_collection::drop_indexes() const { detail::run_blocking(time(), async_drop_indexes()); }
task<void> mongodb_collection::async_drop_indexes() const { return async_drop_index("*"); }

std::vector<document> mongodb_collection::list_indexes() const {
  return detail::run_blocking(time(), async_list_indexes());
}
task<std::vector<document>> mongodb_collection::async_list_indexes() const {
  auto request = request_of("listIndexes", json::value(name_), access::read);
  request.body["cursor"] = document();
  return listed_by(detail::all_documents(target_, std::move(request), "list_indexes"));
}

void mongodb_collection::drop() const { detail::run_blocking(time(), async_drop()); }
task<void> mongodb_collection::async_drop() const {
  return dropped_by(
      detail::run_document(target_, request_of("drop", json::value(name_), access::write), "drop_collection"));
}

document mongodb_collection::stats() const { return detail::run_blocking(time(), async_stats()); }
task<document> mongodb_collection::async_stats() const {
  return detail::run_document(target_, request_of("collStats", json::value(name_), access::read), "stats");
}

// databases ----------------------------------------------------------------------------------------------------------

mongodb_collection mongodb_database::create_collection(std::string name, document options) const {
  return detail::run_blocking(time(), async_create_collection(std::move(name), std::move(options)));
}
task<mongodb_collection> mongodb_database::async_create_collection(std::string name, document options) const {
  auto request = request_of("create", json::value(name), access::write);
  for (const auto& each : options) request.body.insert_or_assign(each.key(), each.value());
  return created_by(detail::run_document(target_, std::move(request), "create_collection"),
                    collection(std::move(name)));
}

void mongodb_database::drop_collection(std::string name) const { collection(std::move(name)).drop(); }
task<void> mongodb_database::async_drop_collection(std::string name) const {
  return collection(std::move(name)).async_drop();
}

std::vector<document> mongodb_database::list_collections(document filter) const {
  return detail::run_blocking(time(), async_list_collections(std::move(filter)));
}
task<std::vector<document>> mongodb_database::async_list_collections(document filter) const {
  return detail::all_documents(target_, list_request(std::move(filter), false), "list_collections");
}

std::vector<std::string> mongodb_database::collection_names() const {
  return detail::run_blocking(time(), async_collection_names());
}
task<std::vector<std::string>> mongodb_database::async_collection_names() const {
  return names_by(detail::all_documents(target_, list_request({}, true), "collection_names"));
}

void mongodb_database::drop() const { detail::run_blocking(time(), async_drop()); }
task<void> mongodb_database::async_drop() const {
  return done_by(detail::run_document(target_, request_of("dropDatabase", 1, access::write), "drop_database"));
}

document mongodb_database::stats() const { return detail::run_blocking(time(), async_stats()); }
task<document> mongodb_database::async_stats() const {
  return detail::run_document(target_, request_of("dbStats", 1, access::read), "stats");
}

}  // namespace polypool
