// SPDX-License-Identifier: Apache-2.0
#include <polypool/testing.hpp>
#include <polypool/waits.hpp>

#include <algorithm>
#include <utility>

namespace polypool::testing {

// results ------------------------------------------------------------------------------------------------------------

namespace {

struct as_field {
  std::string& store;
  field operator()(std::monostate) const { return field::null(); }
  field operator()(bool v) const { return field::integer(v ? 1 : 0, data_type::boolean); }
  field operator()(std::int64_t v) const { return field::integer(v); }
  field operator()(std::uint64_t v) const { return field::unsigned_integer(v); }
  field operator()(double v) const { return field::real(v); }
  field operator()(const std::string& v) const { return keep(data_type::text, v); }
  field operator()(text_view v) const { return keep(data_type::text, std::string(v.text)); }
  field operator()(const numeric& v) const { return keep(data_type::numeric, v.text); }
  field operator()(const bytes& v) const { return raw({v.data(), v.size()}); }
  field operator()(bytes_view v) const { return raw(v.data); }
  field operator()(date v) const { return keep(data_type::date, to_text(v)); }
  field operator()(time_of_day v) const { return keep(data_type::time, to_text(v)); }
  field operator()(timestamp v) const { return keep(data_type::timestamp, to_text(v)); }
  field operator()(timestamp_tz v) const { return keep(data_type::timestamp_tz, to_text(v)); }
  field operator()(const uuid& v) const { return keep(data_type::uuid, v.to_string()); }
  field operator()(const json_text& v) const { return keep(data_type::json, v.text); }

 private:
  field keep(data_type type, std::string text) const {
    store = std::move(text);
    return field::text(type, store);
  }
  field raw(std::span<const std::byte> data) const {
    store.assign(reinterpret_cast<const char*>(data.data()), data.size());
    return field::raw_bytes(store);
  }
};

class value_block final : public row_block {
 public:
  value_block(std::size_t columns, const std::vector<std::vector<value>>& rows)
      : columns_(columns), rows_(rows.size()) {
    texts_.resize(columns * rows_);
    for (const auto& each : rows) {
      if (each.size() != columns) throw error(errc::invalid_argument, "each row needs a value for each column");
      for (const auto& v : each) fields_.push_back(std::visit(as_field{texts_[fields_.size()]}, v.data()));
    }
  }
  std::size_t rows() const noexcept override { return rows_; }
  field at(std::size_t row, std::size_t column) const noexcept override { return fields_[row * columns_ + column]; }

 private:
  std::size_t columns_;
  std::size_t rows_;
  std::vector<std::string> texts_;
  std::vector<field> fields_;
};

}  // namespace

result make_result(std::vector<std::string> columns, std::vector<std::vector<value>> rows,
                   std::uint64_t affected_rows) {
  auto block = std::make_shared<value_block>(columns.size(), rows);
  std::vector<column> list;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    column each;
    each.name = std::move(columns[i]);
    each.type = rows.empty() ? data_type::null : block->at(0, i).type();
    list.push_back(std::move(each));
  }
  return {std::make_shared<column_list>(std::move(list)), std::move(block), affected_rows};
}

// the server ---------------------------------------------------------------------------------------------------------

void fake_server::fault::raise_if_due() {
  if (!cause || times == 0) return;
  if (times != for_ever) --times;
  throw error(*cause);
}

