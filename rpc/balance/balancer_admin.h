// skep.BalancerAdmin over a Balancer.

#ifndef SKEP_RPC_BALANCE_BALANCER_ADMIN_H_
#define SKEP_RPC_BALANCE_BALANCER_ADMIN_H_

#include <memory>

#include "google/protobuf/service.h"
#include "rpc/balance/backend_source.h"
#include "rpc/balance/balancer.h"

namespace skep {

// Both are borrowed. Cheap: run it inline.
std::unique_ptr<google::protobuf::Service> MakeBalancerAdmin(Balancer& balancer,
                                                             BackendWatcher& backends);

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCER_ADMIN_H_
