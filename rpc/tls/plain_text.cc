#include "rpc/tls/plain_text.h"

#include <utility>

#include "base/status.h"

namespace skep {

absl::Status MayListenInPlainText(const Address& at) {
  if (at.IsLoopback()) return absl::OkStatus();
  return InvalidArgument(
      "refused to listen on ", at,
      ": other machines could reach it, and nothing would be encrypted or ",
      "authenticated; give --tls DIR (`skep cert` makes one), listen on 127.0.0.1, or ",
      "say --plaintext if everyone on that network may connect");
}

absl::Status MayConnectInPlainText(const Address& to, std::string_view flag) {
  if (to.IsLoopback()) return absl::OkStatus();
  return InvalidArgument(
      "refused to connect to ", to,
      ": it is not on this machine, and nothing would be encrypted or authenticated; ",
      "give ", flag, " DIR (`skep cert` makes one), or say --plaintext if everyone on ",
      "the way may read and change it");
}

void LoopbackTransport::Connect(const Address& to, absl::Duration timeout,
                                Connected done) {
  absl::Status refusal = MayConnectInPlainText(to);
  if (refusal.ok()) return below_.Connect(to, timeout, std::move(done));
  // As the door has it: on an executor of ours, and not inside this call.
  below_.executor().Post([refusal = std::move(refusal),
                          done = std::move(done)]() mutable { done(refusal); });
}

absl::StatusOr<std::unique_ptr<Listener>> LoopbackTransport::Listen(const Address& at,
                                                                    Accept accept) {
  SKEP_RETURN_IF_ERROR(MayListenInPlainText(at));
  return below_.Listen(at, std::move(accept));
}

}  // namespace skep
