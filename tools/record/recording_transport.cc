#include "tools/record/recording_transport.h"

#include <string>
#include <utility>

#include "rpc/control.pb.h"
#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"

namespace skep {
namespace {

class RecordingStream final : public Stream, StreamHandler {
 public:
  RecordingStream(std::unique_ptr<Stream> stream, TrafficWriter& writer,
                  uint64_t connection)
      : stream_(std::move(stream)), writer_(writer), connection_(connection) {}
  ~RecordingStream() override {
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
    std::string_view rest = bytes;
    if (!partial_.empty()) {
      partial_ += bytes;
      rest = partial_;
    }
    while (true) {
      const Frame frame = ParseFrame(rest);
      if (frame.state == Frame::State::kNeedMore) break;
      if (frame.state == Frame::State::kBad) {
        lost_ = true;
        partial_ = std::string();
        return;
      }
      Keep(now, frame.body);
      rest.remove_prefix(frame.length);
    }
    // Of a large frame all is there already, and is not copied at every read.
    if (!partial_.empty() && rest.size() == partial_.size()) return;
    // By way of a copy: `rest` may be a view of partial_ itself.
    partial_ = std::string(rest);
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
  const uint64_t connection_;
  StreamHandler* handler_ = nullptr;
  size_t left_ = 0;      // offered and not consumed
  std::string partial_;  // the beginning of a frame
  bool lost_ = false;    // where the next frame begins is not known
  bool* gone_ = nullptr;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> RecordingTransport::Listen(const Address& at,
                                                                     Accept accept) {
  return transport_.Listen(
      at, [connections = connections_, &writer = writer_,
           accept = std::move(accept)](std::unique_ptr<Stream> stream) mutable {
        accept(std::make_unique<RecordingStream>(
            std::move(stream), writer,
            connections->fetch_add(1, std::memory_order_relaxed) + 1));
      });
}

}  // namespace skep
