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
  BalancerAdminImpl(Balancer& balancer, BackendWatcher& backends)
      : balancer_(balancer), backends_(backends) {}

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
      backend->set_ejected(state.ejected);
      backend->set_weight(state.weight);
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

  void AddBackend(RpcController* controller, const AddBackendRequest* request,
                  AddBackendReply* /*reply*/, Closure* done) override {
    const absl::StatusOr<BackendSpec> backend = ParseBackend(request->backend());
    Controller::Of(controller)
        .SetStatus(backend.ok() ? backends_.Add(*backend) : backend.status());
    done->Run();
  }

  void RemoveBackend(RpcController* controller, const RemoveBackendRequest* request,
                     RemoveBackendReply* /*reply*/, Closure* done) override {
    const absl::StatusOr<Address> backend = Address::Parse(request->address());
    Controller::Of(controller)
        .SetStatus(backend.ok() ? backends_.Remove(*backend) : backend.status());
    done->Run();
  }

 private:
  Balancer& balancer_;
  BackendWatcher& backends_;
};

}  // namespace

std::unique_ptr<google::protobuf::Service> MakeBalancerAdmin(Balancer& balancer,
                                                             BackendWatcher& backends) {
  return std::make_unique<BalancerAdminImpl>(balancer, backends);
}

}  // namespace skep
