// SPDX-License-Identifier: Apache-2.0
// Inserts, updates and deletes, in bulk.
#include "drivers/mongodb/bson_reader.hpp"
#include "drivers/mongodb/bson_writer.hpp"
#include "drivers/mongodb/errors.hpp"
#include "drivers/mongodb/guard.hpp"

#include <algorithm>

namespace polypool::mongodb {
namespace {

namespace json = boost::json;
using action = document_write::action_type;

[[noreturn]] void refuse(std::size_t index, std::string_view why) {
  throw error(errc::invalid_argument, "write " + std::to_string(index) + ": " + std::string(why));
}

bool begins_with_operator(const json::object& change) {
  return !change.empty() && std::string_view(change.begin()->key()).starts_with('$');
}

void check_change(const document_write& what, std::size_t index) {
  const bool update = what.action == action::update_one || what.action == action::update_many;
  if (update) {
    const bool pipeline = what.change.is_array() && !what.change.get_array().empty();
    if (pipeline || (what.change.is_object() && begins_with_operator(what.change.get_object()))) return;
    refuse(index, "an update is a document of operators such as $set, or a pipeline; replace_one takes a document");
  }
  if (what.action == action::delete_one || what.action == action::delete_many) return;
  if (!what.change.is_object()) refuse(index, "it takes a document");
  if (what.action == action::replace_one && begins_with_operator(what.change.get_object())) {
    refuse(index, "a replacement is a plain document; update_one takes operators such as $set");
  }
}

// Adds writes to a bulk of libmongoc's, which copies them.
class bulk_writer {
 public:
  bulk_writer(mongoc_bulk_operation_t* bulk, write_outcome& outcome, json_form form) noexcept
      : bulk_(bulk), outcome_(outcome), form_(form) {}

  void add(const document_write& what, std::size_t index) {
    check_change(what, index);
    bson_document filter;
    bson_document change;
    bson_document options;
    append_members(filter.get(), what.filter);
    append_members(options.get(), what.options);
    const bool deletes = what.action == action::delete_one || what.action == action::delete_many;
    if (!deletes) bson_append_bool(options.get(), "validate", -1, false);  // the server knows its rules better
    if (what.action == action::insert) {
      append_id(change.get(), what.change.get_object());
      append_members(change.get(), what.change.get_object());
    } else if (what.change.is_array()) {
      append_elements(change.get(), what.change.get_array());
    } else if (what.change.is_object()) {
      append_members(change.get(), what.change.get_object());
    }
    bson_error_t problem{};
    if (!hand_over(what.action, filter.get(), change.get(), options.get(), problem)) refuse(index, problem.message);
  }

 private:
  bool hand_over(action what, const bson_t* filter, const bson_t* change, const bson_t* options,
                 bson_error_t& problem) {
    switch (what) {
      case action::insert:
        return mongoc_bulk_operation_insert_with_opts(bulk_, change, options, &problem);
      case action::update_one:
        return mongoc_bulk_operation_update_one_with_opts(bulk_, filter, change, options, &problem);
      case action::update_many:
        return mongoc_bulk_operation_update_many_with_opts(bulk_, filter, change, options, &problem);
      case action::replace_one:
        return mongoc_bulk_operation_replace_one_with_opts(bulk_, filter, change, options, &problem);
      case action::delete_one:
        return mongoc_bulk_operation_remove_one_with_opts(bulk_, filter, options, &problem);
      case action::delete_many:
        return mongoc_bulk_operation_remove_many_with_opts(bulk_, filter, options, &problem);
    }
    return false;
  }

  void append_id(bson_t* target, const json::object& source) {
    if (const auto* given = source.if_contains("_id")) {
      outcome_.inserted_ids.push_back(*given);
      return;
    }
    bson_oid_t id;
    bson_oid_init(&id, nullptr);
    bson_append_oid(target, "_id", 3, &id);
    bson_iter_t at;
    bson_iter_init_find(&at, target, "_id");
    outcome_.inserted_ids.push_back(read_value(&at, form_));
  }

