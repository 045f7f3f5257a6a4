// The worker's side of its connection to the master: registers after each reconnect,
// renews the lease, asks for commits.

#ifndef SKEP_WORKER_MASTER_LINK_H_
#define SKEP_WORKER_MASTER_LINK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "jobs/api/fleet.pb.h"
#include "rpc/address.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/transport.h"
#include "worker/task_environment.h"

namespace skep {

// What the link asks its worker. Called on the link's executors, outside locks, until
// Stop has returned.
struct MasterLinkHooks {
  std::function<RegisterRequest()> make_register;
  std::function<void(const RegisterReply&)> registered;
  // All but worker and incarnation.
  std::function<HeartbeatRequest()> make_heartbeat;
};

// Thread-safe.
class MasterLink final : public Committer {
 public:
  // `transport` and `services`, what the worker serves to the master, are borrowed.
  MasterLink(Transport& transport, const Address& master, std::string fleet,
             const ServiceTable& services, MasterLinkHooks hooks);
  ~MasterLink() override;

  // Begins to connect; for ever.
  void Start();
  // Ends the connection. Afterwards no hook runs. Not called on the transport's loops.
  void Stop();

  // Asks again while the master cannot be reached, for as long as a commit waits.
  void RequestCommit(const AttemptId& id, Done done) override;

  // Ok while registered; else why not: "not connected yet", the master's refusal.
  absl::Status state() const;
  // The master's highest term that was heard of; 0: none.
  uint64_t epoch() const;

 private:
  struct Core;
  // shared: calls and timers in flight hold it weakly.
  const std::shared_ptr<Core> core_;
};

}  // namespace skep

#endif  // SKEP_WORKER_MASTER_LINK_H_
