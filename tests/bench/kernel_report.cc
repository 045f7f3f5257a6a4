#include "tests/bench/kernel_report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "tests/bench/machine.h"

namespace skep {
namespace {

using Json = nlohmann::ordered_json;

bool LessIsBetter(const KernelRow& row) {
  return row.unit == "s" || row.unit == "ns/item" || row.unit == "%" ||
         row.unit == "guesses";
}

// How many times as good: over 1 is better.
double Ratio(const KernelRow& row, double figure, double other) {
  return LessIsBetter(row) ? other / figure : figure / other;
}

std::string Cell(double value) {
  if (value == 0) return "-";
  const int decimals = value >= 1000 ? 0 : value >= 10 ? 1 : 3;
  return absl::StrFormat("%.*f", decimals, value);
}

std::string Times(double ratio) {
  if (ratio == 0) return "-";
  return absl::StrFormat("%.*fx", ratio >= 9.95 ? 0 : 2, ratio);
}

const char* KindName(const Asked& asked) { return asked.must ? "must" : "stretch"; }

// ">= 20x median by bisection", "<= 0.264 s".
std::string Wording(const KernelRow& row, const Asked& asked) {
  if (!asked.over.empty()) {
    return absl::StrFormat(">= %gx %s", asked.figure, asked.over);
  }
  return absl::StrFormat("%s %g %s", LessIsBetter(row) ? "<=" : ">=", asked.figure,
                         row.unit);
}

std::string WordingOf(const KernelRow& row, const Asked& asked, double measured) {
  return asked.over.empty() ? StrCat(Cell(measured), " ", row.unit) : Times(measured);
}

}  // namespace

void KernelReport::BeginFamily(std::string_view name) {
  references_.clear();
  if (options_.json) return;
  if (!headed_) {
    absl::PrintF("%s\n", MachineLine());
    absl::PrintF(
        "CPU time of one thread, medians. Ratios over 1 are better. published: the "
        "best "
        "public program on one core of a\n2.3 GHz machine with AVX-512. plain: how the "
        "row stands to the plain way of the same run; there: how that program\nstands "
        "to "
        "it. load: of the machine, over the last minute.\n");
    if (options_.data.empty()) {
      absl::PrintF(
          "Without --data DIR (kjv.txt, sudoku17_20k.txt, magictour_1465.txt, "
          "hardest_1000.txt) rows are missing.\n");
    }
  }
  headed_ = true;
  absl::PrintF("\n%-36s %-7s %9s %-9s %6s  %9s %-18s %6s %7s %7s %5s\n", ToAbsl(name),
               "path", "here", "", "spread", "published", "", "ratio", "plain", "there",
               "load");
}

void KernelReport::Add(const MeasuredRow& measured) {
  const KernelRow& row = *measured.row;
  // The best path's, where there are several.
  if (measured.best_path) {
    references_[row.name] = {measured.figures.median,
                             row.published.empty() ? 0 : row.published.front().figure};
  }
  const std::vector<Standing> standings = StandingsOf(measured);
  const std::vector<Verdict> verdicts = VerdictsOn(measured);
  Count(row, verdicts);
  if (options_.json) {
    PrintJson(measured, standings, verdicts);
  } else {
    PrintLine(measured, standings);
    if (measured.best_path) {
      PrintBeside(measured);
      PrintVerdicts(row, verdicts);
    }
  }
  std::fflush(stdout);
}

std::vector<KernelReport::Standing> KernelReport::StandingsOf(
    const MeasuredRow& measured) const {
  const KernelRow& row = *measured.row;
  std::vector<Standing> standings;
  for (const std::string& over : row.baselines) {
    const auto found = references_.find(over);
    if (found == references_.end()) continue;
    const Reference& reference = found->second;
    Standing standing{over, Ratio(row, measured.figures.median, reference.here), 0};
    if (reference.there != 0 && !row.published.empty()) {
      standing.there = Ratio(row, row.published.front().figure, reference.there);
    }
    standings.push_back(std::move(standing));
  }
  return standings;
}

std::vector<KernelReport::Verdict> KernelReport::VerdictsOn(
    const MeasuredRow& measured) const {
  std::vector<Verdict> verdicts;
  if (!measured.best_path) return verdicts;
  const KernelRow& row = *measured.row;
  const double median = measured.figures.median;
  for (const Asked& asked : row.asked) {
    Verdict verdict{.asked = &asked, .measured = median};
    if (!asked.over.empty()) {
      verdict.measured = Ratio(row, median, references_.at(asked.over).here);
      verdict.met = verdict.measured >= asked.figure;
    } else {
      verdict.met = Ratio(row, median, asked.figure) >= 1;
      for (const std::string& over : row.baselines) {
        const auto found = references_.find(over);
        if (found == references_.end() || found->second.there == 0) continue;
        verdict.as_ratio = {over, Ratio(row, median, found->second.here),
                            Ratio(row, asked.figure, found->second.there)};
        break;
      }
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

void KernelReport::Count(const KernelRow& row, const std::vector<Verdict>& verdicts) {
  for (const Verdict& verdict : verdicts) {
    const Asked& asked = *verdict.asked;
    ++asked_[asked.must];
    if (verdict.met) {
      ++met_[asked.must];
      continue;
    }
    std::string line = StrCat(row.name, ": ", WordingOf(row, asked, verdict.measured),
                              ", ", KindName(asked), " ", Wording(row, asked));
    if (verdict.as_ratio.there != 0) {
      StrAppend(&line, "; as a ratio to ", verdict.as_ratio.over, " ",
                Times(verdict.as_ratio.here), ", that is ",
                Times(verdict.as_ratio.there),
                " there: ", verdict.met_as_ratio() ? "met so" : "not met so either");
    }
    not_met_.push_back(std::move(line));
  }
}

void KernelReport::PrintLine(const MeasuredRow& measured,
                             const std::vector<Standing>& standings) const {
  const KernelRow& row = *measured.row;
  const KernelFigures& figures = measured.figures;
  const Published best = row.published.empty() ? Published() : row.published.front();
  const Standing standing = standings.empty() ? Standing() : standings.front();
  absl::PrintF(
      "%-36s %-7s %9s %-9s +-%3.0f%%  %9s %-18s %6s %7s %7s %5.1f\n", row.name,
      row.has_paths ? ToAbsl(CpuPathName(measured.path)) : "", Cell(figures.median),
      row.unit, 50 * (figures.high - figures.low) / figures.median, Cell(best.figure),
      best.by, best.figure == 0 ? "-" : Times(Ratio(row, figures.median, best.figure)),
      Times(standing.here), Times(standing.there), MachineLoad());
}

void KernelReport::PrintBeside(const MeasuredRow& measured) const {
  const KernelRow& row = *measured.row;
  std::string line;
  // The first one stands in the row.
  for (size_t i = 1; i < row.published.size(); ++i) {
    const Published& other = row.published[i];
    StrAppend(&line, line.empty() ? "" : "; ", other.by, " ", Cell(other.figure), ": ",
              Times(Ratio(row, measured.figures.median, other.figure)));
  }
  const std::vector<Standing> standings = StandingsOf(measured);
  for (size_t i = 1; i < standings.size(); ++i) {
    StrAppend(&line, line.empty() ? "" : "; ", standings[i].over,
              " of this run: ", Times(standings[i].here));
  }
  if (!line.empty()) absl::PrintF("    beside  %s\n", line);
}

void KernelReport::PrintVerdicts(const KernelRow& row,
                                 const std::vector<Verdict>& verdicts) const {
  for (const Verdict& verdict : verdicts) {
    const Asked& asked = *verdict.asked;
    std::string line = absl::StrFormat(
        "%-7s %s, measured %s: %s", KindName(asked), Wording(row, asked),
        WordingOf(row, asked, verdict.measured), verdict.met ? "met" : "NOT MET");
    if (verdict.as_ratio.there != 0) {
      absl::StrAppendFormat(&line, " (as a ratio to %s: %s, that is %s there%s)",
                            verdict.as_ratio.over, Times(verdict.as_ratio.here),
                            Times(verdict.as_ratio.there),
                            verdict.met              ? ""
                            : verdict.met_as_ratio() ? ": met so"
                                                     : ": not met so either");
    }
    absl::PrintF("    %s\n", line);
  }
}

void KernelReport::PrintJson(const MeasuredRow& measured,
                             const std::vector<Standing>& standings,
                             const std::vector<Verdict>& verdicts) const {
  const KernelRow& row = *measured.row;
  const double median = measured.figures.median;
  Json json = {{"family", row.family},
               {"row", row.name},
               {"path", row.has_paths ? ToStd(ToAbsl(CpuPathName(measured.path))) : ""},
               {"unit", row.unit},
               {"low", measured.figures.low},
               {"median", median},
               {"high", measured.figures.high},
               {"runs", measured.figures.runs}};
  json["published"] = Json::array();
  for (const Published& other : row.published) {
    json["published"].push_back({{"by", other.by},
                                 {"figure", other.figure},
                                 {"ratio", Ratio(row, median, other.figure)}});
  }
  json["baselines"] = Json::array();
  for (const Standing& standing : standings) {
    json["baselines"].push_back({{"row", standing.over}, {"ratio", standing.here}});
    if (standing.there != 0) json["baselines"].back()["ratio_there"] = standing.there;
  }
  json["asked"] = Json::array();
  for (const Verdict& verdict : verdicts) {
    Json line = {{"kind", KindName(*verdict.asked)}, {"figure", verdict.asked->figure}};
    if (!verdict.asked->over.empty()) line["times"] = verdict.asked->over;
    line["measured"] = verdict.measured;
    line["met"] = verdict.met;
    if (verdict.as_ratio.there != 0) {
      line["as_ratio"] = {{"to", verdict.as_ratio.over},
                          {"asked", verdict.as_ratio.there},
                          {"measured", verdict.as_ratio.here},
                          {"met", verdict.met_as_ratio()}};
    }
    json["asked"].push_back(std::move(line));
  }
  json["machine"] = Json::parse(MachineJson());
  absl::PrintF("%s\n", json.dump());
}

void KernelReport::End() const {
  const size_t asked = asked_[0] + asked_[1], met = met_[0] + met_[1];
  if (options_.json) {
    const Json json = {{"asked", asked},       {"met", met},
                       {"must", asked_[1]},    {"must_met", met_[1]},
                       {"stretch", asked_[0]}, {"stretch_met", met_[0]},
                       {"not_met", not_met_}};
    absl::PrintF("%s\n", json.dump());
    return;
  }
  if (asked == 0) return;
  absl::PrintF("\n%d figures asked for, %d met (must: %d of %d, stretch: %d of %d)\n",
               asked, met, met_[1], asked_[1], met_[0], asked_[0]);
  for (const std::string& line : not_met_) absl::PrintF("    not met  %s\n", line);
}

}  // namespace skep
