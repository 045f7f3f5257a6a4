// The frames of skep.Control (rpc/README.md, "Hello and control") for the balancer,
// which speaks it without a channel.

#ifndef SKEP_RPC_BALANCE_CONTROL_FRAMES_H_
#define SKEP_RPC_BALANCE_CONTROL_FRAMES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rpc/rpc0_codec.h"

namespace skep {

inline constexpr std::string_view kControlService = "skep.Control";

// What the balancer reads of a hello, or of the answer to one.
struct Hello {
  uint64_t id = 0;
  std::optional<std::string> fleet;
};
std::optional<Hello> ParseHello(std::string_view message);
// "" names no fleet.
std::string HelloFrame(uint64_t id, const std::string& fleet);
std::string HelloReplyFrame(uint64_t id, const std::string& fleet);

// The id that a Cancel names.
std::optional<uint64_t> ParseCancel(std::string_view message);
std::string CancelFrame(uint64_t id);

std::string GoAwayFrame(uint64_t last_accepted_id);

// A call of `method` with an empty request.
std::string EmptyRequestFrame(uint64_t id, std::string_view service,
                              std::string_view method);

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_CONTROL_FRAMES_H_
