#include "master/stream_splice.h"

#include <utility>

#include "base/status.h"

namespace skep {
namespace {

// Takes `bytes` for `to` from `from`, which waits if that is too much.
size_t Forward(std::string_view bytes, Stream& from, Stream& to) {
  to.WriteBulk(bytes);
  if (to.unsent() > kStreamHighWater) from.SetReading(false);
  return bytes.size();
}

class Splice final : public StreamHandler {
 public:
  Splice(Stream& far, std::unique_ptr<Stream> near)
      : far_(&far), near_(std::move(near)), near_end_(*this) {
    near_->Start(&near_end_);
  }

  size_t OnData(std::string_view bytes) override {
    return Forward(bytes, *far_, *near_);
  }
  void OnPeerClosed() override { near_->CloseWhenDrained(); }
  void OnDrained() override { near_->SetReading(true); }
  void OnClosed(const absl::Status& reason) override {
    far_ = nullptr;
    if (reason.ok()) {
      near_->CloseWhenDrained();
    } else {
      near_->Abort(Unavailable("the far end: ", Message(reason)));
    }
  }

 private:
  class NearEnd final : public StreamHandler {
   public:
    explicit NearEnd(Splice& splice) : splice_(splice) {}
    size_t OnData(std::string_view bytes) override {
      if (splice_.far_ == nullptr) return bytes.size();
      return Forward(bytes, *splice_.near_, *splice_.far_);
    }
    void OnPeerClosed() override {
      if (splice_.far_ != nullptr) splice_.far_->CloseWhenDrained();
    }
    void OnDrained() override {
      if (splice_.far_ != nullptr) splice_.far_->SetReading(true);
    }
    void OnClosed(const absl::Status& reason) override {
      if (splice_.far_ == nullptr) return;
      if (reason.ok()) {
        splice_.far_->CloseWhenDrained();
      } else {
        splice_.far_->Abort(Unavailable("the near end: ", Message(reason)));
      }
    }

   private:
    Splice& splice_;
  };

  Stream* far_;  // null once closed
  const std::unique_ptr<Stream> near_;
  NearEnd near_end_;
};

}  // namespace

std::unique_ptr<StreamHandler> SpliceStreams(Stream& far,
                                             std::unique_ptr<Stream> near) {
  return std::make_unique<Splice>(far, std::move(near));
}

}  // namespace skep
