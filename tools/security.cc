#include "tools/security.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "rpc/metrics.h"
#include "rpc/tls/plain_text.h"
#include "rpc/tls/tls_transport.h"
#include "tools/exit_code.h"
#include "tools/probe.h"

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
  if (flags.tls.empty()) return security;
  auto watcher = CredentialWatcher::Open(flags.tls, absl::Now());
  if (!watcher.ok()) {
    return EndsWith(kFiles,
                    Annotate(watcher.status(), StrCat(flags.flag, " ", flags.tls)));
  }
  security.watcher_ = *std::move(watcher);
  security.watcher_->Start();
  return security;
}

absl::Status Security::MayListen(const Address& at) const {
  if (watcher_ != nullptr || flags_.plaintext) return absl::OkStatus();
  return MayListenInPlainText(at);
}

absl::Status Security::MayShowStatistics(const Address& at) const {
  if (at.IsLoopback() || flags_.plaintext) return absl::OkStatus();
  return InvalidArgument(
      "refused to show statistics on ", at,
      ": the page is HTTP in plain text, with or without --tls, and shows who calls ",
      "what; listen on 127.0.0.1 and reach it by `ssh -L` or a scraper on this ",
      "machine, or say --plaintext if everyone on that network may read it");
}

absl::Status Security::MayConnect(const Address& to) const {
  return watcher_ != nullptr ? absl::OkStatus() : MayConnectPlainly(to);
}

absl::Status Security::MayConnectPlainly(const Address& to) const {
  return flags_.plaintext ? absl::OkStatus() : MayConnectInPlainText(to, flags_.flag);
}

std::unique_ptr<Transport> Security::Over(Transport& sockets) const {
  if (watcher_ != nullptr) return std::make_unique<TlsTransport>(sockets, live());
  if (flags_.plaintext) return std::make_unique<PlainTransport>(sockets);
  return std::make_unique<LoopbackTransport>(sockets);
}

absl::Status Security::Explain(Transport& sockets, const Address& to,
                               absl::Duration timeout) const {
  const std::unique_ptr<Transport> transport = Over(sockets);
  return ProbePeer(*transport, to, watcher_ == nullptr, timeout);
}

absl::Status Security::AwaitListener(Transport& sockets,
                                     const std::vector<Address>& servers,
                                     std::string_view start) const {
  const std::unique_ptr<Transport> transport = Over(sockets);
  return skep::AwaitListener(*transport, servers, start);
}

void Security::Report(StatsReport* report) const {
  const auto now = credentials();
  if (now == nullptr) return;
  const absl::Duration left = now->expiry() - absl::Now();
  const std::string until =
      absl::FormatTime(absl::RFC3339_sec, now->expiry(), absl::UTCTimeZone());
  StatsReport::Section section;
  section.title =
      StrCat("TLS: ", now->identity(),
             left > absl::ZeroDuration() ? ", good until " : ", EXPIRED at ", until,
             left < kWarnBeforeExpiry ? ": RENEW IT NOW (skep cert renew)" : "");
  section.figures = {
      {.label = "seconds until our certificate ends",
       .value = std::max(0.0, absl::ToDoubleSeconds(left)),
       .metric = "skep_tls_certificate_seconds_left"},
      {.label = "revoked certificates known",
       .value = static_cast<double>(now->revoked().size()),
       .metric = "skep_tls_revoked_certificates"},
  };
  report->sections.push_back(std::move(section));
}

}  // namespace skep
