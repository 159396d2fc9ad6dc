// SPDX-License-Identifier: Apache-2.0
/// @file
/// @ingroup manager
/// How calls to MongoDB are made: options that are set one after the other, `find_options().sort(…).limit(10)`.
#pragma once

#include <polypool/document.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace polypool {
namespace detail {

/// What every call can be told. Kept as the members that the server's command gets.
template <class Self>
class command_settings {
 public:
  /// Any other member of the command, by MongoDB's name for it, such as `let`.
  Self& with(std::string_view name, boost::json::value what) {
    fields_[name] = std::move(what);
    return self();
  }
  /// Shown in the server's log and profiler.
  Self& comment(boost::json::value text) { return with("comment", std::move(text)); }
  /// How text is compared: `{"locale": "de"}`.
  Self& collation(document rules) { return with("collation", std::move(rules)); }
  /// The index to use: its name, or its keys.
  Self& hint(boost::json::value index) { return with("hint", std::move(index)); }
  /// How long the call may take, with its wait for a session; instead of the connection's query_timeout. For a cursor,
  /// each fetch.
  Self& timeout(duration limit) {
    timeout_ = limit;
    return self();
  }
  /// Values come back in canonical extended JSON, which keeps the types of numbers apart.
  Self& canonical() {
    form_ = json_form::canonical;
    return self();
  }

  /// The members that the command gets.
  const document& fields() const noexcept { return fields_; }
  /// What was set; nothing: as configured.
  std::optional<duration> timeout() const noexcept { return timeout_; }
  /// How values come back.
  json_form form() const noexcept { return form_; }

 private:
  Self& self() noexcept { return static_cast<Self&>(*this); }
  document fields_;
  std::optional<duration> timeout_;
  json_form form_ = json_form::relaxed;
};

template <class Self>
class read_settings : public command_settings<Self> {
 public:
  /// Which members of a replica set may answer; as the connection is configured unless said here.
  Self& from(read_preference members) {
    from_ = members;
    return static_cast<Self&>(*this);
  }
  /// `local`, `majority`, `snapshot` …
  Self& read_concern(std::string_view level) {
    document concern;
    concern["level"] = level;
    return this->with("readConcern", std::move(concern));
  }
  /// What was set; nothing: as configured.
  std::optional<read_preference> from() const noexcept { return from_; }

 private:
  std::optional<read_preference> from_;
};

template <class Self>
class write_settings : public command_settings<Self> {
 public:
  /// How many members of a replica set have to have it: a number, or `majority`. 0 waits for no answer at all.
  Self& write_concern(boost::json::value members) {
    document concern;
    concern["w"] = std::move(members);
    return this->with("writeConcern", std::move(concern));
  }
};

}  // namespace detail

/// For find and find_one.
class find_options : public detail::read_settings<find_options> {
 public:
  /// Such as `{"date": -1, "name": 1}`: 1 ascending, -1 descending.
  find_options& sort(document order) { return with("sort", std::move(order)); }
  /// Which members to give: `{"title": 1}` these, `{"text": 0}` all but these.
  find_options& projection(document members) { return with("projection", std::move(members)); }
  /// Leaves out so many documents first.
  find_options& skip(std::int64_t documents) { return with("skip", documents); }
  /// Gives at most so many; 0: all.
  find_options& limit(std::int64_t documents) { return with("limit", documents); }
  /// Documents per fetch; the server's default is 101 at first, then as many as fit 16 MB.
  find_options& batch_size(std::int64_t documents) { return with("batchSize", documents); }
};

/// For aggregate.
class aggregate_options : public detail::read_settings<aggregate_options> {
 public:
  /// Documents per fetch.
  aggregate_options& batch_size(std::int64_t documents) { return with("cursor", document{{"batchSize", documents}}); }
  /// Stages that need more than 100 MB may write files on the server.
  aggregate_options& allow_disk_use(bool yes = true) { return with("allowDiskUse", yes); }
};

/// For count_documents, estimated_document_count and distinct.
class count_options : public detail::read_settings<count_options> {
 public:
  /// Leaves out so many first. For count_documents.
  count_options& skip(std::int64_t documents) { return with("skip", documents); }
  /// Counts at most so many. For count_documents.
  count_options& limit(std::int64_t documents) { return with("limit", documents); }
};

/// For update_one, update_many, replace_one, delete_one and delete_many.
class update_options : public detail::write_settings<update_options> {
 public:
  /// Inserts a document when none matches.
  update_options& upsert(bool yes = true) { return with("upsert", yes); }
  /// Which elements `$[name]` in the update means.
  update_options& array_filters(boost::json::array filters) { return with("arrayFilters", std::move(filters)); }
};

/// For insert_one, insert_many and bulk_write.
class insert_options : public detail::write_settings<insert_options> {
 public:
  /// Goes on behind a write that fails.
  insert_options& unordered() {
    ordered_ = false;
    return *this;
  }
  /// Takes documents that the collection's validator refuses.
  insert_options& bypass_document_validation(bool yes = true) { return with("bypassDocumentValidation", yes); }
  /// Whether it stops at the first write that fails.
  bool ordered() const noexcept { return ordered_; }

 private:
  bool ordered_ = true;
};

/// For find_one_and_update, find_one_and_replace and find_one_and_delete.
class modify_options : public detail::write_settings<modify_options> {
 public:
  /// Which document is the first, when several match.
  modify_options& sort(document order) { return with("sort", std::move(order)); }
  /// Which of its members to give.
  modify_options& projection(document members) { return with("fields", std::move(members)); }
  /// Inserts a document when none matches.
  modify_options& upsert(bool yes = true) { return with("upsert", yes); }
  /// Gives the document as it is afterwards, instead of as it was.
  modify_options& return_after(bool yes = true) { return with("new", yes); }
  /// Which elements `$[name]` in the update means.
  modify_options& array_filters(boost::json::array filters) { return with("arrayFilters", std::move(filters)); }
};

/// For create_index: members of the index's own document.
class index_options {
 public:
  /// Its name; made of its keys unless said here.
  index_options& name(std::string_view text) { return with("name", boost::json::string(text)); }
  /// No two documents may have the same keys.
  index_options& unique(bool yes = true) { return with("unique", yes); }
  /// Leaves out documents without the member.
  index_options& sparse(bool yes = true) { return with("sparse", yes); }
  /// Documents go this long after the time that the indexed member says.
  index_options& expire_after(std::chrono::seconds span) { return with("expireAfterSeconds", span.count()); }
  /// Indexes only documents that match.
  index_options& partial(document filter) { return with("partialFilterExpression", std::move(filter)); }
  /// Any other member, by MongoDB's name for it, such as `weights`.
  index_options& with(std::string_view member, boost::json::value what) {
    fields_[member] = std::move(what);
    return *this;
  }
  /// What was set.
  const document& fields() const noexcept { return fields_; }

 private:
  document fields_;
};

/// For run_command, and for what has no options of its own.
class command_options : public detail::read_settings<command_options> {
 public:
  /// It changes nothing: may go where the read preference says, and may be sent again when the connection breaks.
  command_options& reads_only(bool yes = true) {
    reads_only_ = yes;
    return *this;
  }
  /// Whether that was said.
  bool only_reads() const noexcept { return reads_only_; }

 private:
  bool reads_only_ = false;
};

}  // namespace polypool
