#include "tools/compare/balance_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "tools/compare/html_report.h"

namespace skep {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Of the rounds that have a value; of none there is no estimate either.
Interval OfRounds(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return {kNone, kNone, kNone, false};
  return Bootstrap(values, MeanOf);
}

// By round, of those that have both.
Interval Ratio(const std::vector<double>& above, const std::vector<double>& below) {
  std::vector<double> as, bs;
  for (size_t i = 0; i < std::min(above.size(), below.size()); ++i) {
    if (std::isnan(above[i]) || std::isnan(below[i])) continue;
    as.push_back(above[i]);
    bs.push_back(below[i]);
  }
  if (as.empty()) return {kNone, kNone, kNone, false};
  return BootstrapRatio(as, bs, MeanOf, Pairing::kPaired);
}

// What a row has to say of itself, or nothing.
std::string NoteOf(const BalanceRow& row) {
  if (row.empty_rounds == 0) return "";
  return absl::StrFormat("nothing answered in %d of %d rounds", row.empty_rounds,
                         row.rounds);
}

std::string Cell(const Interval& interval) {
  if (std::isnan(interval.estimate)) return "-";
  if (!interval.known) return absl::StrFormat("%.3g", interval.estimate);
  return absl::StrFormat("%.3g [%.3g, %.3g]", interval.estimate, interval.low,
                         interval.high);
}

nlohmann::ordered_json Json(const Interval& interval) {
  const auto bound = [&interval](double value) {
    return interval.known ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  };
  // What is not a number is null.
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
    row.rounds = static_cast<int>(samples[i].mean.size());
    row.empty_rounds =
        static_cast<int>(std::count_if(samples[i].mean.begin(), samples[i].mean.end(),
                                       [](double value) { return std::isnan(value); }));
    row.mean = OfRounds(samples[i].mean);
    row.p50 = OfRounds(samples[i].p50);
    row.p99 = OfRounds(samples[i].p99);
    std::vector<double> percent = samples[i].failed;
    for (double& value : percent) value *= 100;
    row.failed = OfRounds(percent);
    row.times_first = Ratio(samples[i].mean, samples[0].mean);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string BalanceTableHeading() {
  return absl::StrFormat("%-17s %-14s %-22s %-22s %-22s %-22s %s\n", "SERVICE TIMES",
                         "POLICY", "MEAN OF ANSWERED", "MEDIAN OF ANSWERED",
                         "P99 OF ANSWERED", "FAILED %", "MEAN / FIRST");
}

std::string BalanceTableText(const std::vector<BalanceRow>& rows) {
  std::string out;
  for (const BalanceRow& row : rows) {
    const std::string note = NoteOf(row);
    absl::StrAppendFormat(&out, "%-17s %-14s %-22s %-22s %-22s %-22s %s%s%s\n",
                          std::string(ServiceMixName(row.mix)), row.policy,
                          Cell(row.mean), Cell(row.p50), Cell(row.p99),
                          Cell(row.failed), Cell(row.times_first),
                          note.empty() ? "" : "  ", note);
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
    one["rounds"] = row.rounds;
    one["rounds_without_answers"] = row.empty_rounds;
    one["mean_times_first"] = Json(row.times_first);
    json["rows"].push_back(std::move(one));
  }
  return json.dump(2) + "\n";
}

std::string BalanceHtml(const ReportLines& about, const std::vector<BalanceRow>& rows) {
  HtmlReport report("Balancing policies side by side");
  report.Environment(about);
  report.Paragraph(
      "Latencies are of answered calls, in mean service times. Each number is a mean "
      "over rounds in which there were any, with its 95 % confidence interval "
      "(bootstrap) in brackets and as error bars.");
  for (const Measure& measure : kMeasures) report.Plot(PlotOf(measure, rows));
  ReportTable table{.columns = {"service times", "policy", "mean latency", "median",
                                "p99", "failed %", "mean / first", ""}};
  for (const BalanceRow& row : rows) {
    table.rows.push_back({std::string(ServiceMixName(row.mix)), row.policy,
                          Cell(row.mean), Cell(row.p50), Cell(row.p99),
                          Cell(row.failed), Cell(row.times_first), NoteOf(row)});
  }
  report.Section("Numbers");
  report.Table(table);
  return report.Finish();
}

}  // namespace skep