void fake_server::connect_takes(duration span) {
  const std::scoped_lock lock(mutex_);
  connect_time_ = span;
}
void fake_server::statements_take(duration span) {
  const std::scoped_lock lock(mutex_);
  statement_time_ = span;
}
void fake_server::fail_connects(error cause, std::uint32_t times) {
  const std::scoped_lock lock(mutex_);
  connect_fault_ = fault{std::move(cause), times};
}
void fake_server::fail_statements(error cause, std::uint32_t times) {
  const std::scoped_lock lock(mutex_);
  statement_fault_ = fault{std::move(cause), times};
}
void fake_server::fail_probes(error cause, std::uint32_t times) {
  const std::scoped_lock lock(mutex_);
  probe_fault_ = fault{std::move(cause), times};
}
void fake_server::fail_resets(error cause, std::uint32_t times) {
  const std::scoped_lock lock(mutex_);
  reset_fault_ = fault{std::move(cause), times};
}
void fake_server::heal() {
  const std::scoped_lock lock(mutex_);
  connect_fault_ = statement_fault_ = probe_fault_ = reset_fault_ = fault{};
  connects_hang_ = statements_hang_ = false;
}
void fake_server::hang(bool connects, bool statements) {
  const std::scoped_lock lock(mutex_);
  connects_hang_ = connects;
  statements_hang_ = statements;
}
void fake_server::cut_all() {
  const std::scoped_lock lock(mutex_);
  ++epoch_;
}
void fake_server::on_statement(answer give) {
  const std::scoped_lock lock(mutex_);
  answer_ = std::move(give);
}
void fake_server::set_role(server_info::role_type role) {
  const std::scoped_lock lock(mutex_);
  role_ = role;
}
void fake_server::set_lag(std::optional<duration> lag) {
  const std::scoped_lock lock(mutex_);
  lag_ = lag;
}
void fake_server::set_position(std::string position) {
  const std::scoped_lock lock(mutex_);
  position_ = std::move(position);
}
std::size_t fake_server::open_sessions() const {
  const std::scoped_lock lock(mutex_);
  return open_;
}
std::size_t fake_server::most_open_sessions() const {
  const std::scoped_lock lock(mutex_);
  return most_open_;
}
std::uint64_t fake_server::connects() const {
  const std::scoped_lock lock(mutex_);
  return connects_;
}
std::uint64_t fake_server::probes() const {
  const std::scoped_lock lock(mutex_);
  return probes_;
}
std::uint64_t fake_server::resets() const {
  const std::scoped_lock lock(mutex_);
  return resets_;
}
std::vector<std::string> fake_server::statements() const {
  const std::scoped_lock lock(mutex_);
  return statements_;
}

// sessions -----------------------------------------------------------------------------------------------------------

namespace {

// Waits as a slow or silent server makes one wait; throws at the deadline, or when the session is interrupted.
task<void> wait_for_server(duration span, bool for_ever, event* interrupted) {
  const environment env = co_await this_environment();
  const time_point when = for_ever ? no_deadline : saturating_add(env.time->now(), span);
  const bool moves_the_clock = env.blocking() && env.time->manual_timers() != nullptr;
  if (!interrupted || (moves_the_clock && std::min(when, env.deadline) != no_deadline)) {
    throw_unless_ready(co_await sleep_until(when));
    co_return;
  }
  task<wait_result> interruption = interrupted->wait();
  const wait_result ended = co_await with_deadline(when, std::move(interruption));
  if (ended == wait_result::timed_out && when <= env.deadline) co_return;
  if (ended != wait_result::ready) throw_unless_ready(ended);
  error cut(errc::connection_closed, "the session was interrupted");
  throw cut.with_poisoned_session();
}

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) {
           return a == (b >= 'a' && b <= 'z' ? static_cast<char>(b - 'a' + 'A') : b);
         });
}

}  // namespace

class fake_session final : public sql_session {
 public:
  explicit fake_session(std::shared_ptr<fake_server> server) : server_(std::move(server)) {
    const std::scoped_lock lock(server_->mutex_);
    server_->most_open_ = std::max(server_->most_open_, ++server_->open_);
  }
  ~fake_session() override {
    const std::scoped_lock lock(server_->mutex_);
    --server_->open_;
  }

  /// The server lets it in, or throws.
  void admit() {
    const std::scoped_lock lock(server_->mutex_);
    server_->connect_fault_.raise_if_due();
    epoch_ = server_->epoch_;
  }
  task<void> probe() override {
    check();
    co_await answer_or_hang();
    const std::scoped_lock lock(server_->mutex_);
    ++server_->probes_;
    server_->probe_fault_.raise_if_due();
    co_return;
  }
  task<void> reset() override {
    check();
    co_await answer_or_hang();
    const std::scoped_lock lock(server_->mutex_);
    ++server_->resets_;
    server_->reset_fault_.raise_if_due();
    state_ = transaction_state::none;
    dirty_ = false;
  }
  bool dirty() const noexcept override { return dirty_ || state_ != transaction_state::none; }
  bool broken() const noexcept override { return broken_ || interrupted_; }
  void interrupt() noexcept override { interrupted_ = true, interruption_.set(); }
  native_handle native() noexcept override {
    dirty_ = true;
    return {typeid(fake_server*), server_.get()};
  }
  task<server_info> describe() override {
    check();
    const std::scoped_lock lock(server_->mutex_);
    server_info info{"fake 1.0", server_->role_, server_->lag_, server_->position_};
    co_return info;
  }

