#include "master/worker_table.h"

#include <algorithm>

namespace skep {
namespace {

bool Matches(const WorkerEntry& worker, const std::string& binary_digest) {
  return worker.connected() &&
         (binary_digest.empty() || worker.binary_digest == binary_digest);
}

}  // namespace

WorkerEntry* WorkerTable::Find(WorkerId id) {
  const auto it = workers_.find(id);
  return it == workers_.end() ? nullptr : &it->second;
}

const WorkerEntry* WorkerTable::Find(WorkerId id) const {
  return const_cast<WorkerTable*>(this)->Find(id);
}

WorkerEntry* WorkerTable::FindByIncarnation(uint64_t incarnation) {
  const auto it = by_incarnation_.find(incarnation);
  return it == by_incarnation_.end() ? nullptr : Find(it->second);
}

WorkerEntry* WorkerTable::FindByConnection(ConnectionId connection) {
  const auto it = by_connection_.find(connection);
  return it == by_connection_.end() ? nullptr : Find(it->second);
}

WorkerEntry& WorkerTable::Register(ConnectionId connection,
                                   const RegisterRequest& request) {
  WorkerEntry* worker = FindByIncarnation(request.incarnation());
  if (worker == nullptr) {
    const WorkerId id(++last_id_);
    worker = &workers_[id];
    worker->id = id;
    worker->incarnation = request.incarnation();
    by_incarnation_[request.incarnation()] = id;
    worker->lease_end = absl::InfinitePast();
    leases_.emplace(worker->lease_end, id);
  }
  Disconnect(*worker);
  worker->name = request.name();
  worker->slots = std::max(1u, request.slots());
  worker->shuffle_address = request.shuffle_address();
  worker->binary_digest = request.binary_digest();
  worker->connection = connection;
  by_connection_[connection] = worker->id;
  return *worker;
}

void WorkerTable::Disconnect(WorkerEntry& worker) {
  by_connection_.erase(worker.connection);
  worker.connection = ConnectionId();
}

void WorkerTable::Remove(WorkerId id) {
  WorkerEntry* worker = Find(id);
  if (worker == nullptr) return;
  Disconnect(*worker);
  by_incarnation_.erase(worker->incarnation);
  leases_.erase({worker->lease_end, id});
  std::erase_if(punishments_, [&](const auto& p) { return p.second == id; });
  workers_.erase(id);
}

void WorkerTable::Renew(WorkerEntry& worker, absl::Time lease_end) {
  leases_.erase({worker.lease_end, worker.id});
  worker.lease_end = lease_end;
  leases_.emplace(lease_end, worker.id);
}

std::vector<WorkerId> WorkerTable::Expired(absl::Time now) const {
  std::vector<WorkerId> expired;
  for (const auto& [end, id] : leases_) {
    if (end > now) break;
    expired.push_back(id);
  }
  return expired;
}

void WorkerTable::ExtendLeases(absl::Duration by) {
  leases_.clear();
  for (auto& [id, worker] : workers_) {
    worker.lease_end += by;
    leases_.emplace(worker.lease_end, id);
  }
}

WorkerEntry* WorkerTable::Pick(const std::string& binary_digest, WorkerId avoid,
                               PickState& state) {
  candidates_.clear();
  picked_from_.clear();
  WorkerEntry* avoided = nullptr;
  bool others = false;  // matching workers besides `avoid`, busy ones too
  for (auto& [id, worker] : workers_) {
    if (!Matches(worker, binary_digest)) continue;
    const bool free = worker.pending() < worker.slots;
    if (id == avoid) {
      if (free) avoided = &worker;
      continue;
    }
    others = true;
    if (!free) continue;
    candidates_.push_back(
        {.pending = worker.pending(), .weight = static_cast<double>(worker.slots)});
    picked_from_.push_back(&worker);
  }
  if (!others) return avoided;
  const auto picked = skep::Pick(PickPolicy::kLeastPending, candidates_, state);
  return picked ? picked_from_[*picked] : nullptr;
}

void WorkerTable::Punish(WorkerEntry& worker, absl::Time until) {
  ++worker.punished;
  punishments_.emplace(until, worker.id);
}

void WorkerTable::Forgive(absl::Time now) {
  while (!punishments_.empty() && punishments_.begin()->first <= now) {
    if (WorkerEntry* worker = Find(punishments_.begin()->second)) --worker->punished;
    punishments_.erase(punishments_.begin());
  }
}

bool WorkerTable::AnyFree() const {
  return std::any_of(workers_.begin(), workers_.end(), [](const auto& entry) {
    return entry.second.connected() && entry.second.pending() < entry.second.slots;
  });
}

int WorkerTable::CountMatching(const std::string& binary_digest) const {
  return std::count_if(workers_.begin(), workers_.end(), [&](const auto& entry) {
    return Matches(entry.second, binary_digest);
  });
}

}  // namespace skep
