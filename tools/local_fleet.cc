#include "tools/local_fleet.h"

#include <unistd.h>

#include <utility>

#include "base/status.h"
#include "jobs/job_table.h"
#include "master/master_server.h"
#include "tools/exit_code.h"
#include "tools/scratch.h"

namespace skep {

LocalFleet::LocalFleet(ScratchFolder scratch) : scratch_(std::move(scratch)) {}

absl::StatusOr<std::unique_ptr<LocalFleet>> LocalFleet::Start(
    TcpTransport& transport, LocalFleetOptions options) {
  absl::StatusOr<ScratchFolder> scratch = ScratchFolder::Make(options.scratch);
  if (!scratch.ok()) return EndsWith(kFiles, scratch.status());
  std::unique_ptr<LocalFleet> fleet(new LocalFleet(*std::move(scratch)));
  MasterServerOptions master;
  master.listen = Address::Tcp("127.0.0.1", 0);
  auto listening = MasterServer::Start(transport, std::move(master));
  if (!listening.ok()) return EndsWith(kUnavailable, listening.status());
  fleet->master_ = *std::move(listening);
  for (int i = 0; i < options.workers; ++i) {
    WorkerOptions worker;
    worker.master = fleet->master();
    worker.name = StrCat(HostName(), ":", getpid(), ":", i + 1);
    worker.scratch = fleet->scratch_.path();
    worker.binary_digest = options.binary_digest;
    worker.executors = options.executors;
    worker.process_transport = &transport;
    auto started =
        Worker::Start(std::move(worker), transport, FileSystem::Real(), BuiltInJobs());
    if (!started.ok()) return EndsWith(kUnavailable, started.status());
    fleet->workers_.push_back(*std::move(started));
  }
  return fleet;
}

LocalFleet::~LocalFleet() {
  for (const auto& worker : workers_) worker->Shutdown(absl::ZeroDuration());
  if (master_ != nullptr) master_->Shutdown(absl::ZeroDuration());
}

const Address& LocalFleet::master() const { return master_->address(); }

}  // namespace skep
