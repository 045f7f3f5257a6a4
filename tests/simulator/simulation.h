// One simulated history of a fleet: the real master over a simulated network, model
// workers running real jobs, and whatever goes wrong by the seed's choice.
//
// Everything runs on one thread in virtual time and follows from the seed: a seed that
// fails is a bug report.

#ifndef SKEP_TESTS_SIMULATOR_SIMULATION_H_
#define SKEP_TESTS_SIMULATOR_SIMULATION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jobs/api/local_runner.h"
#include "master/job_status.pb.h"
#include "master/master.h"
#include "rpc/server.h"
#include "storage/memory_file_system.h"
#include "tests/simulator/sim_worker.h"
#include "tests/simulator/sim_world.h"

namespace skep {

class Simulation {
 public:
  enum class Trouble {
    kNone,
    // Connections break and stall for less than a lease, the master dies and comes back
    // with its journal: nothing may be run again.
    kConnections,
    // Also workers that die, machines that are cut off, attempts that crash, jobs that
    // are cancelled: every answer must still be right.
    kEverything,
  };

  Simulation(uint64_t seed, Trouble trouble);
  ~Simulation();

  // Runs until every job has ended. What is wrong with the outcome, a line each; empty
  // if nothing is.
  std::string Run();

  // The virtual time that it took.
  absl::Duration elapsed() const { return world_.clock.Now() - start_; }
  // What happened, for a summary: numbers by name.
  std::map<std::string, int64_t> Tally() const;

 private:
  struct Submitted {
    JobSpec spec;
    LocalRun local;
    bool cancel = false;
    JobId id;
    JobStatus status;  // the last one told
    bool ended = false;
  };

  void StartMaster();
  // It dies, and comes back after a while with its journal.
  void RestartMaster();
  void Watch(Submitted& job);
  void AddJobs();
  std::string RandomText(bool numbers, bool broken);
  void Submit(Submitted& job);
  void AddWorker();
  void KillWorker();
  void MakeTrouble();
  std::string Check(const Submitted& job) const;
  std::string CheckRuns() const;
  Master& master() { return *masters_.back(); }
  // The names of hosts that are there; the master first.
  std::vector<std::string> Hosts() const;
  std::string RandomWorker();

  const Trouble trouble_;
  World world_;
  const absl::Time start_;
  absl::Time trouble_ends_;
  MemoryFileSystem master_disk_;
  // One of each a term; those that have ended are kept for calls on their way.
  std::vector<std::shared_ptr<Master>> masters_;
  std::vector<std::unique_ptr<ServiceTable>> services_;
  std::unique_ptr<Server> server_;  // null: the master is down
  std::vector<std::unique_ptr<SimWorker>> workers_;
  int last_worker_ = 0;
  std::vector<std::unique_ptr<Submitted>> jobs_;
};

}  // namespace skep

#endif  // SKEP_TESTS_SIMULATOR_SIMULATION_H_
