#include "rpc/balance/balancer_admin.h"

#include "base/status.h"
#include "rpc/balance/balancer_admin.pb.h"
#include "rpc/controller.h"

namespace skep {
namespace {

using google::protobuf::Closure;
using google::protobuf::RpcController;

class BalancerAdminImpl final : public BalancerAdmin {
 public:
  explicit BalancerAdminImpl(Balancer& balancer) : balancer_(balancer) {}

  void ListBackends(RpcController* /*controller*/,
                    const ListBackendsRequest* /*request*/, ListBackendsReply* reply,
                    Closure* done) override {
    for (const Balancer::BackendState& state : balancer_.backends()) {
      ListBackendsReply::Backend* backend = reply->add_backends();
      backend->set_address(state.address.ToString());
      backend->set_connected(state.connected);
      backend->set_draining(state.draining);
      backend->set_pending(state.pending);
      backend->set_forwarded(state.forwarded);
      backend->set_failed(state.failed);
    }
    done->Run();
  }

  void SetDraining(RpcController* controller, const SetDrainingRequest* request,
                   SetDrainingReply* /*reply*/, Closure* done) override {
    const absl::StatusOr<Address> backend = Address::Parse(request->address());
    Controller::Of(controller)
        .SetStatus(backend.ok() ? balancer_.SetDraining(*backend, request->draining())
                                : backend.status());
    done->Run();
  }

 private:
  Balancer& balancer_;
};

}  // namespace

std::unique_ptr<google::protobuf::Service> MakeBalancerAdmin(Balancer& balancer) {
  return std::make_unique<BalancerAdminImpl>(balancer);
}

}  // namespace skep
