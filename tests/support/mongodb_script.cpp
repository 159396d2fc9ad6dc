// SPDX-License-Identifier: Apache-2.0
#include "support/mongodb_script.hpp"

#include "drivers/mongodb/bson_reader.hpp"
#include "drivers/mongodb/bson_writer.hpp"
#include "drivers/mongodb/native.hpp"

#include <algorithm>
#include <cstring>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace polypool::test {
namespace {

namespace json = boost::json;

constexpr std::int32_t op_reply = 1;
constexpr std::int32_t op_query = 2004;
constexpr std::int32_t op_msg = 2013;

struct header {
  std::int32_t length;
  std::int32_t request;
  std::int32_t response_to;
  std::int32_t operation;
};

template <class Number>
Number number_at(std::string_view data, std::size_t at) {
  Number out{};
  if (at + sizeof out > data.size()) throw std::runtime_error("a message is too short");
  std::memcpy(&out, data.data() + at, sizeof out);
  return out;
}

document document_at(std::string_view data, std::size_t at) {
  const auto size = static_cast<std::size_t>(number_at<std::int32_t>(data, at));
  if (at + size > data.size()) throw std::runtime_error("a message is too short");
  return mongodb::read_document(reinterpret_cast<const std::uint8_t*>(data.data()) + at, size, json_form::canonical);
}

std::string bytes_of(const document& source) {
  mongodb::bson_document made;
  mongodb::append_members(made.get(), source);
  return {reinterpret_cast<const char*>(bson_get_data(made.get())), made.get()->len};
}

template <class Number>
void append(std::string& to, Number number) {
  to.append(reinterpret_cast<const char*>(&number), sizeof number);
}

script_request read_message(std::string_view data) {
  script_request out;
  std::size_t at = sizeof(header) + 4;  // flags
  while (at < data.size()) {
    const char kind = data[at++];
    const auto size = static_cast<std::size_t>(number_at<std::int32_t>(data, at));
    if (kind == 0) {
      out.body = document_at(data, at);
    } else {
      const std::string name(data.data() + at + 4);
      json::array list;
      for (auto inside = at + 4 + name.size() + 1; inside < at + size;) {
        list.push_back(document_at(data, inside));
        inside += static_cast<std::size_t>(number_at<std::int32_t>(data, inside));
      }
      out.body[name] = std::move(list);
    }
    at += size;
  }
  return out;
}

// What clients that do not know the server yet say hello with.
script_request read_query(std::string_view data) {
  script_request out;
  const std::string name(data.data() + sizeof(header) + 4);
  out.database = name.substr(0, name.find('.'));
  out.body = document_at(data, sizeof(header) + 4 + name.size() + 1 + 8);
  return out;
}

std::string framed(std::int32_t operation, std::int32_t response_to, const std::string& body) {
  std::string out;
  append(out, header{static_cast<std::int32_t>(sizeof(header) + body.size()), 1, response_to, operation});
  return out + body;
}

// @param reply a document of BSON
std::string reply_to(const header& asked, const std::string& reply) {
  std::string body;
  if (asked.operation == op_query) {
    append(body, std::int32_t{8});
    append(body, std::int64_t{0});
    append(body, std::int32_t{0});
    append(body, std::int32_t{1});
    return framed(op_reply, asked.request, body + reply);
  }
  append(body, std::int32_t{0});
  body += '\0';
  return framed(op_msg, asked.request, body + reply);
}

bool is_hello(std::string_view name) { return name == "hello" || name == "isMaster" || name == "ismaster"; }

}  // namespace

struct mongodb_script::connection {
  int descriptor = -1;
  int number = 0;
  std::string input;
  bool over = false;
  std::jthread thread;
};

script_answer script_answer::encoded(const document& reply) { return {what_type::encoded, {}, bytes_of(reply)}; }

