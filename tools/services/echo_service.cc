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
  SlowEchoServiceImpl(absl::Duration delay, Executor& timers)
      : delay_(delay), timers_(timers) {}

 private:
  void Finish(google::protobuf::Closure* done) override {
    timers_.PostAfter(delay_, [done] { done->Run(); });
  }

  const absl::Duration delay_;
  Executor& timers_;
};

}  // namespace

std::unique_ptr<google::protobuf::Service> MakeEchoService() {
  return std::make_unique<EchoServiceImpl>();
}

std::unique_ptr<google::protobuf::Service> MakeSlowEchoService(absl::Duration delay,
                                                               Executor& timers) {
  return std::make_unique<SlowEchoServiceImpl>(delay, timers);
}

}  // namespace skep
