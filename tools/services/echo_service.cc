#include <atomic>

#include "rpc/services/echo.pb.h"
#include "tools/services/services.h"

namespace skep {
namespace {

class EchoServiceImpl : public echo::EchoService {
 public:
  void Echo(google::protobuf::RpcController* /*controller*/,
            const echo::EchoRequest* request, echo::EchoResponse* response,
            google::protobuf::Closure* done) override {
    response->set_payload(request->payload());
    Finish(done);
  }

 private:
  virtual void Finish(google::protobuf::Closure* done) { done->Run(); }
};

class SlowEchoServiceImpl final : public EchoServiceImpl {
 public:
  SlowEchoServiceImpl(absl::Duration delay, Executor& timers, uint64_t one_in)
      : delay_(delay), timers_(timers), one_in_(one_in) {}

 private:
  void Finish(google::protobuf::Closure* done) override {
    if (calls_.fetch_add(1, std::memory_order_relaxed) % one_in_ != 0) {
      return done->Run();
    }
    timers_.PostAfter(delay_, [done] { done->Run(); });
  }

  const absl::Duration delay_;
  Executor& timers_;
  const uint64_t one_in_;
  std::atomic<uint64_t> calls_ = 0;
};

}  // namespace

std::unique_ptr<google::protobuf::Service> MakeEchoService() {
  return std::make_unique<EchoServiceImpl>();
}

std::unique_ptr<google::protobuf::Service> MakeSlowEchoService(absl::Duration delay,
                                                               Executor& timers,
                                                               uint64_t one_in) {
  return std::make_unique<SlowEchoServiceImpl>(delay, timers, one_in);
}

}  // namespace skep