  mongoc_bulk_operation_t* bulk_;
  write_outcome& outcome_;
  json_form form_;
};

std::uint64_t count_of(const json::object& reply, std::string_view name) {
  const auto* found = reply.if_contains(name);
  return found && found->is_int64() && found->get_int64() > 0 ? static_cast<std::uint64_t>(found->get_int64()) : 0;
}

void read_counts(write_outcome& outcome, const json::object& reply) {
  outcome.inserted = count_of(reply, "nInserted");
  outcome.matched = count_of(reply, "nMatched");
  outcome.modified = count_of(reply, "nModified");
  outcome.deleted = count_of(reply, "nRemoved");
}

// Read in the caller's form; the counts are always plain.
void read_upserted(write_outcome& outcome, const bson_t* reply, json_form form) {
  bson_iter_t list;
  bson_iter_t at;
  if (!bson_iter_init_find(&list, reply, "upserted") || !bson_iter_recurse(&list, &at)) return;
  while (bson_iter_next(&at)) {
    bson_iter_t index;
    bson_iter_t id;
    if (!bson_iter_recurse(&at, &index) || !bson_iter_recurse(&at, &id)) continue;
    if (!bson_iter_find(&index, "index") || !bson_iter_find(&id, "_id")) continue;
    outcome.upserted_ids.emplace_back(static_cast<std::size_t>(bson_iter_as_int64(&index)), read_value(&id, form));
  }
}

std::vector<document_write_error::failure> read_failures(const json::object& reply) {
  std::vector<document_write_error::failure> out;
  const auto* list = reply.if_contains("writeErrors");
  if (!list || !list->is_array()) return out;
  for (const auto& each : list->get_array()) {
    if (!each.is_object()) continue;
    auto& made = out.emplace_back();
    made.index = count_of(each.get_object(), "index");
    made.native_code = static_cast<int>(count_of(each.get_object(), "code"));
    if (const auto* words = each.get_object().if_contains("errmsg"); words && words->is_string()) {
      made.message = std::string_view(words->get_string());
    }
  }
  return out;
}

// Leaves the ids of documents that did get in.
void keep_inserted(write_outcome& outcome, const document_writes& what,
                   const std::vector<document_write_error::failure>& failures) {
  std::vector<json::value> kept;
  std::size_t insert = 0;
  for (std::size_t i = 0; i < what.writes->size(); ++i) {
    if ((*what.writes)[i].action != action::insert) continue;
    auto& id = outcome.inserted_ids[insert++];
    const bool failed = std::ranges::any_of(failures, [i](const auto& each) { return each.index == i; });
    const bool never_tried = what.ordered && !failures.empty() && i > failures.front().index;
    if (!failed && !never_tried && kept.size() < outcome.inserted) kept.push_back(std::move(id));
  }
  outcome.inserted_ids = std::move(kept);
}

}  // namespace

task<write_outcome> session::write(const document_writes& what) {
  const environment& env = co_await this_environment();
  const auto work = [this, &what] { return write_now(what); };
  const auto call = [this, &env, &work] { return guarded(env, work); };
  offload asking(call);
  co_return co_await asking;
}

write_outcome session::write_now(const document_writes& what) {
  require_whole_transaction();
  write_outcome outcome;
  if (!what.writes || what.writes->empty()) return outcome;
  const std::string database(what.database);
  const std::string name(what.collection);
  if (database.empty() || name.empty() || (database + name).contains('\0')) {
    throw error(errc::invalid_argument, "a write needs the names of a database and a collection");
  }
  const native_ptr<mongoc_collection_t> collection(
      mongoc_client_get_collection(client_.get(), database.c_str(), name.c_str()));
  bson_document options;
  if (what.options) append_members(options.get(), *what.options);
  bson_append_bool(options.get(), "ordered", -1, what.ordered);
  outcome.acknowledged = acknowledges(options.get());
  if (outcome.acknowledged) append_session(options.get());
  const native_ptr<mongoc_bulk_operation_t> bulk(
      mongoc_collection_create_bulk_operation_with_opts(collection.get(), options.get()));
  bulk_writer writer(bulk.get(), outcome, what.form);
  std::size_t index = 0;
  for (const auto& each : *what.writes) writer.add(each, index++);

  bson_document reply;
  bson_error_t problem{};
  const auto until = saturating_add(std::chrono::steady_clock::now(), how_.server_selection);
  while (mongoc_bulk_operation_execute(bulk.get(), reply.for_output(), &problem) == 0) {
    if (is_selection_problem(problem)) {
      fail_unless_worth_waiting(problem, reply.get(), true, until);
    } else {
      fail_writes(problem, reply.get(), what, std::move(outcome));
    }
  }
  const auto answer = read_document(reply.get(), json_form::relaxed);
  read_counts(outcome, answer);
  read_upserted(outcome, reply.get(), what.form);
  return outcome;
}

bool session::acknowledges(const bson_t* options) const {
  bson_iter_t at;
  bson_iter_t inner;
  if (bson_iter_init_find(&at, options, "writeConcern") && bson_iter_recurse(&at, &inner) &&
      bson_iter_find(&inner, "w")) {
    return !BSON_ITER_HOLDS_NUMBER(&inner) || bson_iter_as_int64(&inner) != 0;
  }
  return mongoc_write_concern_is_acknowledged(mongoc_client_get_write_concern(client_.get()));
}

// Some of it may have been done.
void session::fail_writes(const bson_error_t& problem, const bson_t* reply, const document_writes& what,
                          write_outcome outcome) {
  const auto answer = read_document(reply, json_form::relaxed);
  read_counts(outcome, answer);
  read_upserted(outcome, reply, what.form);
  auto failures = read_failures(answer);
  keep_inserted(outcome, what, failures);
  try {
    if (failures.empty()) fail(problem, reply, true);
    throw server_error(failures.front().native_code, failures.front().message, reply);
  } catch (const error& cause) {
    throw document_write_error(cause, std::move(outcome), std::move(failures));
  }
}

}  // namespace polypool::mongodb
