// SPDX-License-Identifier: Apache-2.0
#include <polypool/background.hpp>
#include <polypool/events.hpp>
#include <polypool/waits.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <utility>

namespace polypool {
namespace {

constexpr std::array<std::string_view, event_kind_count> words{
    "health-change",     "connection-error", "connection-recovery", "failover", "circuit-open",
    "circuit-half-open", "circuit-closed",   "pool-exhausted",      "leak",     "active-changed",
    "registered",        "removed",          "configuration"};

constexpr std::size_t batch = 64;  // events that listeners are told of before somebody may unsubscribe

// A text in a place of its own; what does not fit is cut between characters.
template <std::size_t Room>
struct fixed_text {
  std::uint16_t size;
  char bytes[Room];
  void set(std::string_view text) noexcept {
    std::size_t length = std::min(text.size(), Room);
    while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80) --length;
    if (length > 0) std::memcpy(bytes, text.data(), length);
    size = static_cast<std::uint16_t>(length);
  }
  std::string get() const { return {bytes, size}; }
};

// Left as it comes from the allocator: pages that no event was ever written to take no memory.
struct record {
  std::chrono::system_clock::rep at;
  event_kind kind;
  config::database_type type;
  fixed_text<event_bus::longest_name> connection;
  fixed_text<event_bus::longest_word> from, to;
  fixed_text<event_bus::longest_detail> detail;
};

}  // namespace

std::string_view to_string(event_kind kind) noexcept { return words[static_cast<std::size_t>(kind)]; }

std::optional<event_kind> parse_event_kind(std::string_view word) noexcept {
  const auto found = std::ranges::find(words, word);
  if (found == words.end()) return std::nullopt;
  return static_cast<event_kind>(found - words.begin());
}

struct event_bus::state : std::enable_shared_from_this<state> {
  struct member {
    std::uint64_t id = 0;
    std::uint64_t after = 0;  // the last event before it came
    listener told;
  };
  using members_list = std::vector<std::shared_ptr<member>>;

  void keep(event_kind kind, std::chrono::system_clock::time_point at, std::string_view connection,
            config::database_type type, std::string_view from, std::string_view to, std::string_view detail) noexcept;
  std::vector<connection_event> copy(std::uint64_t after, std::size_t most, bool newest) const;
  void tell_all() noexcept;
  void start_telling();
  static task<void> tell_later(std::shared_ptr<state> self);

  mutable std::mutex mutex;  // guards the ring; held for a copy only
  std::unique_ptr<record[]> ring = std::make_unique_for_overwrite<record[]>(kept);
  std::uint64_t last = 0;

  std::recursive_mutex telling;  // held while listeners are called; before the next one, never inside of it
  std::uint64_t told = 0;        // the last event that listeners know
  bool busy = false;             // a listener that publishes is not told inside of itself

  std::mutex joining;  // guards what follows
  members_list members;
  std::uint64_t next_member = 1;
  background* work = nullptr;
  bool running = false;  // the task
  bool ended = false;
  std::atomic<bool> heard{false};   // there are members
  std::atomic<bool> inline_{true};  // whoever publishes calls them
  event wake;
};

event_bus::event_bus() : state_(std::make_shared<state>()) {}
event_bus::~event_bus() { end_delivery(); }

void event_bus::state::keep(event_kind kind, std::chrono::system_clock::time_point at, std::string_view connection,
                            config::database_type type, std::string_view from, std::string_view to,
                            std::string_view detail) noexcept {
  {
    const std::scoped_lock lock(mutex);
    record& place = ring[last % kept];
    place.at = at.time_since_epoch().count();
    place.kind = kind;
    place.type = type;
    place.connection.set(connection);
    place.from.set(from);
    place.to.set(to);
    place.detail.set(detail);
    ++last;
  }
  if (!heard.load(std::memory_order_acquire)) return;
  if (inline_.load(std::memory_order_acquire)) {
    tell_all();
  } else {
    wake.set();
  }
}

std::vector<connection_event> event_bus::state::copy(std::uint64_t after, std::size_t most, bool newest) const {
  std::vector<connection_event> out;
  const std::scoped_lock lock(mutex);
  std::uint64_t first = std::max(after, last > kept ? last - kept : 0);  // the ids before the first and the last wanted
  if (first >= last) return out;
  std::uint64_t end = last;
  if (end - first > most) (newest ? first : end) = newest ? end - most : first + most;
  out.reserve(end - first);
  for (auto id = first; id < end; ++id) {
    const record& from = ring[id % kept];
    connection_event& made = out.emplace_back();
    made.id = id + 1;
    made.kind = from.kind;
    made.at = std::chrono::system_clock::time_point(std::chrono::system_clock::duration(from.at));
    made.connection = from.connection.get();
    made.type = from.type;
    made.from = from.from.get();
    made.to = from.to.get();
    made.detail = from.detail.get();
  }
  return out;
}

