// A frame on its way through the balancer: its id, and a request's budget, replaced.

#ifndef SKEP_RPC_BALANCE_FORWARDED_FRAME_H_
#define SKEP_RPC_BALANCE_FORWARDED_FRAME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rpc/rpc0_codec.h"
#include "rpc/transport.h"

namespace skep {

// Writes `frame`, whose parsed envelope is `envelope`, to `to` with `id` in place of
// its own and, if given, `budget_us` in place of its budget. A frame in our layout is
// copied once, straight into the stream (a large one given to the kernel uncopied), and
// its checksum patched: damage anywhere else stays visible to the receiver. One with
// its fields in another order, or with a second id, is encoded anew, in our order and
// without fields that are not known. InvalidArgument: then it does not fit into a
// frame; DataLoss: it is damaged by now. Nothing was written then.
//
// `owned`, if not null, holds the frame's bytes and may be given away: a large frame in
// our layout is then not copied at all. `frame` and `envelope` are views of it, and not
// to be used afterwards.
absl::Status WriteForwarded(Stream& to, std::string_view frame,
                            const Envelope& envelope, uint64_t id,
                            std::optional<uint32_t> budget_us = std::nullopt,
                            std::string* owned = nullptr);

// The same frame as a string, for who cannot write it yet.
absl::StatusOr<std::string> ForwardedFrame(std::string_view frame,
                                           const Envelope& envelope, uint64_t id,
                                           std::string* owned);

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_FORWARDED_FRAME_H_
