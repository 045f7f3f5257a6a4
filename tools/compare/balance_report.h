// What a comparison of balancing policies came to, for people, programs and browsers.

#ifndef SKEP_TOOLS_COMPARE_BALANCE_REPORT_H_
#define SKEP_TOOLS_COMPARE_BALANCE_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "base/bootstrap.h"
#include "tools/compare/balance_simulation.h"

namespace skep {

// One policy under one mix. Latencies of answered calls in mean service times, failures
// in percent; means over rounds with their 95 % intervals. Rounds in which nothing was
// answered have no latency and are left out of it; without any others the estimate is
// not a number, and is shown as "-".
struct BalanceRow {
  ServiceMix mix = ServiceMix::kFixed;
  std::string policy;
  Interval mean, p50, p99, failed;
  // Its mean latency over that of the first policy of the mix, by round.
  Interval times_first;
  int rounds = 0;
  int empty_rounds = 0;  // of these, without an answer
};
// `samples[i]` are those of `policies[i]`, round by round the same calls.
std::vector<BalanceRow> BalanceRows(ServiceMix mix,
                                    const std::vector<ComparedPolicy>& policies,
                                    const std::vector<BalanceSamples>& samples);

// Lines for some rows, under this heading.
std::string BalanceTableHeading();
std::string BalanceTableText(const std::vector<BalanceRow>& rows);

using ReportLines = std::vector<std::pair<std::string, std::string>>;
// `about`: names and values of what was compared, and on what.
std::string BalanceJson(const ReportLines& about, const std::vector<BalanceRow>& rows);
std::string BalanceHtml(const ReportLines& about, const std::vector<BalanceRow>& rows);

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_BALANCE_REPORT_H_
