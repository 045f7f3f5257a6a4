#include "tools/local_fleet.h"

#include <unistd.h>

#include <utility>

#include "base/status.h"
#include "jobs/job_table.h"
#include "master/master_server.h"
#include "tools/scratch.h"

namespace skep {

LocalFleet::LocalFleet(ScratchFolder scratch) : scratch_(std::move(scratch)) {}

absl::StatusOr<std::unique_ptr<LocalFleet>> LocalFleet::Start(
    TcpTransport& transport, LocalFleetOptions options) {
  SKEP_ASSIGN_OR_RETURN(ScratchFolder scratch, ScratchFolder::Make(options.scratch));
  std::unique_ptr<LocalFleet> fleet(new LocalFleet(std::move(scratch)));
  MasterServerOptions master;
  master.listen = Address::Tcp("127.0.0.1", 0);
  SKEP_ASSIGN_OR_RETURN(fleet->master_,
                        MasterServer::Start(transport, std::move(master)));
  for (int i = 0; i < options.workers; ++i) {
    WorkerOptions worker;
    worker.master = fleet->master();
    worker.name = StrCat(HostName(), ":", getpid(), ":", i + 1);
    worker.scratch = fleet->scratch_.path();
    worker.binary_digest = options.binary_digest;
    worker.executors = options.executors;
    worker.process_transport = &transport;
    SKEP_ASSIGN_OR_RETURN(
        auto started,
        Worker::Start(std::move(worker), transport, FileSystem::Real(), BuiltInJobs()));
    fleet->workers_.push_back(std::move(started));
  }
  return fleet;
}

LocalFleet::~LocalFleet() {
  for (const auto& worker : workers_) worker->Shutdown(absl::ZeroDuration());
  if (master_ != nullptr) master_->Shutdown(absl::ZeroDuration());
}

const Address& LocalFleet::master() const { return master_->address(); }

}  // namespace skep
