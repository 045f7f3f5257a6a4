#include "tools/load/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "base/strings.h"

namespace skep {
namespace {

double Us(uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

double PerCall(absl::Duration cpu, const LoadStats& stats) {
  return stats.answered() == 0
             ? 0
             : absl::ToDoubleMicroseconds(cpu) / static_cast<double>(stats.answered());
}

double Rate(const LoadReport& report) {
  const double seconds = absl::ToDoubleSeconds(report.elapsed);
  return seconds <= 0 ? 0 : static_cast<double>(report.stats.ok()) / seconds;
}

std::string NameOf(size_t outcome) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(outcome));
}

// "UNAVAILABLE 1260, DEADLINE_EXCEEDED 3"; empty: all went well.
std::string FailuresByCode(const LoadStats& stats) {
  std::string out;
  for (size_t i = 1; i < stats.outcomes.size(); ++i) {
    if (stats.outcomes[i] == 0) continue;
    StrAppend(&out, out.empty() ? "" : ", ", NameOf(i), " ", stats.outcomes[i]);
  }
  return out;
}

std::string LatencyLine(const Histogram& h) {
  return absl::StrFormat(
      "latency (us): min %.1f  max %.1f  average %.1f  median %.1f  p90 %.1f  "
      "p99 %.1f  p99.9 %.1f\n",
      Us(h.least()), Us(h.greatest()), h.mean() / 1e3, Us(h.Percentile(50)),
      Us(h.Percentile(90)), Us(h.Percentile(99)), Us(h.Percentile(99.9)));
}

}  // namespace

std::string LoadReportText(const std::string& what, const LoadReport& report) {
  const LoadStats& stats = report.stats;
  std::string out = what + "\n";
  out += absl::StrFormat("sent %d  received %d (%.0f/s)  failed %d  unanswered %d\n",
                         stats.sent, stats.ok(), Rate(report), stats.failed(),
                         stats.unanswered());
  if (stats.failed() > 0) {
    out += absl::StrFormat(
        "failed, %.3g %% of those sent: %s\n",
        100 * static_cast<double>(stats.failed()) / static_cast<double>(stats.sent),
        FailuresByCode(stats));
  }
  out += LatencyLine(stats.latency);
  if (stats.lag.count() > 0) {
    out += absl::StrFormat(
        "sent late, in the latency above (us): median %.1f  p99 %.1f  max %.1f\n",
        Us(stats.lag.Percentile(50)), Us(stats.lag.Percentile(99)),
        Us(stats.lag.greatest()));
  }
  out += absl::StrFormat("cpu: %.2f us a call here", PerCall(report.client_cpu, stats));
  for (const ProcessCpu& process : report.cpu_of) {
    out += absl::StrFormat(", %.2f us in process %d", PerCall(process.used, stats),
                           process.pid);
  }
  out += "\n";
  if (report.balanced.hedges + report.balanced.hedges_refused > 0) {
    out +=
        absl::StrFormat("hedges: %d sent, %d of them won, %d refused by the budget\n",
                        report.balanced.hedges, report.balanced.hedges_won,
                        report.balanced.hedges_refused);
  }
  if (report.balanced.retries + report.balanced.retries_refused > 0) {
    out += absl::StrFormat("retries: %d sent, %d refused by the budget\n",
                           report.balanced.retries, report.balanced.retries_refused);
  }
  if (stats.not_sent > 0) {
    out += absl::StrFormat("not sent, too many outstanding: %d\n", stats.not_sent);
  }
  if (report.connections_lost > 0) {
    StrAppend(&out, "connections lost: ", report.connections_lost, ": ",
              report.lost_why.message(), "\n");
  }
  return out;
}