script_answer script_answer::failure(int code, std::string_view words, std::vector<std::string> labels) {
  document reply{{"ok", 0.0}, {"errmsg", words}, {"code", code}};
  if (!labels.empty()) reply["errorLabels"] = json::array(labels.begin(), labels.end());
  return with(std::move(reply));
}

script_answer script_answer::batch(std::string_view name_space, std::vector<document> documents, std::int64_t id,
                                   bool first) {
  json::array list;
  for (auto& each : documents) list.push_back(std::move(each));
  document cursor;
  cursor["id"] = document{{"$numberLong", std::to_string(id)}};
  cursor["ns"] = name_space;
  cursor[first ? "firstBatch" : "nextBatch"] = std::move(list);
  document reply;
  reply["cursor"] = std::move(cursor);
  reply["ok"] = 1.0;
  return with(std::move(reply));
}

mongodb_script::mongodb_script() {
  if (::pipe(wake_) != 0) throw std::runtime_error("the scripted server cannot be woken");
  thread_ = std::jthread([this] { accept_all(); });
}

mongodb_script::~mongodb_script() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  [[maybe_unused]] const auto written = ::write(wake_[1], "x", 1);
  thread_.join();
  cut_all();
  connections_.clear();  // joins
  for (const int each : wake_) ::close(each);
}

endpoint mongodb_script::where() const {
  endpoint out;
  out.host = "127.0.0.1";
  out.port = port();
  out.database = "scripted";
  return out;
}

void mongodb_script::on_command(decision decide) {
  const std::scoped_lock lock(mutex_);
  decide_ = std::move(decide);
}
void mongodb_script::join_set(std::string name, std::vector<std::string> members, bool primary) {
  const std::scoped_lock lock(mutex_);
  set_name_ = std::move(name);
  members_ = std::move(members);
  primary_ = primary;
}
void mongodb_script::wrote_at(std::int64_t seconds, int increment, int term) {
  document stamp{{"t", seconds}, {"i", increment}};
  document ts{{"$timestamp", std::move(stamp)}};
  document optime{{"ts", std::move(ts)}, {"t", document{{"$numberLong", std::to_string(term)}}}};
  document date{{"$date", document{{"$numberLong", std::to_string(seconds * 1000)}}}};
  const std::scoped_lock lock(mutex_);
  last_write_ = document{{"opTime", std::move(optime)}, {"lastWriteDate", std::move(date)}};
}
void mongodb_script::refuse(bool yes) {
  const std::scoped_lock lock(mutex_);
  refuses_ = yes;
}
void mongodb_script::cut_all() {
  const std::scoped_lock lock(mutex_);
  for (auto& each : connections_) {
    if (!each.over) ::shutdown(each.descriptor, SHUT_RDWR);
  }
}
std::vector<script_request> mongodb_script::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}
std::vector<script_request> mongodb_script::requests(std::string_view name) const {
  auto all = requests();
  std::erase_if(all, [&](const auto& each) { return each.name != name; });
  return all;
}
int mongodb_script::connections() const {
  const std::scoped_lock lock(mutex_);
  return accepted_;
}
int mongodb_script::open_connections() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(std::ranges::count_if(connections_, [](const auto& each) { return !each.over; }));
}

void mongodb_script::accept_all() {
  for (;;) {
    pollfd wanted[2] = {{listener_.get(), POLLIN, 0}, {wake_[0], POLLIN, 0}};
    if (::poll(wanted, 2, -1) < 0) continue;
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    if (wanted[0].revents == 0) continue;
    const int descriptor = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) continue;
    if (refuses_) {
      ::close(descriptor);
      continue;
    }
    auto& made = connections_.emplace_back();
    made.descriptor = descriptor;
    made.number = ++accepted_;
    made.thread = std::jthread([this, &made] { serve(made); });
  }
}

void mongodb_script::serve(connection& self) {
  try {
    while (answer_one(self)) continue;
  } catch (const std::exception&) {  // a client that sends nonsense, as it may in tests of broken connections
  }
  const std::scoped_lock lock(mutex_);
  self.over = true;
  ::close(self.descriptor);
}

