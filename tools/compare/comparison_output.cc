#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <limits>

#include "absl/strings/str_format.h"
#include "base/cpu_path.h"
#include "base/strings.h"
#include "jobs/api/json_text.h"
#include "tools/compare/comparison.h"
#include "tools/compare/html_report.h"

namespace skep {
namespace {

std::string Time(double seconds) {
  return FormatPlotValue(1e9 * seconds, PlotUnit::kNanoseconds);
}

std::string Bytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  return absl::StrFormat("%.*f %s", value < 10 && unit > 0 ? 1 : 0, value,
                         kUnits[unit]);
}

// The kernel counts the pages of a process in batches of hundreds of KiB: what is less
// than this is not known better.
constexpr uint64_t kLeastMemory = 1 << 20;

std::string Memory(uint64_t bytes, bool on_fleet) {
  if (on_fleet) return "-";
  return bytes < kLeastMemory ? "< 1 MiB" : Bytes(bytes);
}

// "3.20x [3.10, 3.31]", and what to think of it.
std::string Ratio(const AlgorithmFigures& figures, bool first) {
  if (first) return "1";
  if (!figures.ratio.known) return absl::StrFormat("%.3gx", figures.ratio.estimate);
  return absl::StrFormat("%.3gx [%.3g, %.3g]", figures.ratio.estimate,
                         figures.ratio.low, figures.ratio.high);
}

std::string Verdict(const AlgorithmFigures& figures, bool first) {
  std::string text = figures.note;
  if (!first && figures.within_noise) {
    StrAppend(&text, text.empty() ? "" : "; ", "within the noise");
  }
  return text;
}

// What is not known is "-"; HowMeasured says why.
std::string Spread(const AlgorithmFigures& figures) {
  return figures.spread ? absl::StrFormat("+-%.1f %%", 100 * *figures.spread) : "-";
}

// What is compared comes first: CPU time, or on a fleet the clock.
std::vector<std::string> Row(const AlgorithmFigures& figures, bool first,
                             bool on_fleet) {
  std::string cpu = Time(figures.cpu.estimate), wall = Time(figures.wall.estimate);
  if (on_fleet) cpu.swap(wall);
  return {figures.name,
          cpu,
          Spread(figures),
          Ratio(figures, first),
          wall,
          Memory(figures.memory, on_fleet),
          figures.rounds ? StrCat(*figures.rounds) : "-",
          figures.bytes ? Bytes(*figures.bytes) : "-",
          Verdict(figures, first)};
}

std::vector<std::string> Columns(bool on_fleet) {
  return {"algorithm",
          on_fleet ? "time" : "CPU",
          "spread",
          "faster",
          on_fleet ? "CPU" : "wall",
          "memory",
          "rounds",
          "bytes moved",
          "remark"};
}

std::string FirstLineAfter(const char* file, const std::string& start) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(start)) return line.substr(start.size());
  }
  return "unknown";
}

std::string Processor() { return FirstLineAfter("/proc/cpuinfo", "model name\t: "); }
std::string Load() { return FirstLineAfter("/proc/loadavg", ""); }

std::string HowMeasured(const Comparison& comparison) {
  const std::string spread =
      comparison.rounds < kLeastForSpread
          ? StrCat("spread is not known: that takes ", kLeastForSpread, " rounds")
          : "spread is half the distance of the quartiles";
  const std::string interval =
      comparison.rounds < static_cast<int>(kLeastForInterval)
          ? StrCat(", without an interval: that takes ", kLeastForInterval, " rounds. ")
          : ", with a 95 % interval of the ratio of the medians, by bootstrap; one "
            "that holds 1 is within the noise. ";
  if (!comparison.fleet.empty()) {
    return StrCat(
        comparison.rounds, " interleaved rounds on the fleet of ", comparison.fleet,
        ". Medians of the time from submission to answer, beside the CPU time "
        "of the tasks, added up; ",
        spread, "; how many times faster than the first by the clock", interval,
        "Rounds: stages that ran. Bytes moved: what map tasks passed to reducers. "
        "Memory: -, a master is not told that of its fleet.");
  }
  return StrCat(comparison.rounds, " interleaved rounds on one ",
                comparison.pinned ? "pinned core" : "core, not pinned",
                ". Medians of CPU time, beside the clock on the wall, which a busy "
                "machine stretches; ",
                spread, "; how many times faster than the first", interval,
                comparison.family->counts);
}

