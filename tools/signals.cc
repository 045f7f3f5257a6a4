#include "tools/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "glog/logging.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

// What the signal handler may touch: it has no `this`.
constexpr int kNone = -1;
std::atomic<int> wake_fd = kNone;
std::atomic<int> signals_seen = 0;
std::atomic<int> first_signal = SIGTERM;

// What wakes a StopSignal's thread adds up in its eventfd: its end, and, above all
// that, a signal that is its own.
constexpr uint64_t kEnd = 1;
constexpr uint64_t kStop = 1 << 20;

void Wake(uint64_t why) {
  const int saved = errno;
  [[maybe_unused]] const ssize_t written = write(wake_fd.load(), &why, sizeof why);
  errno = saved;
}

// Service managers tell the process and its whole group, which is one wish said twice.
constexpr int64_t kOneWishNanos = 1'000'000'000;
// Nor does anybody press Ctrl-C twice in this time: a wrapper has passed it on.
constexpr int64_t kOneKeyNanos = 100'000'000;
std::atomic<int64_t> first_signal_nanos = 0;

int64_t MonotonicNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void OnSignal(int signal) {
  if (signals_seen.fetch_add(1) == 0) {
    first_signal = signal;
    first_signal_nanos = MonotonicNanos();
    Wake(kStop);
    return;
  }
  const int64_t since = MonotonicNanos() - first_signal_nanos.load();
  if (since > (signal == SIGINT ? kOneKeyNanos : kOneWishNanos)) _exit(kCancelled);
}

void Handle(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

StopSignal::StopSignal(std::function<void()> on_stop)
    : fd_(eventfd(0, EFD_CLOEXEC)), outer_fd_(wake_fd.load()) {
  PCHECK(fd_ >= 0) << "eventfd";
  if (outer_fd_ == kNone) signals_seen = 0;
  wake_fd = fd_;
  thread_ = std::thread([fd = fd_, on_stop = std::move(on_stop)] {
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    if (count >= kStop && on_stop) on_stop();
  });
  Handle(OnSignal);
  // One that came to the outer one just before.
  if (signals_seen.load() > 0) Wake(kStop);
}

StopSignal::~StopSignal() {
  // Once a stop was asked for, a SIGTERM that repeats it changes nothing to the end.
  if (outer_fd_ == kNone && signals_seen.load() == 0) Handle(SIG_DFL);
  Wake(kEnd);
  if (thread_.joinable()) thread_.join();
  wake_fd = outer_fd_;
  close(fd_);
}

bool StopRequested() { return signals_seen.load() > 0; }

void EndBySignal() {
  const int number = first_signal.load();
  Handle(SIG_DFL);
  raise(number);
  _exit(128 + number);
}

void StopSignal::Wait() { thread_.join(); }

// Before the constructors of libraries, some of which open descriptors.
__attribute__((constructor(101))) static void HoldStandardDescriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is this one. Opened the wrong way round on purpose.
    const int held = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    if (held != fd && held >= 0) close(held);
  }
}

void IgnoreBrokenPipes() { signal(SIGPIPE, SIG_IGN); }

}  // namespace skep
