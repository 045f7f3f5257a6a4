#include "tests/simulator/simulation.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "jobs/job_table.h"

namespace skep {
namespace {

// Virtual time by which every job must have ended, long after the last trouble.
constexpr absl::Duration kPatience = absl::Minutes(10);
constexpr absl::Duration kTrouble = absl::Seconds(25);

bool IsFinal(JobState state) {
  return state == JOB_SUCCEEDED || state == JOB_FAILED || state == JOB_CANCELLED;
}

const Address& MasterAddress() {
  static const Address address = Address::Tcp("m", 7000);
  return address;
}

// What can be submitted. Inputs: 't' text, 'n' numbers, 'b' numbers with a broken line,
// '-' none.
struct Kind {
  const char* name;
  std::map<std::string, std::string> options;
  char input;
  bool output;
};

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = {
      {"wordcount", {{"top", "5"}}, 't', false},
      {"wordcount", {}, 't', true},
      {"sort", {}, 't', true},
      {"average", {}, 'n', false},
      {"average", {{"strict", "true"}}, 'b', false},
      {"median", {}, 'n', false},
      {"quantile", {{"q", "0.25,0.9"}}, 'n', false},
      {"nqueens", {{"n", "7"}}, '-', false},
  };
  return kinds;
}

}  // namespace

Simulation::Simulation(uint64_t seed, Trouble trouble)
    : trouble_(trouble), world_(seed, BuiltInJobs()), start_(world_.clock.Now()) {
  StartMaster();
  const uint64_t workers = 2 + world_.random.Below(5);
  for (uint64_t i = 0; i < workers; ++i) AddWorker();
  AddJobs();
}

// Calls go before those who answer them; the network goes last.
Simulation::~Simulation() {
  trouble_ends_ = absl::InfinitePast();
  world_.executor.RunFor(absl::Seconds(5));  // a master that was down is up
  master().Stop();
  world_.executor.RunUntilIdle();
  while (!workers_.empty()) KillWorker();
  server_->Shutdown(absl::ZeroDuration());
  world_.executor.RunFor(absl::Seconds(1));
  server_.reset();
}

void Simulation::StartMaster() {
  MasterOptions options;
  options.seed = world_.random();
  // More than a history of 25 s can hold: no job may fail for it.
  options.scheduler.max_losses = 1000;
  auto journal = Journal::Open(master_disk_, "/journal");
  CHECK(journal.ok()) << journal.status();
  auto master = Master::Start(world_.executor, options, *std::move(journal));
  CHECK(master.ok()) << master.status();
  masters_.push_back(*std::move(master));
  services_.push_back(std::make_unique<ServiceTable>());
  services_.back()->Add(masters_.back().get());
  auto server =
      Server::Listen(world_.network.host("m"), MasterAddress(), *services_.back());
  CHECK(server.ok()) << server.status();
  server_ = *std::move(server);
}

void Simulation::RestartMaster() {
  if (server_ == nullptr) return;
  for (const auto& worker : workers_) world_.network.Reset("m", worker->host());
  master().Stop();
  server_.reset();
  world_.executor.PostAfter(world_.Between(absl::Milliseconds(1), absl::Seconds(4)),
                            [this] {
                              StartMaster();
                              for (const auto& job : jobs_) {
                                if (job->id && !job->ended) Watch(*job);
                              }
                            });
}

void Simulation::AddWorker() {
  // A name is used once: what dies does not come back.
  const std::string host = StrCat("w", ++last_worker_);
  workers_.push_back(std::make_unique<SimWorker>(
      world_, host, 7100, static_cast<uint32_t>(1 + world_.random.Below(3)),
      MasterAddress()));
}

// A process dies (its machine says so to all its peers) or a machine (silently).
void Simulation::KillWorker() {
  const size_t victim = world_.random.Below(workers_.size());
  const std::string host = workers_[victim]->host();
  const bool silently = world_.random.Chance(0.5);
  for (const std::string& other : Hosts()) {
    if (other == host) continue;
    silently ? world_.network.Partition(host, other)
             : world_.network.Reset(host, other);
  }
  workers_.erase(workers_.begin() + static_cast<long>(victim));
}

