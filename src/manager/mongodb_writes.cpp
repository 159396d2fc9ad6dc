// SPDX-License-Identifier: Apache-2.0
// What changes the documents of a collection.
#include "manager/mongodb_call.hpp"

namespace polypool {
namespace {

namespace json = boost::json;
using detail::document_request;

// What concerns one write, and what concerns the message that carries it.
void split_options(const update_options& how, document& of_write, insert_options& of_message) {
  for (const auto& each : how.fields()) {
    const std::string_view name = each.key();
    const bool whole =
        name == "writeConcern" || name == "comment" || name == "let" || name == "bypassDocumentValidation";
    if (whole) {
      of_message.with(name, each.value());
    } else {
      of_write[name] = each.value();
    }
  }
  if (how.timeout()) of_message.timeout(*how.timeout());
  if (how.form() == json_form::canonical) of_message.canonical();
}

task<write_outcome> write_one(detail::target_pointer target, std::string collection, document_write what,
                              update_options how, std::string_view operation) {
  insert_options of_message;
  split_options(how, what.options, of_message);
  std::vector<document_write> writes;
  writes.push_back(std::move(what));
  return detail::write_documents(std::move(target), std::move(collection), std::move(writes), std::move(of_message),
                                 operation);
}

task<update_result> updated_by(task<write_outcome> work) {
  write_outcome outcome = co_await std::move(work);
  update_result out;
  out.matched = outcome.matched;
  out.modified = outcome.modified;
  if (!outcome.upserted_ids.empty()) out.upserted_id = std::move(outcome.upserted_ids.front().second);
  out.acknowledged = outcome.acknowledged;
  co_return out;
}

task<delete_result> deleted_by(task<write_outcome> work) {
  const write_outcome outcome = co_await std::move(work);
  delete_result out;
  out.deleted = outcome.deleted;
  out.acknowledged = outcome.acknowledged;
  co_return out;
}

task<insert_result> inserted_by(task<write_outcome> work) {
  write_outcome outcome = co_await std::move(work);
  insert_result out;
  out.id = std::move(outcome.inserted_ids.front());
  out.acknowledged = outcome.acknowledged;
  co_return out;
}

task<insert_many_result> all_inserted_by(task<write_outcome> work) {
  write_outcome outcome = co_await std::move(work);
  insert_many_result out;
  out.ids = std::move(outcome.inserted_ids);
  out.acknowledged = outcome.acknowledged;
  co_return out;
}

task<std::optional<document>> modified_by(detail::target_pointer target, document_request request,
                                          std::string_view operation) {
  task<document> asking = detail::run_document(std::move(target), std::move(request), operation);
  document reply = co_await std::move(asking);
  auto* value = reply.if_contains("value");
  if (!value || !value->is_object()) co_return std::nullopt;
  co_return std::move(value->get_object());
}

document_request modify_request(const std::string& collection, document filter, const modify_options& how) {
  document_request out;
  out.access = document_command::access_type::write;
  out.body["findAndModify"] = collection;
  out.body["query"] = std::move(filter);
  out.apply(how);
  return out;
}

}  // namespace

insert_result mongodb_collection::insert_one(document what, insert_options how) const {
  return detail::run_blocking(time(), async_insert_one(std::move(what), std::move(how)));
}
task<insert_result> mongodb_collection::async_insert_one(document what, insert_options how) const {
  std::vector<document_write> writes;
  writes.push_back(document_write::insert(std::move(what)));
  return inserted_by(detail::write_documents(target_, name_, std::move(writes), std::move(how), "insert_one"));
}

insert_many_result mongodb_collection::insert_many(std::vector<document> documents, insert_options how) const {
  return detail::run_blocking(time(), async_insert_many(std::move(documents), std::move(how)));
}
task<insert_many_result> mongodb_collection::async_insert_many(std::vector<document> documents,
                                                               insert_options how) const {
  std::vector<document_write> writes;
  writes.reserve(documents.size());
  for (auto& each : documents) writes.push_back(document_write::insert(std::move(each)));
  return all_inserted_by(detail::write_documents(target_, name_, std::move(writes), std::move(how), "insert_many"));
}

update_result mongodb_collection::update_one(document filter, json::value update, update_options how) const {
  return detail::run_blocking(time(), async_update_one(std::move(filter), std::move(update), std::move(how)));
}
task<update_result> mongodb_collection::async_update_one(document filter, json::value update,
                                                         update_options how) const {
  auto what = document_write::update_one(std::move(filter), std::move(update));
  return updated_by(write_one(target_, name_, std::move(what), std::move(how), "update_one"));
}

update_result mongodb_collection::update_many(document filter, json::value update, update_options how) const {
  return detail::run_blocking(time(), async_update_many(std::move(filter), std::move(update), std::move(how)));
}
task<update_result> mongodb_collection::async_update_many(document filter, json::value update,
                                                          update_options how) const {
  auto what = document_write::update_many(std::move(filter), std::move(update));
  return updated_by(write_one(target_, name_, std::move(what), std::move(how), "update_many"));
}

update_result mongodb_collection::replace_one(document filter, document replacement, update_options how) const {
  return detail::run_blocking(time(), async_replace_one(std::move(filter), std::move(replacement), std::move(how)));
}
task<update_result> mongodb_collection::async_replace_one(document filter, document replacement,
                                                          update_options how) const {
  auto what = document_write::replace_one(std::move(filter), std::move(replacement));
  return updated_by(write_one(target_, name_, std::move(what), std::move(how), "replace_one"));
}

delete_result mongodb_collection::delete_one(document filter, update_options how) const {
  return detail::run_blocking(time(), async_delete_one(std::move(filter), std::move(how)));
}
task<delete_result> mongodb_collection::async_delete_one(document filter, update_options how) const {
  auto what = document_write::delete_one(std::move(filter));
  return deleted_by(write_one(target_, name_, std::move(what), std::move(how), "delete_one"));
}

delete_result mongodb_collection::delete_many(document filter, update_options how) const {
  return detail::run_blocking(time(), async_delete_many(std::move(filter), std::move(how)));
}
task<delete_result> mongodb_collection::async_delete_many(document filter, update_options how) const {
  auto what = document_write::delete_many(std::move(filter));
  return deleted_by(write_one(target_, name_, std::move(what), std::move(how), "delete_many"));
}

write_outcome mongodb_collection::bulk_write(std::vector<document_write> writes, insert_options how) const {
  return detail::run_blocking(time(), async_bulk_write(std::move(writes), std::move(how)));
}
task<write_outcome> mongodb_collection::async_bulk_write(std::vector<document_write> writes, insert_options how) const {
  return detail::write_documents(target_, name_, std::move(writes), std::move(how), "bulk_write");
}

std::optional<document> mongodb_collection::find_one_and_update(document filter, json::value update,
                                                                modify_options how) const {
  return detail::run_blocking(time(), async_find_one_and_update(std::move(filter), std::move(update), std::move(how)));
}
task<std::optional<document>> mongodb_collection::async_find_one_and_update(document filter, json::value update,
                                                                            modify_options how) const {
  auto request = modify_request(name_, std::move(filter), how);
  request.body["update"] = std::move(update);
  return modified_by(target_, std::move(request), "find_one_and_update");
}

std::optional<document> mongodb_collection::find_one_and_replace(document filter, document replacement,
                                                                 modify_options how) const {
  return detail::run_blocking(time(),
                              async_find_one_and_replace(std::move(filter), std::move(replacement), std::move(how)));
}
task<std::optional<document>> mongodb_collection::async_find_one_and_replace(document filter, document replacement,
                                                                             modify_options how) const {
  auto request = modify_request(name_, std::move(filter), how);
  request.body["update"] = std::move(replacement);
  return modified_by(target_, std::move(request), "find_one_and_replace");
}

std::optional<document> mongodb_collection::find_one_and_delete(document filter, modify_options how) const {
  return detail::run_blocking(time(), async_find_one_and_delete(std::move(filter), std::move(how)));
}
task<std::optional<document>> mongodb_collection::async_find_one_and_delete(document filter, modify_options how) const {
  auto request = modify_request(name_, std::move(filter), how);
  request.body["remove"] = true;
  return modified_by(target_, std::move(request), "find_one_and_delete");
}

}  // namespace polypool
