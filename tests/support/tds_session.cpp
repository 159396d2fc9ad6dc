// SPDX-License-Identifier: Apache-2.0
// The conversation of one session: logging in, batches, remote procedure calls.
#include "support/tds_session.hpp"

namespace polypool::test {
namespace {

enum procedure : std::uint16_t {
  sp_executesql = 10,
  sp_prepare = 11,
  sp_execute = 12,
  sp_prepexec = 13,
  sp_unprepare = 15,
};

enum class encryption : std::uint8_t { off = 0, on = 1, not_supported = 2, required = 3 };

// The option with number 1; off when it is not there.
encryption wished_encryption(std::string_view prelogin) {
  for (std::size_t at = 0; at + 5 <= prelogin.size() && static_cast<std::uint8_t>(prelogin[at]) != 0xFF; at += 5) {
    if (prelogin[at] != 1) continue;
    const auto offset = static_cast<std::size_t>(static_cast<std::uint8_t>(prelogin[at + 1])) << 8 |
                        static_cast<std::uint8_t>(prelogin[at + 2]);
    if (offset < prelogin.size()) return static_cast<encryption>(prelogin[offset]);
  }
  return encryption::off;
}

// What stands before a batch or a call: the transaction it belongs to.
void skip_headers(tds_reader& in) {
  const auto size = in.number<std::uint32_t>();
  if (size < 4) throw tds_broken("headers without a size");
  in.bytes(size - 4);
}

std::string decoded_password(std::string_view data) {
  std::string plain;
  for (const char c : data) {
    const auto byte = static_cast<std::uint8_t>(c) ^ 0xA5;
    plain.push_back(static_cast<char>((byte >> 4) | (byte << 4)));
  }
  return tds_reader(plain).text(plain.size() / 2);
}

// By its number or by its name.
std::uint16_t read_procedure(tds_reader& in) {
  const auto size = in.number<std::uint16_t>();
  if (size == 0xFFFF) return in.number<std::uint16_t>();
  const std::string name = in.text(size);
  static const std::map<std::string, std::uint16_t, std::less<>> numbers{{"sp_executesql", sp_executesql},
                                                                         {"sp_prepare", sp_prepare},
                                                                         {"sp_execute", sp_execute},
                                                                         {"sp_prepexec", sp_prepexec},
                                                                         {"sp_unprepare", sp_unprepare}};
  const auto found = numbers.find(name);
  if (found == numbers.end()) throw tds_broken("a procedure that is not known: " + name);
  return found->second;
}

std::string text_of(const tds_value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text ? *text : std::string();
}

}  // namespace

tds_session::~tds_session() {
  if (logged_in_) --server_.sessions_;
}

void tds_session::serve() {
  answer_prelogin();
  if (!log_in()) return;
  for (;;) {
    const auto message = channel_.receive();
    attended_ = false;
    answer(message);
  }
}

// Version, encryption, no MARS.
void tds_session::answer_prelogin() {
  const auto asked = channel_.receive();
  if (asked.type != tds_packet::prelogin) throw tds_broken("no PRELOGIN");
  const auto wish = wished_encryption(asked.data);
  encryption answer = encryption::not_supported;
  if (server_.encrypts_ && wish != encryption::not_supported) {
    answer = wish == encryption::off ? encryption::off : encryption::on;
  }
  tds_writer out;
  const auto option = [&](std::uint8_t number, std::uint16_t offset, std::uint16_t size) {
    out.byte(number);
    out.byte(static_cast<std::uint8_t>(offset >> 8));
    out.byte(static_cast<std::uint8_t>(offset));
    out.byte(static_cast<std::uint8_t>(size >> 8));
    out.byte(static_cast<std::uint8_t>(size));
  };
  constexpr std::uint16_t values_at = 3 * 5 + 1;
  option(0, values_at, 6);
  option(1, values_at + 6, 1);
  option(4, values_at + 7, 1);
  out.byte(0xFF);
  for (const std::uint8_t byte : {16, 0, 0x10, 0x00, 0, 0}) out.byte(byte);
  out.byte(static_cast<std::uint8_t>(answer));
  out.byte(0);
  flush(out);
  channel_.finish();
  if (answer == encryption::not_supported) return;
  channel_.start_tls(server_.certificate_);
  only_login_hidden_ = answer == encryption::off;
  ++(only_login_hidden_ ? server_.hidden_logins_ : server_.encrypted_);
}

bool tds_session::log_in() {
  const auto message = channel_.receive();
  if (message.type != tds_packet::login) throw tds_broken("no LOGIN7");
  if (only_login_hidden_) channel_.stop_tls();
  const std::string_view data = message.data;
  const auto field = [&](std::size_t place) {
    tds_reader in(data);
    in.bytes(place);
    const auto offset = in.number<std::uint16_t>();
    const auto units = in.number<std::uint16_t>();
    tds_reader there(data);
    there.bytes(offset);
    return there.bytes(2 * std::size_t{units});
  };
  const auto text = [&](std::size_t place) {
    const auto bytes = field(place);
    return tds_reader(bytes).text(bytes.size() / 2);
  };
  const std::string user = text(40);
  const std::string password = decoded_password(field(44));
  const std::string database = text(68);
  std::optional<tds_error> refusal;
  if (user != tds_server::user || password != tds_server::password) {
    refusal.emplace(18456, 14, "Login failed for user '" + user + "'.");
  } else if (!database.empty() && database != "test") {
    refusal.emplace(4060, 11, "Cannot open database \"" + database + "\" requested by the login. The login failed.");
  } else if (server_.sessions_ >= server_.most_sessions_) {
    refusal.emplace(17809, 20,
                    "Could not connect because the maximum number of '" +
                        std::to_string(server_.most_sessions_.load()) + "' user connections has already been reached.");
  }
  if (refusal) {
    send_error(*refusal);
    send_done(0xFD, 2, 0);
    channel_.finish();
    return false;
  }
  ++server_.sessions_;
  logged_in_ = true;
  database_ = std::make_unique<tds_database>(server_.file_, server_.next_number_++);
  send_change(1, "test", "master");
  tds_writer out;
  const std::string name = "Microsoft SQL Server";
  out.byte(0xAD);
  out.number(1 + 4 + 1 + 2 * name.size() + 4, 2);
  out.byte(1);
  for (const std::uint8_t byte : {0x74, 0x00, 0x00, 0x04}) out.byte(byte);
  out.short_text(name);
  for (const std::uint8_t byte : {16, 0, 0x10, 0x00}) out.byte(byte);
  flush(out);
  send_done(0xFD, 0, 0);
  channel_.finish();
  return true;
}

void tds_session::answer(const tds_message& message) {
  in_rpc_ = message.type == tds_packet::rpc;
  if (message.type == tds_packet::attention) {
    attended_ = true;
  } else {
    database_->read_only(server_.read_only_);
    database_->replica_behind(server_.replica_behind_);
    try {
      if (message.type == tds_packet::rpc) {
        answer_rpc(message.data);
      } else if (message.type == tds_packet::batch) {
        tds_reader in(message.data);
        skip_headers(in);
        run(in.text((message.data.size() - in.position()) / 2), {});
      } else {
        throw tds_broken("a message of a type that is not known");
      }
    } catch (const tds_attention&) {
      ++server_.attentions_;
    }
  }
  if (attended_) send_done(0xFD, 0x20, 0);
  channel_.finish();
}

void tds_session::run(std::string_view text, const tds_parameters& parameters) {
  try {
    database_->run(text, parameters, *this);
    if (!in_rpc_) send_done(0xFD, 0, 0);
  } catch (const tds_error& problem) {
    send_error(problem);
    send_done(in_rpc_ ? 0xFF : 0xFD, in_rpc_ ? 0x03 : 0x02, 0);
  }
}

void tds_session::answer_rpc(std::string_view data) {
  tds_reader in(data);
  skip_headers(in);
  const auto number = read_procedure(in);
  in.bytes(2);  // option flags
  ++server_.calls_[number % 16];
  call(number, in);
  tds_writer out;
  out.byte(0x79);  // the procedure's own result
  out.number(0, 4);
  flush(out);
  send_done(0xFE, 0, 0);
}

void tds_session::call(std::uint16_t number, tds_reader& in) {
  const auto next = [&] {
    in.short_text();
    in.bytes(1);
    return read_parameter(in);
  };
  switch (number) {
    case sp_executesql: {
      const std::string text = text_of(next());
      const auto names = in.at_end() ? std::vector<std::string>() : names_of(text_of(next()));
      return run(text, read_parameters(in, names));
    }
    case sp_prepare:
    case sp_prepexec: {
      next();  // where the handle goes
      prepared fresh;
      fresh.names = names_of(text_of(next()));
      fresh.text = text_of(next());
      const auto handle = next_handle_++;
      const auto& kept = prepared_[handle] = std::move(fresh);
      if (number == sp_prepexec) run(kept.text, read_parameters(in, kept.names));
      return send_handle(handle);
    }
    case sp_execute: {
      const auto& what = prepared_of(next());
      return run(what.text, read_parameters(in, what.names));
    }
    case sp_unprepare: {
      const auto handle = next();
      prepared_of(handle);
      prepared_.erase(static_cast<std::int32_t>(std::get<std::int64_t>(handle)));
      return;
    }
    default:
      throw tds_broken("a procedure that is not known: " + std::to_string(number));
  }
}

const tds_session::prepared& tds_session::prepared_of(const tds_value& handle) const {
  const auto* number = std::get_if<std::int64_t>(&handle);
  const auto found = number ? prepared_.find(static_cast<std::int32_t>(*number)) : prepared_.end();
  if (found == prepared_.end()) throw tds_broken("a handle of nothing prepared");
  return found->second;
}

tds_parameters tds_session::read_parameters(tds_reader& in, const std::vector<std::string>& names) {
  tds_parameters out;
  for (std::size_t i = 0; !in.at_end(); ++i) {
    std::string name = in.short_text();
    in.bytes(1);
    if (name.empty() && i < names.size()) name = names[i];
    out[name] = read_parameter(in);
  }
  return out;
}

// The names in `@P1 int, @P2 decimal(10,2)`.
std::vector<std::string> tds_session::names_of(std::string_view declarations) {
  std::vector<std::string> out;
  for (auto at = declarations.find('@'); at != std::string_view::npos; at = declarations.find('@', at + 1)) {
    out.emplace_back(declarations.substr(at, declarations.find(' ', at) - at));
  }
  return out;
}

bool tds_session::attention_within(int milliseconds) {
  if (!attended_) attended_ = channel_.attention_within(milliseconds);
  return attended_;
}

}  // namespace polypool::test
