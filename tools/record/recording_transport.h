// A transport whose listeners' streams are listened to: every RPC0 request that arrives
// goes to a TrafficWriter, and on to its server as if nothing stood in between. What
// is captured needs no part in the servers themselves, and what is not costs nothing.
//
// Control messages (hello, cancel, go-away) are the channel's own business and left
// out; so is what is not RPC0. A connection that sends a bad frame is captured until
// there.

#ifndef SKEP_TOOLS_RECORD_RECORDING_TRANSPORT_H_
#define SKEP_TOOLS_RECORD_RECORDING_TRANSPORT_H_

#include <atomic>
#include <memory>

#include "rpc/transport.h"
#include "tools/record/traffic_file.h"

namespace skep {

class RecordingTransport final : public Transport {
 public:
  // Both borrowed; `writer` outlives the streams.
  RecordingTransport(Transport& transport, TrafficWriter& writer)
      : transport_(transport), writer_(writer) {}

  void Connect(const Address& to, absl::Duration timeout, Connected done) override {
    transport_.Connect(to, timeout, std::move(done));
  }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override;
  Executor& executor() override { return transport_.executor(); }

 private:
  Transport& transport_;
  TrafficWriter& writer_;
  // shared with accepts that run as this object goes.
  const std::shared_ptr<std::atomic<uint64_t>> connections_ =
      std::make_shared<std::atomic<uint64_t>>(0);
};

}  // namespace skep

#endif  // SKEP_TOOLS_RECORD_RECORDING_TRANSPORT_H_
