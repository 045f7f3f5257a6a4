#include "rpc/controller.h"

#include <algorithm>
#include <atomic>

namespace skep {
namespace {

// Runs its closure once, by whichever comes first: the stop or the end.
class CancelHook {
 public:
  CancelHook(std::stop_token token, google::protobuf::Closure* closure)
      : closure_(closure), on_stop_(std::move(token), Runner{this}) {}
  ~CancelHook() { Run(); }

 private:
  struct Runner {
    CancelHook* hook;
    void operator()() const { hook->Run(); }
  };
  void Run() {
    if (google::protobuf::Closure* closure = closure_.exchange(nullptr)) closure->Run();
  }

  std::atomic<google::protobuf::Closure*> closure_;
  std::stop_callback<Runner> on_stop_;  // last: it may run at once
};

}  // namespace

const std::shared_ptr<Channel> Controller::kNoPeer;

absl::Duration Controller::remaining() const {
  return std::max(deadline_ - clock_->Now(), absl::ZeroDuration());
}

void Controller::Reset() {
  // Each call's end: what is as it was is left alone.
  if (!status_.ok()) status_ = absl::OkStatus();
  retry_after_ = absl::ZeroDuration();
  timeout_ = kDefaultCallTimeout;
  deadline_ = absl::InfiniteFuture();
  clock_ = &Clock::Real();
  request_attachment_.clear();
  response_attachment_.clear();
  if (on_cancel_ != nullptr) on_cancel_ = nullptr;
  // One that nobody saw, and nobody stopped, may be the next call's, too.
  if (stop_token_taken_ || stop_token_.stop_requested())
    stop_token_ = std::stop_token();
  stop_token_taken_ = false;
  peer_ = &kNoPeer;
}

void Controller::NotifyOnCancel(google::protobuf::Closure* callback) {
  on_cancel_ = std::make_shared<CancelHook>(stop_token(), callback);
}

}  // namespace skep
