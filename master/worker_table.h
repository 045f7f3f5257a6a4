// The workers: leases, load, and who gets the next task.
//
// A worker is connected, or suspect (its connection ended but its lease has not), or
// gone. Only connected workers are given tasks. Pure: no I/O, no clock.

#ifndef SKEP_MASTER_WORKER_TABLE_H_
#define SKEP_MASTER_WORKER_TABLE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "jobs/api/fleet.pb.h"
#include "master/names.h"
#include "rpc/balance/pick.h"

namespace skep {

struct WorkerEntry {
  WorkerId id;
  std::string name;
  uint64_t incarnation = 0;
  uint32_t slots = 1;
  std::string shuffle_address;
  std::string binary_digest;
  ConnectionId connection;  // none: suspect
  absl::Time lease_end;
  std::set<AttemptKey> live;  // attempts that it runs
  std::set<AttemptKey> held;  // map outputs that it keeps for reducers
  uint32_t punished = 0;      // slots kept empty after errors

  bool connected() const { return static_cast<bool>(connection); }
  uint32_t pending() const { return static_cast<uint32_t>(live.size()) + punished; }
};

class WorkerTable {
 public:
  const std::map<WorkerId, WorkerEntry>& all() const { return workers_; }
  // Null if there is none.
  WorkerEntry* Find(WorkerId id);
  const WorkerEntry* Find(WorkerId id) const;
  WorkerEntry* FindByIncarnation(uint64_t incarnation);
  WorkerEntry* FindByConnection(ConnectionId connection);

  // A new worker, or a known incarnation on a new connection.
  WorkerEntry& Register(ConnectionId connection, const RegisterRequest& request);
  void Disconnect(WorkerEntry& worker);
  void Remove(WorkerId id);
  void Renew(WorkerEntry& worker, absl::Time lease_end);
  // Whose lease has ended, in the order of their ends.
  std::vector<WorkerId> Expired(absl::Time now) const;
  // Moves every lease's end: time in which the master did not listen does not count.
  void ExtendLeases(absl::Duration by);

  // The connected worker with that binary, other than `avoid`, that has a free slot and
  // that least pending picks (rpc/balance/pick.h; a worker's weight is its slots).
  // `avoid` does get it when it is the only one that could. Null: none has a free slot.
  // An empty digest means any binary.
  WorkerEntry* Pick(const std::string& binary_digest, WorkerId avoid, PickState& state);

  // Keeps one of its slots empty until then: a worker that fails fast must not attract
  // everything by being idle.
  void Punish(WorkerEntry& worker, absl::Time until);
  // Ends punishments that are over.
  void Forgive(absl::Time now);

  // Whether any connected worker has a free slot.
  bool AnyFree() const;
  // Connected workers that have this binary.
  int CountMatching(const std::string& binary_digest) const;

 private:
  std::map<WorkerId, WorkerEntry> workers_;
  std::map<uint64_t, WorkerId> by_incarnation_;
  std::map<ConnectionId, WorkerId> by_connection_;
  std::set<std::pair<absl::Time, WorkerId>> leases_;
  std::multimap<absl::Time, WorkerId> punishments_;
  uint64_t last_id_ = 0;
  // Of the last Pick, kept for their memory.
  std::vector<Candidate> candidates_;
  std::vector<WorkerEntry*> picked_from_;
};

}  // namespace skep

#endif  // SKEP_MASTER_WORKER_TABLE_H_
