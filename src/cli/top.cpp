// SPDX-License-Identifier: Apache-2.0
// `polypool top`: asks the daemon on a thread of its own, so that keys never wait for it.
#include "cli/commands.hpp"
#include "cli/daemon_call.hpp"
#include "cli/exit_codes.hpp"
#include "cli/screen.hpp"
#include "cli/steering.hpp"
#include "cli/top_model.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <functional>
#include <iostream>
#include <mutex>
#include <stop_token>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace polypool::cli {

namespace json = boost::json;

namespace {

constexpr std::string_view status_path = "/api/admin/connections/status";
constexpr std::string_view groups_path = "/api/admin/connections/groups";
constexpr std::string_view events_path = "/api/events?limit=200";
constexpr auto once_interval = std::chrono::milliseconds(500);  // between the two answers that give a rate

std::string clock_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 16> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%H:%M:%S", &parts)};
}

void refresh(const std::string& url, top_model& model) {
  const auto status = data_of(ask(url, status_path));
  const auto events = data_of(ask(url, events_path));
  const auto groups = data_of(ask(url, groups_path));
  model.update(status, events, groups, std::chrono::steady_clock::now());
}

// What is wrong, as short as it can be said: a daemon that refuses says why in its details.
std::string one_line(const command_error& problem) {
  const std::string_view what = problem.what();
  return what.starts_with("the daemon says") && !problem.hint().empty() ? problem.hint() : std::string(what);
}

// Talks to the daemon. Its thread owns the model; the other side gets copies.
class talker {
 public:
  using action = std::function<std::string()>;  // gives what to say of it

  talker(std::string url, std::chrono::nanoseconds interval)
      : url_(std::move(url)), interval_(interval), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ~talker() {
    thread_.request_stop();
    thread_.join();
    ::close(wake_);
  }
  talker(const talker&) = delete;

  int wake() const noexcept { return wake_; }
  // What there is to see now.
  void look(top_model& model, top_view& view) {
    std::uint64_t ignored = 0;
    static_cast<void>(!::read(wake_, &ignored, sizeof ignored));
    const std::scoped_lock lock(mutex_);
    model = seen_;
    view.trouble = trouble_;
    if (message_.empty()) return;
    view.message = std::exchange(message_, {});
    view.refused = refused_;
  }
  void ask_for(action what) {
    const std::scoped_lock lock(mutex_);
    action_ = std::move(what);
    more_.notify_all();
  }

 private:
  void run(const std::stop_token& stop) {
    top_model model;
    while (!stop.stop_requested()) {
      action wanted;
      {
        const std::scoped_lock lock(mutex_);
        wanted = std::exchange(action_, nullptr);
      }
      std::string message, trouble;
      bool refused = false;
      try {
        if (wanted) message = wanted();
      } catch (const command_error& problem) {
        message = one_line(problem);
        refused = true;
      } catch (const std::exception& problem) {
        message = problem.what();
        refused = true;
      }
      try {
        refresh(url_, model);
      } catch (const std::exception& problem) {
        trouble = problem.what();
      }
      std::unique_lock lock(mutex_);
      seen_ = model;
      trouble_ = std::move(trouble);
      if (!message.empty()) {
        message_ = std::move(message);
        refused_ = refused;
      }
      const std::uint64_t one = 1;
      static_cast<void>(!::write(wake_, &one, sizeof one));
      more_.wait_for(lock, stop, interval_, [this] { return static_cast<bool>(action_); });
    }
  }

  const std::string url_;
  const std::chrono::nanoseconds interval_;
  const int wake_;
  std::mutex mutex_;
  std::condition_variable_any more_;
  top_model seen_;
  std::string trouble_, message_;
  bool refused_ = false;
  action action_;
  std::jthread thread_;
};

// The terminal's side: keys to a selection and actions.
class dialog {
 public:
  explicit dialog(std::string url) : url_(std::move(url)) { view_.url = daemon_url(url_); }

  void run(std::chrono::nanoseconds interval) {
    screen shown;
    talker daemon(url_, interval);
    for (bool going = true; going;) {
      view_.clock = clock_now();
      shown.show(draw(model_, view_, shown.size()));
      for (const auto& each : shown.wait(daemon.wake())) going = going && react(each, shown.size(), daemon);
      daemon.look(model_, view_);
      keep_selection();
    }
  }

