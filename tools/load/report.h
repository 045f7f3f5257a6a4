// What a load test has found, for people, for programs, and as files.

#ifndef SKEP_TOOLS_LOAD_REPORT_H_
#define SKEP_TOOLS_LOAD_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/load/load.h"

namespace skep {

// Several lines. `what` says what was loaded and how: "echo at 127.0.0.1:8888, ...".
std::string LoadReportText(const std::string& what, const LoadReport& report);
// One JSON object, latencies in microseconds.
std::string LoadReportJson(const std::string& what, const LoadReport& report);
// Several runs, of several targets or rates: a line for each, or a JSON array.
struct LoadMeasurement {
  std::string what;  // as above
  std::string target;
  double rate = 0;  // open loop: what was asked for
  LoadReport report;
};
std::string LoadTableText(const std::vector<LoadMeasurement>& runs);
std::string LoadTableJson(const std::vector<LoadMeasurement>& runs);
// The family's histogram file: a line for each bucket of 5 us that has values, with its
// begin in microseconds, its count, and the percentage of all that are in it or below.
std::string LoadHistogramFile(const std::map<uint64_t, uint64_t>& steps);

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_REPORT_H_
