// SPDX-License-Identifier: Apache-2.0
// Batches of documents, asked for with getMore.
#include "drivers/mongodb/bson_reader.hpp"
#include "drivers/mongodb/errors.hpp"
#include "drivers/mongodb/guard.hpp"

#include <utility>

namespace polypool::mongodb {
namespace {

namespace json = boost::json;

// `batchSize` of find, or of the `cursor` member of the others; 0: as the server likes.
std::int64_t batch_size_of(const document& command) {
  const auto* size = command.if_contains("batchSize");
  if (const auto* inner = command.if_contains("cursor"); !size && inner && inner->is_object()) {
    size = inner->get_object().if_contains("batchSize");
  }
  return size && size->is_int64() ? size->get_int64() : 0;
}

std::string text_at(const bson_iter_t& at) {
  std::uint32_t size = 0;
  const char* text = bson_iter_utf8(&at, &size);
  return text ? std::string(text, size) : std::string();
}

[[noreturn]] void no_cursor() {
  throw error(errc::invalid_argument, "the command did not answer with a cursor")
      .with_hint("run it, and read its answer");
}

}  // namespace

task<std::unique_ptr<document_cursor>> session::open(const document_command& what) {
  const environment& env = co_await this_environment();
  const auto work = [this, &what, &env] { return open_now(what, env); };
  const auto call = [this, &env, &work] { return guarded(env, work); };
  offload asking(call);
  co_return co_await asking;
}

std::unique_ptr<document_cursor> session::open_now(const document_command& what, const environment& env) {
  require_whole_transaction();
  auto got = answer{};
  got.server = choose_server(what);
  send_command(what, env, got);
  auto reply = std::make_unique<bson_document>();
  bson_destroy(reply->get());
  if (!bson_steal(reply->get(), got.reply.get())) bson_copy_to(got.reply.get(), reply->get());
  bson_init(got.reply.get());
  server_cursor where;
  where.server = got.server;
  where.database = what.database;
  return std::make_unique<cursor>(*this, std::move(reply), std::move(where), batch_size_of(*what.body), what.form);
}

void session::fetch_batch(const server_cursor& which, std::int64_t batch_size, bson_t* reply, const environment&) {
  require_whole_transaction();
  bson_document command;
  bson_document options;
  bson_append_int64(command.get(), "getMore", -1, which.id);
  bson_append_utf8(command.get(), "collection", -1, which.collection.c_str(), -1);
  if (batch_size > 0) bson_append_int64(command.get(), "batchSize", -1, batch_size);
  append_session(options.get());
  if (which.server != 0) bson_append_int32(options.get(), "serverId", -1, static_cast<std::int32_t>(which.server));
  bson_error_t problem{};
  if (!mongoc_client_command_with_opts(client_.get(), which.database.c_str(), command.get(), nullptr, options.get(),
                                       reply, &problem)) {
    fail(problem, reply, false);
  }
}

void session::kill_cursor(const server_cursor& which) noexcept {
  bson_document command;
  bson_document options;
  bson_document reply;
  bson_t list;
  bson_append_utf8(command.get(), "killCursors", -1, which.collection.c_str(), -1);
  bson_append_array_begin(command.get(), "cursors", -1, &list);
  bson_append_int64(&list, "0", -1, which.id);
  bson_append_array_end(command.get(), &list);
  bson_error_t ignored{};
  if (own_) mongoc_client_session_append(own_.get(), options.get(), &ignored);
  if (which.server != 0) bson_append_int32(options.get(), "serverId", -1, static_cast<std::int32_t>(which.server));
  const bool done = mongoc_client_command_with_opts(client_.get(), which.database.c_str(), command.get(), nullptr,
                                                    options.get(), reply.for_output(), &ignored);
  if (!done && is_network_problem(ignored)) broken_ = true;
}

cursor::cursor(session& owner, std::unique_ptr<bson_document> reply, server_cursor where, std::int64_t batch_size,
               json_form form)
    : owner_(&owner),
      reply_(std::move(reply)),
      where_(std::move(where)),
      batch_size_(batch_size),
      generation_(owner.generation_),
      form_(form) {
  read_batch("firstBatch");
  if (where_.id != 0) ++owner_->open_cursors_;
}

cursor::~cursor() {
  if (where_.id == 0) return;
  if (generation_ == owner_->generation_) owner_->abandoned_.push_back(where_);
  end();
}

void cursor::end() noexcept {
  if (std::exchange(where_.id, 0) != 0) --owner_->open_cursors_;
}

// The answer is {cursor: {id, ns, firstBatch or nextBatch}}.
void cursor::read_batch(const char* name) {
  bson_iter_t top;
  bson_iter_t inside;
  more_ = false;
  if (!bson_iter_init_find(&top, reply_->get(), "cursor") || !BSON_ITER_HOLDS_DOCUMENT(&top) ||
      !bson_iter_recurse(&top, &inside)) {
    no_cursor();
  }
  std::int64_t id = 0;
  while (bson_iter_next(&inside)) {
    const std::string_view key = bson_iter_key(&inside);
    if (key == "id") {
      id = bson_iter_as_int64(&inside);
    } else if (key == "ns" && where_.collection.empty()) {
      const auto full = text_at(inside);
      where_.collection = full.substr(std::min(full.find('.'), full.size() - (full.empty() ? 0 : 1)) + 1);
    } else if (key == name && BSON_ITER_HOLDS_ARRAY(&inside)) {
      more_ = bson_iter_recurse(&inside, &at_) && bson_iter_next(&at_);
    }
  }
  if (id == 0) end();
  where_.id = id;
}

bool cursor::take(document& into) {
  if (!more_) return false;
  std::uint32_t size = 0;
  const std::uint8_t* data = nullptr;
  bson_iter_document(&at_, &size, &data);
  if (!data) throw error(errc::connection_lost, "the server sent a batch that holds no documents");
  into = read_document(data, size, form_);
  more_ = bson_iter_next(&at_);
  return true;
}

void cursor::require_same_connection() const {
  if (generation_ == owner_->generation_) return;
  throw error(errc::connection_lost, "the cursor is gone: its session had to connect anew")
      .with_hint("run the query again");
}

bool cursor::fetch_now(const environment& env) {
  require_same_connection();
  auto next = std::make_unique<bson_document>();
  owner_->fetch_batch(where_, batch_size_, next->for_output(), env);
  reply_ = std::move(next);
  read_batch("nextBatch");
  return true;
}

task<bool> cursor::fetch() {
  if (more_) co_return true;
  if (where_.id == 0) co_return false;
  const environment& env = co_await this_environment();
  const auto work = [this, &env] { return fetch_now(env); };
  const auto call = [this, &env, &work] {
    try {
      return owner_->guarded(env, work);
    } catch (const error& problem) {
      // What the server said of it ends it; after a strike it is lost with its connection.
      if (generation_ != owner_->generation_ || problem.native_code() != 0 || owner_->broken()) end();
      throw;
    }
  };
  offload asking(call);
  co_return co_await asking;
}

task<void> cursor::finish() {
  more_ = false;
  if (where_.id == 0) co_return;
  if (generation_ != owner_->generation_) {
    end();
    co_return;
  }
  owner_->abandoned_.push_back(where_);
  end();
  const environment& env = co_await this_environment();
  const auto work = [] {};  // attending to the session is all
  const auto call = [this, &env, &work] { owner_->guarded(env, work); };
  offload asking(call);
  co_await asking;
}

}  // namespace polypool::mongodb
