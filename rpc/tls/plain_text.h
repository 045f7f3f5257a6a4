// Without TLS nothing is encrypted and nobody proves who they are: that is for this
// machine alone, unless the operator asks for more by name.

#ifndef SKEP_RPC_TLS_PLAIN_TEXT_H_
#define SKEP_RPC_TLS_PLAIN_TEXT_H_

#include <string_view>

#include "absl/status/status.h"
#include "rpc/address.h"
#include "rpc/transport.h"

namespace skep {

// Ok for addresses of this machine alone (names are not resolved). InvalidArgument says
// what to do instead; `flag`: by which TLS is asked for there.
absl::Status MayListenInPlainText(const Address& at);
absl::Status MayConnectInPlainText(const Address& to, std::string_view flag = "--tls");

// Another transport, held to these rules: also where addresses come from others, as
// those of a fleet's workers do.
class LoopbackTransport final : public Transport {
 public:
  // `below` is borrowed.
  explicit LoopbackTransport(Transport& below) : below_(below) {}

  void Connect(const Address& to, absl::Duration timeout, Connected done) override;
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override;
  Executor& executor() override { return below_.executor(); }

 private:
  Transport& below_;
};

}  // namespace skep

#endif  // SKEP_RPC_TLS_PLAIN_TEXT_H_
