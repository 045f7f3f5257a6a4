#include "tools/security.h"

#include "base/status.h"
#include "rpc/tls/plain_text.h"
#include "rpc/tls/tls_transport.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

// Adds nothing: for those who asked for plain text.
class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(Transport& below) : below_(below) {}
  void Connect(const Address& to, absl::Duration timeout, Connected done) override {
    below_.Connect(to, timeout, std::move(done));
  }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override {
    return below_.Listen(at, std::move(accept));
  }
  Executor& executor() override { return below_.executor(); }

 private:
  Transport& below_;
};

}  // namespace

void AddSecurityFlags(CommandLine& line, SecurityFlags* flags) {
  line.Flag(
      "tls", &flags->tls,
      "Talk TLS, and only to members of the fleet that DIR is of: it holds ca.pem, "
      "cert.pem and key.pem (see skep cert)",
      "DIR");
  line.Flag("plaintext", &flags->plaintext,
            "Allow addresses of other machines without TLS: anybody there may connect, "
            "and anybody on the way may read and change what is said");
}

absl::StatusOr<Security> Security::Load(const SecurityFlags& flags) {
  Security security;
  security.flags_ = flags;
  if (!flags.tls.empty()) {
    auto credentials = TlsCredentials::Load(flags.tls);
    if (!credentials.ok()) return EndsWith(kFiles, credentials.status());
    security.credentials_ = *std::move(credentials);
  }
  return security;
}

absl::Status Security::MayListen(const Address& at) const {
  return credentials_ != nullptr ? absl::OkStatus() : MayListenPlainly(at);
}

absl::Status Security::MayListenPlainly(const Address& at) const {
  return flags_.plaintext ? absl::OkStatus() : MayListenInPlainText(at);
}

absl::Status Security::MayConnect(const Address& to) const {
  return credentials_ != nullptr ? absl::OkStatus() : MayConnectPlainly(to);
}

absl::Status Security::MayConnectPlainly(const Address& to) const {
  return flags_.plaintext ? absl::OkStatus() : MayConnectInPlainText(to);
}

std::unique_ptr<Transport> Security::Over(Transport& sockets) const {
  if (credentials_ != nullptr) {
    return std::make_unique<TlsTransport>(sockets, credentials_);
  }
  if (flags_.plaintext) return std::make_unique<PlainTransport>(sockets);
  return std::make_unique<LoopbackTransport>(sockets);
}

}  // namespace skep
