#include "rpc/services/echo.pb.h"
#include "tools/services/services.h"

namespace skep {
namespace {

class EchoServiceImpl final : public echo::EchoService {
 public:
  void Echo(google::protobuf::RpcController* /*controller*/,
            const echo::EchoRequest* request, echo::EchoResponse* response,
            google::protobuf::Closure* done) override {
    response->set_payload(request->payload());
    done->Run();
  }
};

}  // namespace

std::unique_ptr<google::protobuf::Service> MakeEchoService() {
  return std::make_unique<EchoServiceImpl>();
}

}  // namespace skep
