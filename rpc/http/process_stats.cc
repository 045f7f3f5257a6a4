#include "rpc/http/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace skep {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// When the machine was started.
double BootTime() {
  std::ifstream in("/proc/stat");
  std::string word;
  double seconds = 0;
  while (in >> word) {
    if (word == "btime" && in >> seconds) return seconds;
  }
  return 0;
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    stats.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  }
  std::ifstream in("/proc/self/stat");
  std::string line;
  if (std::getline(in, line)) {
    // Behind the name, which may hold anything: threads are field 20, the start 22,
    // resident pages 24.
    std::istringstream fields(line.substr(line.rfind(')') + 1));
    std::string value;
    for (int field = 3; field <= 24 && fields >> value; ++field) {
      if (field == 20) stats.threads = std::atoi(value.c_str());
      if (field == 22) {
        stats.start_unix_seconds =
            BootTime() +
            std::atof(value.c_str()) / static_cast<double>(sysconf(_SC_CLK_TCK));
      }
      if (field == 24) {
        stats.resident_bytes = std::strtoull(value.c_str(), nullptr, 10) *
                               static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
      }
    }
  }
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end;
       !error && it != end; it.increment(error)) {
    ++stats.open_descriptors;
  }
  // One of them was the directory itself.
  if (stats.open_descriptors > 0) --stats.open_descriptors;
  return stats;
}

}  // namespace skep