// @return false when the connection is over
bool mongodb_script::answer_one(connection& self) {
  auto& data = self.input;
  const auto whole = [&data] {
    return data.size() >= 4 && data.size() >= static_cast<std::size_t>(number_at<std::int32_t>(data, 0));
  };
  while (!whole()) {
    char buffer[65536];
    const auto received = ::recv(self.descriptor, buffer, sizeof buffer, 0);
    if (received <= 0) return false;
    data.append(buffer, static_cast<std::size_t>(received));
  }
  const auto asked = number_at<header>(data, 0);
  const auto message = data.substr(0, static_cast<std::size_t>(asked.length));
  data.erase(0, message.size());
  auto request = asked.operation == op_query ? read_query(message) : read_message(message);
  request.connection = self.number;
  if (!request.body.empty()) request.name = std::string(request.body.begin()->key());
  if (const auto* database = request.body.if_contains("$db")) request.database = std::string(database->as_string());
  const bool unanswered = asked.operation == op_msg && (number_at<std::int32_t>(message, sizeof(header)) & 2) != 0;
  const auto answer = decide(request);
  switch (answer.what) {
    case script_answer::what_type::silence:
      return true;
    case script_answer::what_type::close:
      return false;
    default:
      break;
  }
  if (unanswered) return true;
  const auto bytes = answer.what == script_answer::what_type::reply     ? reply_to(asked, bytes_of(answer.reply))
                     : answer.what == script_answer::what_type::encoded ? reply_to(asked, answer.bytes)
                                                                        : answer.bytes;
  for (std::size_t sent = 0; sent < bytes.size();) {
    const auto count = ::send(self.descriptor, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

script_answer mongodb_script::decide(const script_request& request) {
  decision decide;
  {
    const std::scoped_lock lock(mutex_);
    if (!is_hello(request.name)) requests_.push_back(request);
    decide = decide_;
  }
  if (decide) {
    if (auto chosen = decide(request)) return *std::move(chosen);
  }
  return usual(request);
}

script_answer mongodb_script::usual(const script_request& request) const {
  if (is_hello(request.name)) return script_answer::with(hello());
  if (request.name == "buildInfo") return script_answer::with({{"version", "7.0.0"}, {"ok", 1.0}});
  for (const auto* known :
       {"ping", "endSessions", "killSessions", "killCursors", "commitTransaction", "abortTransaction"}) {
    if (request.name == known) return script_answer::ok();
  }
  if (request.name == "find" || request.name == "aggregate") return script_answer::batch("scripted.things", {});
  for (const auto* list : {"documents", "updates", "deletes"}) {
    if (const auto* found = request.body.if_contains(list)) {
      const auto count = static_cast<std::int64_t>(found->as_array().size());
      return script_answer::with({{"n", count}, {"nModified", count}, {"ok", 1.0}});
    }
  }
  return script_answer::failure(59, "no such command: '" + request.name + "'");
}

document mongodb_script::hello() const {
  const std::scoped_lock lock(mutex_);
  document out;
  out["ismaster"] = primary_;
  out["isWritablePrimary"] = primary_;
  out["helloOk"] = true;
  out["maxBsonObjectSize"] = 16777216;
  out["maxMessageSizeBytes"] = 48000000;
  out["maxWriteBatchSize"] = 100000;
  out["minWireVersion"] = 0;
  out["maxWireVersion"] = 21;
  out["readOnly"] = false;
  if (!set_name_.empty()) {
    out["setName"] = set_name_;
    out["setVersion"] = 1;
    out["secondary"] = !primary_;
    out["hosts"] = json::array(members_.begin(), members_.end());
    out["me"] = "127.0.0.1:" + std::to_string(port());
    if (primary_) out["primary"] = out["me"];
    out["logicalSessionTimeoutMinutes"] = 30;
    if (!last_write_.empty()) out["lastWrite"] = last_write_;
  }
  out["ok"] = 1.0;
  return out;
}

}  // namespace polypool::test
