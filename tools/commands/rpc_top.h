// `skep rpc top`.

#ifndef SKEP_TOOLS_COMMANDS_RPC_TOP_H_
#define SKEP_TOOLS_COMMANDS_RPC_TOP_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace skep {

struct RpcTopOptions {
  std::string address;
  absl::Duration interval = absl::Seconds(1);
  absl::Duration timeout = absl::Seconds(10);
  int64_t count = 0;  // readings; 0: until a signal
  bool json = false;
};
// Shows what the server's metrics say, again and again: a screen on a terminal, lines
// in a pipe, or an object of JSON a line. Unavailable when the server cannot be
// reached; a terminal's screen waits for one that went away, since somebody is looking.
absl::Status RunRpcTop(const RpcTopOptions& options);

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_RPC_TOP_H_