std::vector<std::string> Simulation::Hosts() const {
  std::vector<std::string> hosts = {"m"};
  for (const auto& worker : workers_) hosts.push_back(worker->host());
  return hosts;
}

std::string Simulation::RandomWorker() {
  return workers_[world_.random.Below(workers_.size())]->host();
}

void Simulation::AddJobs() {
  const uint64_t count = 1 + world_.random.Below(4);
  for (uint64_t i = 0; i < count; ++i) {
    const Kind& kind = Kinds()[world_.random.Below(Kinds().size())];
    const Job& job = *BuiltInJobs().Find(kind.name);
    Submitted& submitted = *jobs_.emplace_back(std::make_unique<Submitted>());
    LocalRun& local = submitted.local;
    local.options = kind.options;
    local.partitions = static_cast<uint32_t>(1 + world_.random.Below(4));
    if (kind.input != '-') {
      const std::string name = StrCat("file", i);
      local.files.push_back({name, RandomText(kind.input != 't', kind.input == 'b')});
      world_.files[name] = local.files[0].bytes;
      Options options(job.flags());
      auto splits = CutLocalFiles(local.files, *job.input(options),
                                  50 + world_.random.Below(500));
      CHECK(splits.ok()) << splits.status();
      local.splits = *std::move(splits);
    }
    JobSpec& spec = submitted.spec;
    spec.set_name(kind.name);
    for (const auto& [flag, value] : kind.options)
      (*spec.mutable_options())[flag] = value;
    spec.mutable_splits()->Assign(local.splits.begin(), local.splits.end());
    if (kind.output) spec.mutable_output()->set_directory(StrCat("/out", i));
    spec.set_partitions(local.partitions);
    submitted.cancel = trouble_ == Trouble::kEverything && world_.random.Chance(0.1);
    world_.executor.PostAfter(world_.Between(absl::ZeroDuration(), absl::Seconds(15)),
                              [this, &submitted] { Submit(submitted); });
  }
}

std::string Simulation::RandomText(bool numbers, bool broken) {
  std::string text;
  const uint64_t lines = 1 + world_.random.Below(200);
  const uint64_t broken_line = world_.random.Below(lines);
  for (uint64_t i = 0; i < lines; ++i) {
    if (broken && i == broken_line) {
      text += "not-a-number\n";
    } else if (numbers) {
      StrAppend(&text, static_cast<int64_t>(world_.random.Below(1000)) - 500, "\n");
    } else {
      for (uint64_t words = world_.random.Below(8); words > 0; --words) {
        StrAppend(&text, "word", world_.random.Below(40), " ");
      }
      text += "\n";
    }
  }
  return text;
}

void Simulation::Submit(Submitted& job) {
  master().Submit(job.spec, [this, &job](absl::StatusOr<JobId> id) {
    if (!id.ok()) {
      world_.executor.PostAfter(absl::Milliseconds(500), [this, &job] { Submit(job); });
      return;
    }
    job.id = *id;
    Watch(job);
    if (job.cancel) {
      world_.executor.PostAfter(
          world_.Between(absl::ZeroDuration(), absl::Seconds(3)), [this, &job] {
            master().Cancel(job.id, "on a whim", [](absl::StatusOr<bool>) {});
          });
    }
  });
}

void Simulation::Watch(Submitted& job) {
  master().Watch(job.id, [&job](const absl::StatusOr<JobStatus>& status) {
    if (!status.ok()) return;
    job.status = *status;
    job.ended = IsFinal(status->state());
  });
}

void Simulation::MakeTrouble() {
  if (trouble_ == Trouble::kNone || world_.clock.Now() >= trouble_ends_) return;
  const std::string a = world_.random.Chance(0.5) ? "m" : RandomWorker();
  const std::string b = RandomWorker();
  const uint64_t kind = world_.random.Below(trouble_ == Trouble::kEverything ? 8 : 5);
  if (kind == 4 && world_.random.Chance(0.3)) {
    RestartMaster();
  } else if (kind < 3 && a != b) {
    world_.network.Reset(a, b);
  } else if (kind == 3 && a != b) {
    world_.network.Stall(a, b, world_.Between(absl::ZeroDuration(), absl::Seconds(1)));
  } else if (kind == 5 && a != b) {
    world_.network.Stall(a, b, world_.Between(absl::Seconds(1), absl::Seconds(8)));
  } else if (kind >= 6 && workers_.size() > 1) {
    KillWorker();
    AddWorker();
  }
  world_.executor.PostAfter(
      world_.Between(absl::Milliseconds(50), absl::Milliseconds(1500)),
      [this] { MakeTrouble(); });
}