// Cost of an item against size, a line for each algorithm.
LinePlot CostPlot(const Comparison& comparison) {
  const bool on_fleet = !comparison.fleet.empty();
  const std::string what = on_fleet ? "Time" : "CPU time";
  LinePlot plot;
  plot.title = comparison.family->cost_of_all
                   ? StrCat(what, " against ", comparison.family->size_name)
                   : StrCat(what, " for one of the ", comparison.family->size_name);
  plot.x = {
      .label = comparison.family->size_name,
      .scale = comparison.family->cost_of_all ? PlotScale::kLinear : PlotScale::kLog,
      .ticks_at_points = true};
  plot.y = {.label = what, .unit = PlotUnit::kNanoseconds, .scale = PlotScale::kLog};
  for (size_t i = 0; i < comparison.sizes[0].algorithms.size(); ++i) {
    LinePlot::Series& series = plot.series.emplace_back();
    series.name = comparison.sizes[0].algorithms[i].name;
    for (const SizeFigures& size : comparison.sizes) {
      const AlgorithmFigures& of = size.algorithms[i];
      const Interval& cost = on_fleet ? of.wall : of.cpu;
      const double items =
          (comparison.family->cost_of_all ? 1 : static_cast<double>(size.size)) / 1e9;
      series.points.push_back({static_cast<double>(size.size), cost.estimate / items,
                               cost.low / items, cost.high / items});
    }
  }
  return plot;
}

// A fleet's memory is not known here, nor is very little.
bool KnowsMemory(const Comparison& comparison) {
  for (const SizeFigures& size : comparison.sizes) {
    for (const AlgorithmFigures& of : size.algorithms) {
      if (of.memory >= kLeastMemory) return true;
    }
  }
  return false;
}

BarPlot MemoryPlot(const Comparison& comparison) {
  BarPlot plot;
  plot.title = "Memory at the peak, beyond the input, from 1 MiB on";
  plot.y = {.label = "MiB"};
  plot.x_label = comparison.family->size_name;
  for (const SizeFigures& size : comparison.sizes) {
    plot.groups.push_back(
        FormatPlotValue(static_cast<double>(size.size), PlotUnit::kNumber));
  }
  for (size_t i = 0; i < comparison.sizes[0].algorithms.size(); ++i) {
    BarPlot::Series& series = plot.series.emplace_back();
    series.name = comparison.sizes[0].algorithms[i].name;
    for (const SizeFigures& size : comparison.sizes) {
      const uint64_t memory = size.algorithms[i].memory;
      BarPlot::Bar& bar = series.bars.emplace_back();
      bar.value = memory < kLeastMemory
                      ? std::numeric_limits<double>::quiet_NaN()
                      : std::round(static_cast<double>(memory) / (1 << 20) * 100) / 100;
    }
  }
  return plot;
}

std::string IntervalJson(const Interval& interval) {
  const auto bound = [&interval](double value) {
    return interval.known ? JsonNumber(value) : "null";
  };
  return StrCat("{\"estimate\":", JsonNumber(interval.estimate),
                ",\"low\":", bound(interval.low), ",\"high\":", bound(interval.high),
                "}");
}

std::string CountJson(const std::optional<uint64_t>& count) {
  return count ? StrCat(*count) : "null";
}

// The path behind the name.
std::vector<std::string> WithPath(std::vector<std::string> cells,
                                  const std::string& path) {
  cells.insert(cells.begin() + 1, path);
  return cells;
}

// Columns of a table, headed by the first row, without a cell that says anything.
void LeaveOutEmpty(std::vector<std::vector<std::string>>* rows) {
  for (size_t column = (*rows)[0].size(); column-- > 0;) {
    const auto column_of = static_cast<ptrdiff_t>(column);
    if (!std::all_of(rows->begin() + 1, rows->end(),
                     [column](const auto& row) { return row[column].empty(); })) {
      continue;
    }
    for (auto& row : *rows) row.erase(row.begin() + column_of);
  }
}

}  // namespace

