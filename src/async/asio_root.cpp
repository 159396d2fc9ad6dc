// SPDX-License-Identifier: Apache-2.0
#include "async/asio_root.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>

namespace polypool::detail {

namespace asio = boost::asio;

namespace {

context_service& service_of(const asio::any_io_executor& executor) {
  auto& context = asio::query(executor, asio::execution::context);
  if (!asio::has_service<context_service>(context)) {
    // Services shut down in the reverse order of their making: the reactor has to be there before ours.
    const asio::posix::stream_descriptor makes_the_reactor(executor);
  }
  return asio::use_service<context_service>(context);
}

}  // namespace

asio_root::asio_root(const asio::any_io_executor& executor, task<void> body, std::unique_ptr<root_completion> done,
                     std::stop_token stop, clock& time)
    : plain_(executor),
      executor_(asio::prefer(executor, asio::execution::outstanding_work.tracked)),
      service_(service_of(executor)),
      done_(std::move(done)),
      body_(std::move(body)) {
  env_.waits = this;
  env_.time = &time;
  env_.stop = std::move(stop);
  if (const auto* plain = plain_.target<asio::io_context::executor_type>()) direct_ = *plain;
  service_.add(*this);
}

asio_root::~asio_root() { service_.remove(*this); }

void asio_root::start() {
  body_.handle().promise().env = &env_;
  next_ = body_.handle();
  post_drive();
}

void asio_root::post_drive() noexcept {
  context_service& service = service_;
  const context_service::posting post(service);  // this is not ours any more once it is posted
  if (direct_ && !service.woken.has_many_threads()) {
    const auto executor = *direct_;
    if (service.woken.push(*this)) asio::post(executor, [&service] { service.drive_woken(); });
    return;
  }
  auto driving = [this] { drive(); };
  direct_ ? asio::post(*direct_, driving) : asio::post(executor_, driving);
}

void asio_root::resume(std::coroutine_handle<> waiter) noexcept {
  next_ = waiter;
  if (state_.exchange(woken, std::memory_order_acq_rel) == suspended) post_drive();
}

void asio_root::drive() noexcept {
  state_.store(running, std::memory_order_relaxed);
  next_.resume();
  if (body_.handle().done()) {
    const auto done = std::move(done_);
    delete this;
    done->complete();
    return;
  }
  auto expected = static_cast<int>(running);
  if (state_.compare_exchange_strong(expected, suspended, std::memory_order_acq_rel)) return;
  post_drive();  // woken while it was leaving; others on the executor go first
}

void asio_root::wait_socket(socket_wait& wait) {
  auto socket = std::static_pointer_cast<registration>(wait.slot->registration);
  if (!socket || !socket->serves(*service_.sockets, wait.descriptor)) {
    wait.slot->reset();  // the old one lets go of the descriptor before a new one takes it
    socket = std::make_shared<registration>(service_.sockets, plain_, wait.descriptor);
    wait.slot->registration = socket;
  }
  wait.registration = socket;
  const auto interest = static_cast<unsigned>(wait.interest);
  wait.pending.store(wait.interest == socket_interest::read_or_write ? 2 : 1, std::memory_order_relaxed);
  const auto handler = [this, &wait] {
    return asio::bind_executor(executor_, [this, &wait](boost::system::error_code) { socket_done(wait); });
  };
  const std::scoped_lock lock(socket->mutex);
  wait.epoch = ++socket->epoch;
  if (interest & 1U) socket->descriptor->async_wait(asio::posix::stream_descriptor::wait_read, handler());
  if (interest & 2U) socket->descriptor->async_wait(asio::posix::stream_descriptor::wait_write, handler());
}

void asio_root::socket_done(socket_wait& wait) noexcept {
  const int left = wait.pending.fetch_sub(1, std::memory_order_acq_rel) - 1;
  if (left > 0) {
    cancel_socket(wait);
    return;
  }
  // We are on the executor already: no need to post.
  next_ = wait.waiter;
  if (state_.exchange(woken, std::memory_order_acq_rel) == suspended) drive();
}

void asio_root::cancel_socket(socket_wait& wait) noexcept {
  const auto socket = std::static_pointer_cast<registration>(wait.registration);
  socket->cancel(wait.epoch);
}

void asio_root::offload(offloaded_call& call) { service_.workers.run(call, *this); }

void start_root(const asio::any_io_executor& executor, task<void> body, std::unique_ptr<root_completion> done,
                std::stop_token stop, clock& time) {
  auto root = std::make_unique<asio_root>(executor, std::move(body), std::move(done), std::move(stop), time);
  root.release()->start();  // owns itself from here on; the service drops it if the context goes first
}

}  // namespace polypool::detail