std::string Simulation::Run() {
  trouble_ends_ = start_ + kTrouble;
  if (trouble_ == Trouble::kEverything) world_.failure_chance = 0.05;
  world_.executor.Post([this] { MakeTrouble(); });
  auto all_ended = [this] {
    return std::all_of(jobs_.begin(), jobs_.end(),
                       [](const auto& j) { return j->ended; });
  };
  while (!all_ended() && elapsed() < kPatience) {
    world_.executor.RunFor(absl::Milliseconds(500));
  }
  std::string wrong;
  for (const auto& job : jobs_) wrong += Check(*job);
  return wrong + CheckRuns();
}

// The answer must be that of a sequential run of the same code.
std::string Simulation::Check(const Submitted& job) const {
  const std::string what = StrCat("job ", job.id, " ", job.spec.name(), ": ");
  const JobStatus& status = job.status;
  if (!job.ended) return what + "has not ended: " + status.ShortDebugString() + "\n";
  if (job.cancel && status.state() == JOB_CANCELLED) return "";
  const auto expected = RunLocally(*BuiltInJobs().Find(job.spec.name()), job.local);
  if (!expected.ok()) {
    if (status.state() == JOB_FAILED &&
        status.error_code() == static_cast<int>(expected.status().code()) &&
        status.error_message() == Message(expected.status())) {
      return "";
    }
    return StrCat(what, "should have failed with ", expected.status().ToString(),
                  " but ", status.ShortDebugString(), "\n");
  }
  if (status.state() != JOB_SUCCEEDED) {
    return StrCat(what, "failed: ", status.error_message(), "\n");
  }
  std::string wrong;
  if (status.answer().text() != expected->answer.text() ||
      status.answer().json() != expected->answer.json()) {
    StrAppend(&wrong, what, "answers\n", status.answer().ShortDebugString(),
              "\ninstead of\n", expected->answer.ShortDebugString(), "\n");
  }
  const std::map<std::string, uint64_t> counters(status.counters().begin(),
                                                 status.counters().end());
  if (counters != expected->counters) StrAppend(&wrong, what, "counters differ\n");
  if (!job.spec.output().directory().empty()) {
    const auto published = world_.published.find(job.spec.output().directory());
    std::vector<std::string> parts;
    bool success = false;
    if (published != world_.published.end()) {
      for (const auto& [name, bytes] : published->second) {
        name == "_SUCCESS" ? void(success = true) : parts.push_back(bytes);
      }
    }
    if (!success || parts != expected->parts)
      StrAppend(&wrong, what, "output differs\n");
  }
  return wrong;
}

std::string Simulation::CheckRuns() const {
  if (trouble_ == Trouble::kEverything) return "";
  std::string wrong;
  for (const auto& [task, runs] : world_.runs) {
    if (runs > 1)
      StrAppend(&wrong, "task ", task.ToString(), " ran ", runs, " times\n");
  }
  return wrong;
}

std::map<std::string, int64_t> Simulation::Tally() const {
  std::map<std::string, int64_t> tally;
  for (const auto& [task, runs] : world_.runs) {
    ++tally["tasks"];
    tally["runs"] += runs;
  }
  for (const auto& job : jobs_) {
    ++tally[JobState_Name(job->status.state())];
    tally["attempts_failed"] += job->status.attempts_failed();
    tally["attempts_lost"] += job->status.attempts_lost();
    tally["maps_lost"] += job->status.maps_lost();
  }
  tally["master_restarts"] = static_cast<int64_t>(masters_.size()) - 1;
  tally["workers_died"] = last_worker_ - static_cast<int64_t>(workers_.size());
  tally["virtual_seconds"] = absl::ToInt64Seconds(elapsed());
  return tally;
}

}  // namespace skep
