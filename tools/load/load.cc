#include "tools/load/load.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <latch>
#include <sstream>
#include <thread>
#include <utility>

#include "base/status.h"
#include "glog/logging.h"
#include "rpc/tcp_transport.h"

namespace skep {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
// What is given up is answered at once by the links; this is for their loops.
constexpr absl::Duration kAbandonTimeout = absl::Seconds(20);
// A condition variable cannot wait for ever by a duration.
constexpr absl::Duration kLongestWait = absl::Hours(1);
// The pacer sleeps at least so long: what is due meanwhile goes together.
constexpr absl::Duration kShortestSleep = absl::Microseconds(20);
// Where requests have moments of their own: how late one may be for this.
constexpr absl::Duration kPlannedSleep = absl::Microseconds(50);

absl::Duration OwnCpu() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) +
         absl::DurationFromTimeval(usage.ru_stime);
}

// Whether there is a server at all, with the error in words if not.
absl::Status Probe(const LoadOptions& options) {
  // Those of a balanced channel may be there or not: it says itself if none is.
  if (options.link.backends.size() > 1) return absl::OkStatus();
  TcpTransport sockets(1);
  const std::unique_ptr<Transport> over =
      options.over ? options.over(sockets) : nullptr;
  const StopAtExit stop(sockets);
  Transport& transport = over != nullptr ? *over : sockets;
  std::latch done(1);
  absl::Status status;
  transport.Connect(options.link.target, kConnectTimeout,
                    [&](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                      status = stream.status();
                      done.count_down();
                    });
  done.wait();
  return status;
}

// Runs `fn` on the executor and waits for it. (std::latch, not absl::Notification,
// which ThreadSanitizer cannot see into: base/README.md.)
template <typename Fn>
void RunOn(Executor& executor, Fn fn) {
  std::latch done(1);
  executor.Post([&] {
    fn();
    done.count_down();
  });
  done.wait();
}

}  // namespace