std::string LoadReportJson(const std::string& what, const LoadReport& report) {
  const LoadStats& stats = report.stats;
  const Histogram& h = stats.latency;
  nlohmann::ordered_json json;
  json["load"] = what;
  json["sent"] = stats.sent;
  json["received"] = stats.ok();
  json["per_second"] = Rate(report);
  json["failed"] = stats.failed();
  json["not_sent"] = stats.not_sent;
  json["unanswered"] = stats.unanswered();
  json["in_flight_when_sending_ended"] = stats.in_flight;
  json["seconds"] = absl::ToDoubleSeconds(report.elapsed);
  json["errors"] = nlohmann::ordered_json::object();
  for (size_t i = 1; i < stats.outcomes.size(); ++i) {
    if (stats.outcomes[i] > 0) json["errors"][NameOf(i)] = stats.outcomes[i];
  }
  json["latency_us"] = {
      {"min", Us(h.least())},           {"max", Us(h.greatest())},
      {"average", h.mean() / 1e3},      {"median", Us(h.Percentile(50))},
      {"p90", Us(h.Percentile(90))},    {"p99", Us(h.Percentile(99))},
      {"p99_9", Us(h.Percentile(99.9))}};
  if (stats.lag.count() > 0) {
    json["sent_late_us"] = {{"median", Us(stats.lag.Percentile(50))},
                            {"p99", Us(stats.lag.Percentile(99))},
                            {"max", Us(stats.lag.greatest())}};
  }
  json["cpu_us_per_call"] = {{"here", PerCall(report.client_cpu, stats)}};
  for (const ProcessCpu& process : report.cpu_of) {
    json["cpu_us_per_call"][std::to_string(process.pid)] = PerCall(process.used, stats);
  }
  json["balanced"] = {{"hedges", report.balanced.hedges},
                      {"hedges_won", report.balanced.hedges_won},
                      {"hedges_refused", report.balanced.hedges_refused},
                      {"retries", report.balanced.retries},
                      {"retries_refused", report.balanced.retries_refused}};
  json["connections_lost"] = report.connections_lost;
  return json.dump(2) + "\n";
}

std::string LoadTableText(const std::vector<LoadMeasurement>& runs) {
  size_t width = 6;
  for (const LoadMeasurement& run : runs) width = std::max(width, run.target.size());
  std::string out =
      absl::StrFormat("%-*s %10s %10s %9s %9s %9s %9s %9s %9s %9s\n", width, "TARGET",
                      "RATE/S", "DONE/S", "FAILED", "NOT SENT", "MEDIAN us", "P90 us",
                      "P99 us", "P99.9 us", "MAX us");
  for (const LoadMeasurement& run : runs) {
    const LoadStats& stats = run.report.stats;
    const Histogram& h = stats.latency;
    out += absl::StrFormat(
        "%-*s %10s %10.0f %9d %9d %9.1f %9.1f %9.1f %9.1f %9.1f\n", width, run.target,
        run.rate > 0 ? absl::StrFormat("%.0f", run.rate) : "closed", Rate(run.report),
        stats.failed(), stats.not_sent, Us(h.Percentile(50)), Us(h.Percentile(90)),
        Us(h.Percentile(99)), Us(h.Percentile(99.9)), Us(h.greatest()));
  }
  for (const LoadMeasurement& run : runs) {
    if (run.report.stats.failed() == 0) continue;
    StrAppend(&out, "failed at ", run.target,
              run.rate > 0 ? absl::StrFormat(", %.0f/s", run.rate) : "", ": ",
              FailuresByCode(run.report.stats), "\n");
  }
  return out;
}

std::string LoadTableJson(const std::vector<LoadMeasurement>& runs) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const LoadMeasurement& run : runs) {
    nlohmann::ordered_json one =
        nlohmann::ordered_json::parse(LoadReportJson(run.what, run.report));
    one["target"] = run.target;
    if (run.rate > 0) one["rate"] = run.rate;
    json.push_back(std::move(one));
  }
  return json.dump(2) + "\n";
}

std::string LoadHistogramFile(const std::map<uint64_t, uint64_t>& steps) {
  uint64_t all = 0;
  for (const auto& [step, count] : steps) all += count;
  std::string out;
  uint64_t sum = 0;
  for (const auto& [step, count] : steps) {
    sum += count;
    out += absl::StrFormat("%4d %5d %5.2f\n", step * kHistogramStep / 1000, count,
                           100 * static_cast<double>(sum) / static_cast<double>(all));
  }
  return out;
}

}  // namespace skep