 private:
  // @return false to quit
  bool react(const screen::press& pressed, const terminal& where, talker& daemon) {
    using key = screen::key;
    if (pressed.what == key::quit && view_.question.empty()) return false;
    if (pressed.what == key::resized) return true;
    if (view_.help) {
      view_.help = false;
      return true;
    }
    view_.message.clear();
    view_.refused = false;
    if (!view_.question.empty()) {
      answer(pressed.letter, daemon);
      return pressed.letter != '\x03';
    }
    const auto count = model_.rows().size();
    const auto page = std::max<std::size_t>(where.height / 2, 1);
    auto& at = view_.selected;
    if (pressed.what == key::up) at -= at > 0 ? 1 : 0;
    if (pressed.what == key::down) ++at;
    if (pressed.what == key::page_up) at -= std::min(at, page);
    if (pressed.what == key::page_down) at += page;
    if (pressed.what == key::home) at = 0;
    if (pressed.what == key::end) at = count;
    if (count > 0) at = std::min(at, count - 1);
    name_ = count > 0 && at < count ? key_of(model_.rows()[at]) : std::string();
    if (pressed.what == key::other) act(pressed.letter, daemon);
    return true;
  }

  void act(char letter, talker& daemon) {
    if (letter == '?' || letter == 'h') view_.help = true;
    if (view_.selected >= model_.rows().size()) return;
    const auto row = model_.rows()[view_.selected];
    if (letter == 's') {
      view_.message = "switching …";
      daemon.ask_for([url = url_, row] { return text_field(switch_to(url, row.name, row.redis), "message"); });
    } else if (letter == 'f') {
      offer_failover(row);
    } else if (letter == 'r') {
      view_.question = "Replace all sessions of '" + row.name + "'? (y/n)";
      pending_ = [url = url_, name = row.name] { return text_field(renew(url, name), "message"); };
    }
  }

  // To the selected member, unless it is the group or has the writes already: then to the next one.
  void offer_failover(const top_row& row) {
    const auto place = std::ranges::find(row.places, true, &group_place::failover);
    if (place == row.places.end()) {
      view_.message = "'" + row.name + "' belongs to no failover group";
      view_.refused = true;
      return;
    }
    const auto to = place->itself || place->primary == row.name ? std::string() : row.name;
    view_.question = "Send the writes of '" + place->group + "' to " +
                     (to.empty() ? std::string("the next member") : "'" + to + "'") + "? (y/n)";
    pending_ = [url = url_, group = place->group, to] { return text_field(fail_over(url, group, to), "message"); };
  }

  void answer(char letter, talker& daemon) {
    view_.question.clear();
    if (letter == 'y' || letter == 'Y') {
      view_.message = "at it …";
      daemon.ask_for(std::move(pending_));
    }
    pending_ = nullptr;
  }

  static std::string key_of(const top_row& row) { return (row.redis ? "r " : "d ") + row.name; }
  // The same connection stays selected when others come and go.
  void keep_selection() {
    const auto& rows = model_.rows();
    const auto found = std::ranges::find_if(rows, [this](const top_row& each) { return key_of(each) == name_; });
    if (found != rows.end()) view_.selected = static_cast<std::size_t>(found - rows.begin());
    if (view_.selected >= rows.size()) view_.selected = rows.empty() ? 0 : rows.size() - 1;
  }

  const std::string url_;
  top_model model_;
  top_view view_;
  std::string name_;  // of what is selected
  talker::action pending_;
};

int print_once(const arguments& given) {
  top_model model;
  refresh(given.url, model);
  std::this_thread::sleep_for(once_interval);
  refresh(given.url, model);
  top_view view;
  view.url = daemon_url(given.url);
  view.clock = clock_now();
  auto where = terminal::of(STDOUT_FILENO);
  where.height = 0;  // all of it
  for (const auto& each : draw(model, view, where)) std::cout << each << '\n';
  return success;
}

}  // namespace

int top(const arguments& given) {
  if (given.once) return print_once(given);
  dialog(given.url).run(given.interval);
  return success;
}

}  // namespace polypool::cli
