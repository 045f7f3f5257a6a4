#include "tests/bench/machine.h"

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/cpu_path.h"
#include "base/strings.h"

namespace skep {
namespace {

// What follows `start` in the file's first line that begins with it.
std::string FirstLineAfter(const char* file, const std::string& start) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(start)) return line.substr(line.find(start) + start.size());
  }
  return " unknown";
}

}  // namespace

std::string MachineLine() {
  return StrCat("CPU", FirstLineAfter("/proc/cpuinfo", "model name\t"), ", ",
                std::thread::hardware_concurrency(), " cores; best path ",
                CpuPathName(BestCpuPath()), "; load ",
                FirstLineAfter("/proc/loadavg", ""));
}

std::string MachineJson() {
  std::string cpu = FirstLineAfter("/proc/cpuinfo", "model name\t: ");
  std::erase_if(cpu, [](char c) { return c == '"' || c == '\\' || c < ' '; });
  return StrCat("{\"cpu\":\"", cpu,
                "\",\"cores\":", std::thread::hardware_concurrency(),
                ",\"best_path\":\"", CpuPathName(BestCpuPath()),
                "\",\"load\":", MachineLoad(), "}");
}

double MachineLoad() {
  double load = 0;
  getloadavg(&load, 1);
  return load;
}

}  // namespace skep
