// A transport whose listeners' streams are listened to: every RPC0 request that arrives
// goes to a TrafficWriter, and on to its server as if nothing stood in between. What
// is captured needs no part in the servers themselves, and what is not costs nothing.
//
// Control messages (hello, cancel, go-away) are the channel's own business and left
// out; so is what is not RPC0. A connection that sends a bad frame is captured until
// there.
//
// A frame that comes in parts is copied until all of it is there. So that this costs a
// bounded number of bytes, frames over kLargestCaptured are not captured, nor those
// that come while kMostWaiting are waiting for their rest on all connections: they
// count as dropped, and nothing of them is kept.

#ifndef SKEP_TOOLS_RECORD_RECORDING_TRANSPORT_H_
#define SKEP_TOOLS_RECORD_RECORDING_TRANSPORT_H_

#include <atomic>
#include <memory>

#include "rpc/transport.h"
#include "tools/record/traffic_file.h"

namespace skep {

class RecordingTransport final : public Transport {
 public:
  static constexpr size_t kLargestCaptured = 1 << 20;
  static constexpr size_t kMostWaiting = 16 << 20;

  // Both borrowed; `writer` outlives the streams.
  RecordingTransport(Transport& transport, TrafficWriter& writer)
      : transport_(transport), writer_(writer) {}

  void Connect(const Address& to, absl::Duration timeout, Connected done) override {
    transport_.Connect(to, timeout, std::move(done));
  }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override;
  Executor& executor() override { return transport_.executor(); }
  // Bytes kept of frames that are not all there yet.
  size_t waiting() const { return counts_->waiting.load(std::memory_order_relaxed); }

 private:
  Transport& transport_;
  TrafficWriter& writer_;
  friend class RecordingStream;
  struct Counts {
    std::atomic<uint64_t> connections{0};
    std::atomic<size_t> waiting{0};  // bytes of frames that are not all there
  };
  // shared with accepts that run as this object goes, and with streams.
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

}  // namespace skep

#endif  // SKEP_TOOLS_RECORD_RECORDING_TRANSPORT_H_