absl::StatusOr<absl::Duration> CpuTimeOf(pid_t pid) {
  std::ifstream in(StrCat("/proc/", pid, "/stat"));
  std::string text;
  if (!std::getline(in, text)) return NotFound("there is no process ", pid);
  // The name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return absl::Seconds((user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

// The links and the threads that they live on.
class LoadRun::Fleet {
 public:
  Fleet(LoadRun& run, const LoadOptions& options) : options_(options) {
    for (int i = 0; i < options.threads; ++i) {
      lanes_.push_back(std::make_unique<Lane>(options.spin));
      if (options_.over) lanes_.back()->over = options_.over(lanes_.back()->sockets);
    }
    for (int i = 0; i < options.connections; ++i) Open(run, i);
  }
  // Everybody has finished.
  ~Fleet() {
    for (const auto& lane : lanes_) {
      RunOn(lane->executor(), [&] { lane->drivers.clear(); });
    }
  }

  void Begin() {
    const absl::Time now = Clock::Real().Now();
    for (const auto& lane : lanes_) {
      lane->executor().Post([&lane = *lane, now] {
        for (const auto& driver : lane.drivers) driver->Begin(now);
      });
    }
    const bool planned = std::any_of(
        options_.plans.begin(), options_.plans.end(),
        [](const LoadOptions::Plan& plan) { return !plan.moments.empty(); });
    if (options_.rate > 0 || planned) {
      pacer_ = std::jthread([this](std::stop_token stop) { Pace(stop); });
    }
  }

  void Abandon() {
    for (const auto& lane : lanes_) {
      lane->executor().Post([&lane = *lane] {
        for (const auto& driver : lane.drivers) driver->Abandon();
      });
    }
  }

  void StopPacing() { pacer_ = std::jthread(); }

  void Collect(LoadReport* report) {
    for (const auto& lane : lanes_) {
      RunOn(lane->executor(), [&] {
        for (const auto& driver : lane->drivers) {
          report->stats.Merge(driver->stats());
          const BalancedCounters counters = driver->balanced_counters();
          report->balanced.retries += counters.retries;
          report->balanced.hedges += counters.hedges;
          report->balanced.hedges_won += counters.hedges_won;
          report->balanced.retries_refused += counters.retries_refused;
          report->balanced.hedges_refused += counters.hedges_refused;
          if (driver->broken().ok()) continue;
          ++report->connections_lost;
          report->lost_why = driver->broken();
        }
      });
    }
  }

 private:
  struct Lane {
    explicit Lane(absl::Duration spin) : sockets(1, {.spin = spin}) {}
    ~Lane() { sockets.Stop(); }  // before what lies over them
    Executor& executor() { return sockets.executor(); }
    Transport& transport() { return over != nullptr ? *over : sockets; }
    TcpTransport sockets;
    std::unique_ptr<Transport> over;
    std::vector<std::unique_ptr<Driver>> drivers;
    std::atomic<bool> tick_posted{false};
  };

  void Open(LoadRun& run, int index) {
    Lane& lane = *lanes_[static_cast<size_t>(index) % lanes_.size()];
    const auto count = static_cast<uint64_t>(options_.connections);
    const auto place = static_cast<uint64_t>(index);
    DriverOptions driver;
    driver.window = options_.window;
    driver.rate = options_.rate / static_cast<double>(count);
    driver.phase = static_cast<double>(place) / static_cast<double>(count);
    driver.duration = options_.duration;
    driver.count_steps = options_.count_steps;
    driver.own_timers = false;
    if (options_.requests != ~uint64_t{0}) {
      driver.requests =
          options_.requests / count + (place < options_.requests % count ? 1 : 0);
    }
    if (!options_.plans.empty()) {
      driver.requests = options_.plans[place].requests;
      driver.moments = options_.plans[place].moments;
    }
    LinkOptions link = options_.link;
    link.index = index;
    link.first_puzzle = place * 7919;  // a prime: links ask different puzzles
    const Driver::Listener listener{
        .ready = [&run] { run.Count(&LoadRun::ready_); },
        .finished = [&run] { run.Count(&LoadRun::finished_); }};
    RunOn(lane.executor(), [&] {
      lane.drivers.push_back(
          std::make_unique<Driver>(lane.executor(), driver, listener));
      lane.drivers.back()->Open(options_.factory, lane.transport(), link);
    });
  }

  // Wakes the lanes when something is due; the loops' own timers know milliseconds.
  void Pace(const std::stop_token& stop) {
    prctl(PR_SET_TIMERSLACK, 1);
    const absl::Duration period =
        options_.rate > 0 ? std::max(kShortestSleep, absl::Seconds(1 / options_.rate))
                          : kPlannedSleep;
    auto next = std::chrono::steady_clock::now();
    while (!stop.stop_requested()) {
      for (const auto& lane : lanes_) {
        if (lane->tick_posted.exchange(true)) continue;
        lane->executor().Post([&lane = *lane] {
          lane.tick_posted = false;
          for (const auto& driver : lane.drivers) driver->Tick();
        });
      }
      next = std::max(next + absl::ToChronoNanoseconds(period),
                      std::chrono::steady_clock::now());
      std::this_thread::sleep_until(next);
    }
  }

  const LoadOptions& options_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::jthread pacer_;
};

void LoadRun::Count(int LoadRun::*what) {
  MutexLock lock(mutex_);
  ++(this->*what);
  changed_.SignalAll();
}

bool LoadRun::Await(const int LoadRun::*what, absl::Duration timeout) {
  const absl::Time end = Clock::Real().Now() + timeout;
  MutexLock lock(mutex_);
  while (this->*what < options_.connections && !(stopped_ && !abandoned_)) {
    const absl::Duration left = end - Clock::Real().Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(mutex_, std::min(left, kLongestWait));
  }
  return this->*what >= options_.connections;
}

void LoadRun::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  changed_.SignalAll();
}

absl::StatusOr<LoadReport> LoadRun::Run() {
  SKEP_RETURN_IF_ERROR(Probe(options_));
  LoadReport report;
  for (const pid_t pid : options_.cpu_of) {
    SKEP_ASSIGN_OR_RETURN(const absl::Duration used, CpuTimeOf(pid));
    report.cpu_of.push_back({pid, used});
  }
  Fleet fleet(*this, options_);
  // Those that are not ready by then wait on, and their requests with them.
  Await(&LoadRun::ready_, kConnectTimeout);
  const absl::Duration cpu_before = OwnCpu();
  fleet.Begin();
  const bool finished =
      Await(&LoadRun::finished_,
            options_.duration + options_.link.timeout * 1.25 + kConnectTimeout);
  report.client_cpu = OwnCpu() - cpu_before;
  fleet.StopPacing();
  if (!finished) {
    {
      MutexLock lock(mutex_);
      abandoned_ = true;
    }
    fleet.Abandon();
    CHECK(Await(&LoadRun::finished_, kAbandonTimeout))
        << "requests are still outstanding on connections that were closed";
  }
  for (ProcessCpu& process : report.cpu_of) {
    // One that has ended meanwhile has used nothing that we know of.
    const auto used = CpuTimeOf(process.pid);
    process.used = used.ok() ? *used - process.used : absl::ZeroDuration();
  }
  fleet.Collect(&report);
  report.elapsed =
      absl::Nanoseconds(report.stats.last_answer - report.stats.first_sent);
  // Nobody was ever served: there is nothing to report but why.
  const bool no_server = absl::IsUnavailable(report.lost_why) ||
                         absl::IsFailedPrecondition(report.lost_why);
  if (report.stats.ok() == 0 && no_server) {
    return report.lost_why;
  }
  return report;
}

}  // namespace skep