  task<result> execute(statement what) override {
    check();
    duration takes{};
    bool hangs = false;
    {
      const std::scoped_lock lock(server_->mutex_);
      server_->statements_.emplace_back(what.text());
      takes = server_->statement_time_;
      hangs = server_->statements_hang_;
    }
    if (hangs || takes > duration::zero()) {
      dirty_ = true;  // until it is known how it ended
      co_await wait_for_server(takes, hangs, &interruption_);
      dirty_ = false;
    }
    check();
    co_return answer(what);
  }
  task<std::unique_ptr<cursor>> open(statement what) override;
  task<void> execute_script(std::string_view text) override {
    const statement whole(text);
    co_await execute(whole);
  }
  transaction_state transaction() const noexcept override { return state_; }
  std::string begin_statement(const transaction_options& options) const override {
    return options.read_only ? "BEGIN READ ONLY" : "BEGIN";
  }

 private:
  // A black hole swallows probes and resets, too.
  task<void> answer_or_hang() {
    bool hangs = false;
    {
      const std::scoped_lock lock(server_->mutex_);
      hangs = server_->statements_hang_;
    }
    if (!hangs) co_return;
    dirty_ = true;
    co_await wait_for_server({}, true, &interruption_);
  }
  void check() {
    const std::scoped_lock lock(server_->mutex_);
    if (interrupted_) {
      throw error(errc::connection_closed, "the session was interrupted").with_poisoned_session();
    }
    if (epoch_ == server_->epoch_) return;
    broken_ = true;
    throw error(errc::connection_lost, "the server closed the connection").with_poisoned_session();
  }
  result answer(statement what) {
    fake_server::answer give;
    {
      const std::scoped_lock lock(server_->mutex_);
      try {
        server_->statement_fault_.raise_if_due();
      } catch (const error& e) {
        if (e.poisons_session()) broken_ = true;
        throw;
      }
      give = server_->answer_;
    }
    if (starts_with_word(what.text(), "BEGIN")) state_ = transaction_state::active;
    if (starts_with_word(what.text(), "COMMIT")) state_ = transaction_state::none;
    if (starts_with_word(what.text(), "ROLLBACK") && what.text().size() < 10) state_ = transaction_state::none;
    if (give) return give(what.text(), what.parameters());
    if (what.text() == "SELECT 1") return make_result({"?column?"}, {{1}}, 1);
    return make_result({}, {});
  }

  std::shared_ptr<fake_server> server_;
  std::uint64_t epoch_ = 0;
  transaction_state state_ = transaction_state::none;
  bool dirty_ = false;
  bool broken_ = false;
  std::atomic<bool> interrupted_{false};
  event interruption_;
};

namespace {

class one_row final : public row_block {
 public:
  one_row(result whole, std::size_t index) : whole_(std::move(whole)), index_(index) {}
  std::size_t rows() const noexcept override { return 1; }
  field at(std::size_t, std::size_t column) const noexcept override { return whole_[index_][column]; }

 private:
  result whole_;
  std::size_t index_;
};

class fake_cursor final : public cursor {
 public:
  explicit fake_cursor(result whole)
      : whole_(std::move(whole)), columns_(std::make_shared<column_list>(whole_.columns())) {}
  const std::shared_ptr<const column_list>& columns() const noexcept override { return columns_; }
  task<std::shared_ptr<const row_block>> next() override {
    if (next_ == whole_.size()) co_return nullptr;
    co_return std::make_shared<one_row>(whole_, next_++);
  }
  task<void> finish() override {
    next_ = whole_.size();
    co_return;
  }
  std::uint64_t affected_rows() const noexcept override { return whole_.affected_rows(); }

 private:
  result whole_;
  std::shared_ptr<const column_list> columns_;
  std::size_t next_ = 0;
};

}  // namespace

task<std::unique_ptr<cursor>> fake_session::open(statement what) {
  result whole = co_await execute(what);
  co_return std::make_unique<fake_cursor>(std::move(whole));
}

class fake_driver final : public driver {
 public:
  fake_driver(std::shared_ptr<fake_server> server, std::string type)
      : server_(std::move(server)), type_(std::move(type)) {}
  std::string_view type() const noexcept override { return type_; }
  database_kind kind() const noexcept override { return database_kind::sql; }

  task<std::unique_ptr<session>> connect(const endpoint&) override {
    const auto server = server_;
    auto made = std::make_unique<fake_session>(server);  // the server sees it from now on
    duration takes{};
    bool hangs = false;
    {
      const std::scoped_lock lock(server->mutex_);
      ++server->connects_;
      takes = server->connect_time_;
      hangs = server->connects_hang_;
    }
    if (hangs || takes > duration::zero()) co_await wait_for_server(takes, hangs, nullptr);
    made->admit();
    co_return made;
  }

 private:
  std::shared_ptr<fake_server> server_;
  std::string type_;
};

std::shared_ptr<driver> make_fake_driver(std::shared_ptr<fake_server> server, std::string type) {
  return std::make_shared<fake_driver>(std::move(server), std::move(type));
}

}  // namespace polypool::testing
