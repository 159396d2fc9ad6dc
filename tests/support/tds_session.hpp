// SPDX-License-Identifier: Apache-2.0
// One session of the test server.
#pragma once

#include "support/tds_server.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polypool::test {

class tds_session final : public tds_results {
 public:
  tds_session(tds_server& server, tds_channel& channel) : server_(server), channel_(channel) {}
  ~tds_session() override;
  /// Serves until the client goes. Throws tds_gone, tds_broken.
  void serve();

 private:
  struct prepared {
    std::string text;
    std::vector<std::string> names;
  };

  // The conversation.
  void answer_prelogin();
  bool log_in();
  void answer(const tds_message& message);
  void answer_rpc(std::string_view data);
  void call(std::uint16_t procedure, tds_reader& in);
  void run(std::string_view text, const tds_parameters& parameters);
  tds_parameters read_parameters(tds_reader& in, const std::vector<std::string>& names);
  static std::vector<std::string> names_of(std::string_view declarations);
  const prepared& prepared_of(const tds_value& handle) const;

  // Tokens.
  void columns(const std::vector<tds_column>& all) override;
  void row(const std::vector<tds_value>& values) override;
  void done(std::uint64_t rows, bool counted) override;
  void failed(const tds_error& problem) override;
  void transaction_began(std::uint64_t descriptor) override;
  void transaction_ended(std::uint64_t descriptor, bool committed) override;
  bool attention_within(int milliseconds) override;
  void send_error(const tds_error& problem);
  void send_change(std::uint8_t kind, std::string_view fresh, std::string_view old);
  void send_transaction_change(std::uint8_t kind, std::uint64_t fresh, std::uint64_t old);
  void send_done(std::uint8_t token, std::uint16_t status, std::uint64_t rows);
  void send_handle(std::int32_t handle);
  void flush(tds_writer& out) { channel_.send(out.take()); }

  tds_server& server_;
  tds_channel& channel_;
  std::unique_ptr<tds_database> database_;
  std::vector<tds_column> columns_;
  std::map<std::int32_t, prepared> prepared_;
  std::int32_t next_handle_ = 1;
  bool logged_in_ = false;
  bool only_login_hidden_ = false;
  bool in_rpc_ = false;
  bool attended_ = false;  // an attention came while a statement ran
};

}  // namespace polypool::test
