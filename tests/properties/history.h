// One history of channels and servers, from one seed, on the simulated network: calls
// of every kind, and every trouble that the network and its hosts can make.

#ifndef SKEP_TESTS_PROPERTIES_HISTORY_H_
#define SKEP_TESTS_PROPERTIES_HISTORY_H_

#include <cstdint>
#include <map>
#include <string>

namespace skep {

struct HistoryResult {
  std::string wrong;    // what was wrong; "" if nothing
  uint64_t digest = 0;  // of all that happened, and when
  std::map<std::string, int64_t> tally;
};

// `balanced`: the calls go through a balancer.
HistoryResult RunHistory(uint64_t seed, bool balanced);

}  // namespace skep

#endif  // SKEP_TESTS_PROPERTIES_HISTORY_H_
