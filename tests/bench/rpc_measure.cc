#include "tests/bench/rpc_measure.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <optional>

#include "absl/time/clock.h"
#include "base/status.h"
#include "glog/logging.h"

namespace skep {
namespace {

constexpr absl::Duration kWarmUp = absl::Milliseconds(300);
// On a busy machine large calls are few: the measurement goes on until there are so
// many, for at most so long.
constexpr uint64_t kLeastCalls = 10;
constexpr absl::Duration kLongest = absl::Seconds(10);
// Until the first call has completed; a system that takes longer has failed.
constexpr absl::Duration kLongestWarmUp = absl::Seconds(30);

void PinTo(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  PCHECK(sched_setaffinity(0, sizeof cores, &cores) == 0) << "core " << core;
}

// The CPU time that a process has used so far.
double CpuSeconds(pid_t process) {
  clockid_t clock;
  CHECK_EQ(clock_getcpuclockid(process, &clock), 0);
  timespec used;
  PCHECK(clock_gettime(clock, &used) == 0);
  return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
}

double ResidentBytes(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/statm");
  double all = 0;
  double resident = 0;
  in >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double PeakBytes(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/status");
  std::string word;
  while (in >> word) {
    double kibibytes = 0;
    if (word == "VmHWM:" && in >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

// A forked process that writes one T; killed when this goes.
template <typename T>
class Child {
 public:
  Child(int core, const std::function<void(int pipe)>& run) {
    int ends[2];
    PCHECK(pipe(ends) == 0);
    pid_ = fork();
    PCHECK(pid_ >= 0);
    if (pid_ == 0) {
      close(ends[0]);
      PinTo(core);
      run(ends[1]);
      _exit(0);
    }
    close(ends[1]);
    pipe_ = ends[0];
  }
  ~Child() {
    close(pipe_);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  bool Read(T* value) { return read(pipe_, value, sizeof *value) == sizeof *value; }

 private:
  pid_t pid_;
  int pipe_;
};

template <typename T>
void Tell(int pipe, const T& value) {
  PCHECK(write(pipe, &value, sizeof value) == sizeof value);
}

double Percentile(const std::vector<uint32_t>& sorted, double part) {
  const auto at = static_cast<size_t>(part * static_cast<double>(sorted.size() - 1));
  return sorted[at] / 1e3;
}

// The client process.
Measurement Drive(const RpcSystem& system, const RpcLoad& load, int port, pid_t server,
                  std::optional<pid_t> balancer, absl::Duration duration) {
  const auto balancer_seconds = [&] { return balancer ? CpuSeconds(*balancer) : 0; };
  // Never destroyed: calls still complete when this returns, until the process ends.
  CallMeter& meter = *new CallMeter(load.timed);
  const double idle_before = ResidentBytes(server);
  const double balancer_bytes_before = balancer ? ResidentBytes(*balancer) : 0;
  if (load.idle_connections > 0) {
    RpcLoad idle = load;
    idle.connections = 0;
    system.drive(idle, port, &meter);
  }
  Measurement m;
  if (load.idle_connections > 0) {
    m.idle_bytes = (ResidentBytes(server) - idle_before) / load.idle_connections;
  }
  RpcLoad busy = load;
  busy.idle_connections = 0;
  system.drive(busy, port, &meter);
  absl::SleepFor(kWarmUp);
  const absl::Time given_up = absl::Now() + kLongestWarmUp;
  while (meter.calls() == 0 && absl::Now() < given_up) absl::SleepFor(kWarmUp);
  if (meter.calls() == 0) return m;
  const double server_before = CpuSeconds(server);
  const double client_before = CpuSeconds(getpid());
  const double balancer_before = balancer_seconds();
  const uint64_t calls_before = meter.calls();
  const absl::Time began = absl::Now();
  absl::SleepFor(duration);
  while (meter.calls() < calls_before + kLeastCalls && absl::Now() < began + kLongest) {
    absl::SleepFor(duration);
  }
  const uint64_t calls = meter.calls();
  m.seconds = absl::ToDoubleSeconds(absl::Now() - began);
  m.client_seconds = CpuSeconds(getpid()) - client_before;
  m.server_seconds = CpuSeconds(server) - server_before;
  m.balancer_seconds = balancer_seconds() - balancer_before;
  if (balancer) m.balancer_bytes = PeakBytes(*balancer) - balancer_bytes_before;
  m.calls = static_cast<double>(calls - calls_before);
  if (load.timed && calls > calls_before) {
    std::vector<uint32_t> took(meter.nanoseconds().begin() + calls_before,
                               meter.nanoseconds().begin() + calls);
    std::sort(took.begin(), took.end());
    m.p50_us = Percentile(took, 0.5);
    m.p99_us = Percentile(took, 0.99);
  }
  return m;
}

}  // namespace

std::vector<int> UsableCores() {
  cpu_set_t cores;
  PCHECK(sched_getaffinity(0, sizeof cores, &cores) == 0);
  std::vector<int> usable;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &cores)) usable.push_back(core);
  }
  return usable;
}

absl::StatusOr<Measurement> Measure(const RpcSystem& system, const RpcLoad& load,
                                    const Pinning& pinning, absl::Duration duration) {
  Child<int> server(pinning.server, [&](int pipe) {
    Tell(pipe, system.serve(load));
    while (true) pause();
  });
  int port;
  if (!server.Read(&port)) return Unavailable(system.name, "'s server failed");
  std::optional<Child<int>> balancer;
  if (load.balanced) {
    balancer.emplace(pinning.balancer, [&load, server_port = port](int pipe) {
      Tell(pipe, StartBalancer(load, server_port));
      while (true) pause();
    });
    if (!balancer->Read(&port)) return Unavailable("the balancer failed");
  }
  Child<Measurement> client(pinning.client, [&](int pipe) {
    const auto pid = balancer ? std::optional(balancer->pid()) : std::nullopt;
    Tell(pipe, Drive(system, load, port, server.pid(), pid, duration));
  });
  Measurement measured;
  if (!client.Read(&measured)) return Unavailable(system.name, "'s client failed");
  if (measured.calls == 0) return Unavailable(system.name, " completed no call");
  return measured;
}

}  // namespace skep
