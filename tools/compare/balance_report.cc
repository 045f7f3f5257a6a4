#include "tools/compare/balance_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "tools/compare/html_report.h"

namespace skep {
namespace {

std::string Cell(const Interval& interval) {
  if (!interval.known) return absl::StrFormat("%.3g", interval.estimate);
  return absl::StrFormat("%.3g [%.3g, %.3g]", interval.estimate, interval.low,
                         interval.high);
}

nlohmann::ordered_json Json(const Interval& interval) {
  const auto bound = [&interval](double value) {
    return interval.known ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  };
  return {{"mean", interval.estimate},
          {"low", bound(interval.low)},
          {"high", bound(interval.high)}};
}

struct Measure {
  const char* name;
  const char* title;
  Interval BalanceRow::*of;
  PlotAxis axis;
};
const Measure kMeasures[] = {
    {"mean_latency",
     "Mean latency",
     &BalanceRow::mean,
     {.label = "mean service times", .scale = PlotScale::kLog}},
    {"median_latency",
     "Median latency",
     &BalanceRow::p50,
     {.label = "mean service times", .scale = PlotScale::kLog}},
    {"p99_latency",
     "99th percentile",
     &BalanceRow::p99,
     {.label = "mean service times", .scale = PlotScale::kLog}},
    {"failed_percent",
     "Calls that failed",
     &BalanceRow::failed,
     {.label = "percent", .unit = PlotUnit::kPercent}},
};

// Policies in their order, and mixes in theirs.
std::vector<std::string> PoliciesOf(const std::vector<BalanceRow>& rows) {
  std::vector<std::string> names;
  for (const BalanceRow& row : rows) {
    if (std::find(names.begin(), names.end(), row.policy) == names.end()) {
      names.push_back(row.policy);
    }
  }
  return names;
}

BarPlot PlotOf(const Measure& measure, const std::vector<BalanceRow>& rows) {
  BarPlot plot{.title = measure.title, .y = measure.axis};
  for (const std::string& policy : PoliciesOf(rows)) {
    BarPlot::Series series{.name = policy};
    plot.groups.clear();
    for (const BalanceRow& row : rows) {
      if (row.policy != policy) continue;
      plot.groups.emplace_back(ServiceMixName(row.mix));
      const Interval& interval = row.*measure.of;
      series.bars.push_back({interval.estimate, interval.low, interval.high});
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

}  // namespace

std::vector<BalanceRow> BalanceRows(ServiceMix mix,
                                    const std::vector<ComparedPolicy>& policies,
                                    const std::vector<BalanceSamples>& samples) {
  std::vector<BalanceRow> rows;
  for (size_t i = 0; i < policies.size(); ++i) {
    BalanceRow row{.mix = mix, .policy = policies[i].name};
    row.mean = Bootstrap(samples[i].mean, MeanOf);
    row.p50 = Bootstrap(samples[i].p50, MeanOf);
    row.p99 = Bootstrap(samples[i].p99, MeanOf);
    std::vector<double> percent = samples[i].failed;
    for (double& value : percent) value *= 100;
    row.failed = Bootstrap(percent, MeanOf);
    row.times_first =
        BootstrapRatio(samples[i].mean, samples[0].mean, MeanOf, Pairing::kPaired);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string BalanceTableHeading() {
  return absl::StrFormat("%-17s %-14s %-22s %-22s %-22s %-22s %s\n", "SERVICE TIMES",
                         "POLICY", "MEAN LATENCY", "MEDIAN", "P99", "FAILED %",
                         "MEAN / FIRST");
}

std::string BalanceTableText(const std::vector<BalanceRow>& rows) {
  std::string out;
  for (const BalanceRow& row : rows) {
    absl::StrAppendFormat(&out, "%-17s %-14s %-22s %-22s %-22s %-22s %s\n",
                          std::string(ServiceMixName(row.mix)), row.policy,
                          Cell(row.mean), Cell(row.p50), Cell(row.p99),
                          Cell(row.failed), Cell(row.times_first));
  }
  return out;
}

std::string BalanceJson(const ReportLines& about, const std::vector<BalanceRow>& rows) {
  nlohmann::ordered_json json;
  for (const auto& [name, value] : about) json["about"][name] = value;
  json["rows"] = nlohmann::ordered_json::array();
  for (const BalanceRow& row : rows) {
    nlohmann::ordered_json one;
    one["service_times"] = std::string(ServiceMixName(row.mix));
    one["policy"] = row.policy;
    for (const Measure& measure : kMeasures) one[measure.name] = Json(row.*measure.of);
    one["mean_times_first"] = Json(row.times_first);
    json["rows"].push_back(std::move(one));
  }
  return json.dump(2) + "\n";
}

std::string BalanceHtml(const ReportLines& about, const std::vector<BalanceRow>& rows) {
  HtmlReport report("Balancing policies side by side");
  report.Environment(about);
  report.Paragraph(
      "Latencies are in mean service times. Each number is a mean over rounds, with "
      "its "
      "95 % confidence interval (bootstrap) in brackets and as error bars.");
  for (const Measure& measure : kMeasures) report.Plot(PlotOf(measure, rows));
  ReportTable table{.columns = {"service times", "policy", "mean latency", "median",
                                "p99", "failed %", "mean / first"}};
  for (const BalanceRow& row : rows) {
    table.rows.push_back({std::string(ServiceMixName(row.mix)), row.policy,
                          Cell(row.mean), Cell(row.p50), Cell(row.p99),
                          Cell(row.failed), Cell(row.times_first)});
  }
  report.Section("Numbers");
  report.Table(table);
  return report.Finish();
}

}  // namespace skep
