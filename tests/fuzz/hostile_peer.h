// A peer that sends what a fuzzer says: nonsense, or frames that are whole.

#ifndef SKEP_TESTS_FUZZ_HOSTILE_PEER_H_
#define SKEP_TESTS_FUZZ_HOSTILE_PEER_H_

#include <memory>
#include <string>

#include "base/executor.h"
#include "rpc/transport.h"
#include "tests/fuzz/fuzz_input.h"

namespace skep {

class HostilePeer final : public StreamHandler {
 public:
  explicit HostilePeer(ManualExecutor& executor) : executor_(executor) {}

  void Take(std::unique_ptr<Stream> stream);
  // Does the next thing that the input says.
  void Act(FuzzInput& input);

 private:
  size_t OnData(std::string_view bytes) override { return bytes.size(); }
  void OnPeerClosed() override {}
  void OnClosed(const absl::Status&) override { stream_ = nullptr; }

  ManualExecutor& executor_;
  std::unique_ptr<Stream> stream_;
};

// A frame by the fuzzer's choices: of calls, replies and control messages.
std::string HostileFrame(FuzzInput& input);

}  // namespace skep

#endif  // SKEP_TESTS_FUZZ_HOSTILE_PEER_H_