std::string ComparisonText(const Comparison& comparison) {
  std::string text =
      StrCat(comparison.family->name, ": ", comparison.family->what, "\n", "CPU ",
             Processor(), ", best path ", CpuPathName(BestCpuPath()), ", load ", Load(),
             "\n", HowMeasured(comparison), "\n");
  const bool on_fleet = !comparison.fleet.empty();
  std::vector<std::string> heading = WithPath(Columns(on_fleet), "path");
  for (std::string& name : heading) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::toupper(c); });
  }
  heading.back().clear();
  for (const SizeFigures& size : comparison.sizes) {
    std::vector<std::vector<std::string>> rows = {heading};
    for (size_t i = 0; i < size.algorithms.size(); ++i) {
      rows.push_back(
          WithPath(Row(size.algorithms[i], i == 0, on_fleet), size.algorithms[i].path));
    }
    LeaveOutEmpty(&rows);
    std::vector<size_t> widths(rows[0].size());
    for (const auto& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], row[i].size());
      }
    }
    StrAppend(&text, "\n", size.input, "; the exact ones agree\n");
    for (const auto& row : rows) {
      std::string line;
      for (size_t i = 0; i < row.size(); ++i) {
        // Names and remarks to the left, figures to the right.
        const bool left = i == 0 || rows[0][i].empty();
        if (i > 0) line += "  ";
        line += left ? absl::StrFormat("%-*s", static_cast<int>(widths[i]), row[i])
                     : absl::StrFormat("%*s", static_cast<int>(widths[i]), row[i]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      StrAppend(&text, line, "\n");
    }
  }
  return text;
}

std::string ComparisonJson(const Comparison& comparison) {
  const bool on_fleet = !comparison.fleet.empty();
  std::string json = StrCat(
      "{\"family\":", JsonString(comparison.family->name),
      ",\"processor\":", JsonString(Processor()),
      ",\"path\":", JsonString(CpuPathName(BestCpuPath())),
      ",\"load\":", JsonString(Load()), ",\"rounds\":", comparison.rounds,
      ",\"pinned\":", comparison.pinned ? "true" : "false",
      ",\"fleet\":", on_fleet ? JsonString(comparison.fleet) : "null", ",\"sizes\":[");
  for (size_t i = 0; i < comparison.sizes.size(); ++i) {
    const SizeFigures& size = comparison.sizes[i];
    StrAppend(&json, i == 0 ? "" : ",", "{\"size\":", size.size,
              ",\"input\":", JsonString(size.input), ",\"algorithms\":[");
    for (size_t j = 0; j < size.algorithms.size(); ++j) {
      const AlgorithmFigures& of = size.algorithms[j];
      StrAppend(&json, j == 0 ? "" : ",", "{\"name\":", JsonString(of.name),
                ",\"answer\":", JsonString(of.answer),
                ",\"note\":", JsonString(of.note),
                ",\"path\":", of.path.empty() ? "null" : JsonString(of.path),
                ",\"wall_seconds\":", IntervalJson(of.wall),
                ",\"cpu_seconds\":", IntervalJson(of.cpu));
      StrAppend(&json, ",\"spread\":", of.spread ? JsonNumber(*of.spread) : "null",
                ",\"times_faster\":", IntervalJson(of.ratio),
                ",\"within_noise\":", of.within_noise ? "true" : "false",
                ",\"memory_bytes\":", on_fleet ? "null" : StrCat(of.memory),
                ",\"rounds\":", CountJson(of.rounds),
                ",\"bytes_moved\":", CountJson(of.bytes), "}");
    }
    StrAppend(&json, "]}");
  }
  StrAppend(&json, "]}\n");
  return json;
}

std::string ComparisonHtml(const Comparison& comparison, const std::string& command) {
  HtmlReport report(StrCat("skep compare ", comparison.family->name));
  report.Environment({{"command", command},
                      {"processor", Processor()},
                      {"best path", std::string(CpuPathName(BestCpuPath()))},
                      {"load", Load()}});
  report.Paragraph(
      StrCat("Compared: ", comparison.family->what, ". ", HowMeasured(comparison)));
  std::vector<std::vector<std::string>> about;
  for (const AlgorithmFigures& figures : comparison.sizes[0].algorithms) {
    about.push_back({figures.name, figures.what, figures.path});
  }
  report.Table({.columns = {"algorithm", "what it does", "CPU path"},
                .rows = about,
                .text = true});
  report.Section("Cost against size");
  report.Plot(CostPlot(comparison));
  if (KnowsMemory(comparison)) report.Plot(MemoryPlot(comparison));
  for (const SizeFigures& size : comparison.sizes) {
    report.Section(size.input);
    // The remark in sight where the page is too narrow for all columns.
    const auto remark_forward = [](std::vector<std::string> cells) {
      std::rotate(cells.begin() + 4, cells.end() - 1, cells.end());
      return cells;
    };
    const bool on_fleet = !comparison.fleet.empty();
    ReportTable table{.columns = remark_forward(Columns(on_fleet))};
    for (size_t i = 0; i < size.algorithms.size(); ++i) {
      table.rows.push_back(remark_forward(Row(size.algorithms[i], i == 0, on_fleet)));
    }
    report.Table(table);
  }
  return report.Finish();
}

}  // namespace skep
