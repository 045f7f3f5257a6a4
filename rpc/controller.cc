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

absl::Duration Controller::remaining() const {
  return std::max(deadline_ - clock_->Now(), absl::ZeroDuration());
}

void Controller::Reset() {
  status_ = absl::OkStatus();
  retry_after_ = absl::ZeroDuration();
  timeout_ = kDefaultCallTimeout;
  deadline_ = absl::InfiniteFuture();
  clock_ = &Clock::Real();
  request_attachment_.clear();
  response_attachment_.clear();
  on_cancel_ = nullptr;
  stop_token_ = std::stop_token();
  stop_token_taken_ = false;
  peer_ = nullptr;
}

void Controller::NotifyOnCancel(google::protobuf::Closure* callback) {
  on_cancel_ = std::make_shared<CancelHook>(stop_token(), callback);
}

}  // namespace skep
