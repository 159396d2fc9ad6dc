// SPDX-License-Identifier: Apache-2.0
#include "driver/patient_socket.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <memory>
#include <sys/socket.h>
#include <unistd.h>

namespace polypool::test {
namespace {

class patient_socket_test : public ::testing::Test {
 protected:
  patient_socket_test() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()), 0); }
  ~patient_socket_test() override {
    for (const int end : ends_) ::close(end);
  }
  bool blocks() const { return (::fcntl(ends_[0], F_GETFL) & O_NONBLOCK) == 0; }
  void make_nonblocking() const { ::fcntl(ends_[0], F_SETFL, ::fcntl(ends_[0], F_GETFL) | O_NONBLOCK); }

  std::array<int, 2> ends_{-1, -1};
  socket_slot slot_;
  patient_socket socket_;
};

TEST_F(patient_socket_test, a_read_waits_and_not_for_ever) {
  ASSERT_TRUE(socket_.let_reads_wait(ends_[0], slot_));
  const auto begin = std::chrono::steady_clock::now();
  char byte = 0;
  EXPECT_EQ(::recv(ends_[0], &byte, 1, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, longest_read / 2);
  EXPECT_EQ(::send(ends_[1], "x", 1, 0), 1);
  EXPECT_EQ(::recv(ends_[0], &byte, 1, 0), 1);
}

TEST_F(patient_socket_test, what_an_event_loop_had_is_taken_from_it) {
  ASSERT_TRUE(socket_.let_reads_wait(ends_[0], slot_));
  make_nonblocking();
  const auto loops_note = std::make_shared<int>();
  slot_.registration = loops_note;
  ASSERT_TRUE(socket_.let_reads_wait(ends_[0], slot_));
  EXPECT_TRUE(blocks());
  EXPECT_EQ(loops_note.use_count(), 1);
}

TEST_F(patient_socket_test, is_asked_of_the_system_only_when_in_doubt) {
  ASSERT_TRUE(socket_.let_reads_wait(ends_[0], slot_));
  make_nonblocking();
  ASSERT_TRUE(socket_.let_reads_wait(ends_[0], slot_));
  EXPECT_FALSE(blocks());
  socket_.doubt();
  ASSERT_TRUE(socket_.let_reads_wait(ends_[0], slot_));
  EXPECT_TRUE(blocks());
}

TEST_F(patient_socket_test, where_the_system_refuses_nothing_may_wait) {
  EXPECT_FALSE(socket_.let_reads_wait(-1, slot_));
}

}  // namespace
}  // namespace polypool::test