void event_bus::state::tell_all() noexcept {
  const std::scoped_lock one_at_a_time(telling);
  if (std::exchange(busy, true)) return;
  try {
    for (;;) {
      const auto fresh = copy(told, batch, false);
      if (fresh.empty()) break;
      members_list to;
      {
        const std::scoped_lock lock(joining);
        if (ended) break;
        to = members;
      }
      told = fresh.back().id;
      for (const auto& what : fresh) {
        for (const auto& each : to) {
          if (what.id <= each->after) continue;
          try {
            each->told(what);
          } catch (...) {
            // A listener's trouble is its own.
          }
        }
      }
    }
  } catch (...) {
    // No memory to tell of events; they are kept, and told of with the next one.
  }
  busy = false;
}

// Lives as long as there are members.
task<void> event_bus::state::tell_later(std::shared_ptr<state> self) {
  struct ending {
    state& bus;
    bool done = false;
    ~ending() {  // also when the background drops the task
      if (done) return;
      const std::scoped_lock lock(bus.joining);
      bus.running = false;
    }
  };
  ending at_end{*self};
  for (;;) {
    self->wake.reset();
    // On a worker: a listener may block, and the loop has sessions to open meanwhile.
    auto telling_them = [&bus = *self] { bus.tell_all(); };
    offload call(telling_them);
    co_await call;
    {
      const std::scoped_lock lock(self->joining);
      if (self->members.empty() || self->ended) {
        self->running = false;
        at_end.done = true;
        co_return;
      }
    }
    task<wait_result> waiting = self->wake.wait();
    const wait_result ended = co_await std::move(waiting);
    if (ended != wait_result::ready) co_return;
  }
}

void event_bus::state::start_telling() {
  if (!work || running || ended || members.empty()) return;
  work->spawn(tell_later(shared_from_this()));
  running = true;
}

void event_bus::publish(const connection_event& what) noexcept {
  const auto at = what.at == decltype(what.at)() ? std::chrono::system_clock::now() : what.at;
  state_->keep(what.kind, at, what.connection, what.type, what.from, what.to, what.detail);
}

void event_bus::publish(event_kind kind, std::string_view connection, config::database_type type, std::string_view from,
                        std::string_view to, std::string_view detail) noexcept {
  state_->keep(kind, std::chrono::system_clock::now(), connection, type, from, to, detail);
}

event_bus::subscription event_bus::subscribe(listener told) {
  auto fresh = std::make_shared<state::member>();
  fresh->told = std::move(told);
  const std::scoped_lock lock(state_->joining);
  fresh->id = state_->next_member++;
  fresh->after = last_id();
  state_->members.push_back(fresh);
  state_->heard.store(true, std::memory_order_release);
  try {
    state_->start_telling();
  } catch (...) {
    state_->members.pop_back();
    throw;
  }
  return {state_, fresh->id};
}

std::vector<connection_event> event_bus::recent(std::size_t most, std::uint64_t after) const {
  return state_->copy(after, most, true);
}
std::vector<connection_event> event_bus::next(std::uint64_t after, std::size_t most) const {
  return state_->copy(after, most, false);
}
std::uint64_t event_bus::last_id() const noexcept {
  const std::scoped_lock lock(state_->mutex);
  return state_->last;
}

void event_bus::deliver_on(background& work) {
  const std::scoped_lock lock(state_->joining);
  state_->work = &work;
  state_->inline_.store(false, std::memory_order_release);
  state_->start_telling();
}

void event_bus::end_delivery() noexcept {
  {
    const std::scoped_lock lock(state_->joining);
    if (state_->ended) return;
  }
  state_->tell_all();
  const std::scoped_lock lock(state_->joining);
  state_->ended = true;
  state_->work = nullptr;
  state_->heard.store(false, std::memory_order_release);
  state_->wake.set();  // the task ends, should its background live longer
}

event_bus::subscription::subscription(subscription&& other) noexcept
    : bus_(std::move(other.bus_)), id_(std::exchange(other.id_, 0)) {}
event_bus::subscription& event_bus::subscription::operator=(subscription&& other) noexcept {
  std::swap(bus_, other.bus_);
  std::swap(id_, other.id_);
  return *this;
}
event_bus::subscription::~subscription() {
  const auto bus = bus_.lock();
  if (!bus || id_ == 0) return;
  const std::scoped_lock no_call_runs(bus->telling);
  const std::scoped_lock lock(bus->joining);
  std::erase_if(bus->members, [&](const auto& each) { return each->id == id_; });
  if (!bus->members.empty()) return;
  bus->heard.store(false, std::memory_order_release);
  bus->wake.set();
}

}  // namespace polypool
