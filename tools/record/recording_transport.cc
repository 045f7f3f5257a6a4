#include "tools/record/recording_transport.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/coding.h"
#include "rpc/control.pb.h"
#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"

namespace skep {

class RecordingStream final : public Stream, StreamHandler {
 public:
  using Counts = RecordingTransport::Counts;

  RecordingStream(std::unique_ptr<Stream> stream, TrafficWriter& writer,
                  std::shared_ptr<Counts> counts)
      : stream_(std::move(stream)),
        writer_(writer),
        counts_(std::move(counts)),
        connection_(counts_->connections.fetch_add(1, std::memory_order_relaxed) + 1) {}
  ~RecordingStream() override {
    Forget();
    if (gone_ != nullptr) *gone_ = true;
  }

  // --- Stream ---------------------------------------------------------------------
  void Start(StreamHandler* handler) override {
    handler_ = handler;
    Attach(handler, this);
    stream_->Start(this);
  }
  void Write(std::string_view bytes) override { stream_->Write(bytes); }
  void WriteOwned(std::string bytes) override { stream_->WriteOwned(std::move(bytes)); }
  char* BeginWrite(size_t most) override { return stream_->BeginWrite(most); }
  void EndWrite(size_t count) override { stream_->EndWrite(count); }
  size_t unsent() const override { return stream_->unsent(); }
  size_t untaken() const override { return stream_->untaken(); }
  size_t lost() const override { return stream_->lost(); }
  void SetReading(bool on) override { stream_->SetReading(on); }
  void CloseWhenDrained(absl::Duration linger) override {
    stream_->CloseWhenDrained(linger);
  }
  void Abort(absl::Status reason) override { stream_->Abort(std::move(reason)); }
  Executor& executor() override { return stream_->executor(); }
  const std::string& peer() const override { return stream_->peer(); }
  const std::string& local() const override { return stream_->local(); }

 private:
  // --- StreamHandler ----------------------------------------------------------------
  size_t OnData(std::string_view bytes) override {
    // The front was offered before and not consumed.
    Look(bytes.substr(std::min(left_, bytes.size())));
    // The handler may destroy this object.
    bool gone = false;
    gone_ = &gone;
    const size_t consumed = handler_->OnData(bytes);
    if (gone) return consumed;
    gone_ = nullptr;
    left_ = bytes.size() - consumed;
    return consumed;
  }
  void OnPeerClosed() override { handler_->OnPeerClosed(); }
  void OnDrained() override { handler_->OnDrained(); }
  void OnClosed(const absl::Status& reason) override { handler_->OnClosed(reason); }

  // Cuts what has newly arrived into frames.
  void Look(std::string_view bytes) {
    if (lost_ || bytes.empty()) return;
    const absl::Time now = stream_->executor().clock().Now();
    const size_t skipped = std::min(skip_, bytes.size());
    skip_ -= skipped;
    bytes.remove_prefix(skipped);
    std::string_view rest = bytes;
    if (!partial_.empty()) {
      partial_ += bytes;
      counts_->waiting.fetch_add(bytes.size(), std::memory_order_relaxed);
      rest = partial_;
    }
    while (true) {
      const Frame frame = ParseFrame(rest);
      if (frame.state == Frame::State::kNeedMore) break;
      if (frame.state == Frame::State::kBad) {
        lost_ = true;
        return Forget();
      }
      Keep(now, frame.body);
      rest.remove_prefix(frame.length);
    }
    if (IsTooMuch(rest)) {
      skip_ = LoadBig32(rest.data()) + kFrameSizeBytes - rest.size();
      writer_.Drop();
      return Forget();
    }
    // Of a large frame all is there already, and is not copied at every read.
    if (!partial_.empty() && rest.size() == partial_.size()) return;
    // By way of a copy: `rest` may be a view of partial_ itself.
    std::string kept(rest);
    Forget();
    partial_ = std::move(kept);
    counts_->waiting.fetch_add(partial_.size(), std::memory_order_relaxed);
  }

  // Whether the rest of the frame that begins so is not to be waited for.
  bool IsTooMuch(std::string_view front) const {
    if (front.size() < kFrameSizeBytes + kMinFrameSize) return false;
    return LoadBig32(front.data()) > RecordingTransport::kLargestCaptured ||
           counts_->waiting.load(std::memory_order_relaxed) >
               RecordingTransport::kMostWaiting;
  }

  void Forget() {
    counts_->waiting.fetch_sub(partial_.size(), std::memory_order_relaxed);
    partial_ = std::string();
  }

  void Keep(absl::Time now, std::string_view body) {
    Envelope envelope;
    if (!body.starts_with(kRpc0Tag) ||
        !ParseEnvelope(body.substr(kRpc0Tag.size()), &envelope) ||
        envelope.type != MessageType::kRequest ||
        envelope.service == Control::descriptor()->full_name()) {
      return;
    }
    writer_.Add(now, connection_, body);
  }

  const std::unique_ptr<Stream> stream_;
  TrafficWriter& writer_;
  const std::shared_ptr<Counts> counts_;
  const uint64_t connection_;
  StreamHandler* handler_ = nullptr;
  size_t left_ = 0;      // offered and not consumed
  std::string partial_;  // the beginning of a frame
  size_t skip_ = 0;      // what is still to come of a frame that is not captured
  bool lost_ = false;    // where the next frame begins is not known
  bool* gone_ = nullptr;
};

absl::StatusOr<std::unique_ptr<Listener>> RecordingTransport::Listen(const Address& at,
                                                                     Accept accept) {
  return transport_.Listen(
      at, [counts = counts_, &writer = writer_,
           accept = std::move(accept)](std::unique_ptr<Stream> stream) mutable {
        accept(std::make_unique<RecordingStream>(std::move(stream), writer, counts));
      });
}

}  // namespace skep
