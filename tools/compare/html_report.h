// A report of measurements as one self-contained HTML page: what was measured, on what,
// tables and plots, in light colours or dark as the reader prefers. It loads nothing
// and runs no script: it may be kept, mailed and printed.
//
//   HtmlReport report("skep compare nqueens");
//   report.Environment({{"processor", cpu}, {"build", "-O2"}, {"load", "0.4"}});
//   report.Section("14 queens");
//   report.Paragraph("Nine interleaved rounds; the median and its 95 % interval.");
//   report.Table({.columns = {"kernel", "ms", ""}, .rows = {{"bits", "12.1",
//   "+-0.2"}}}); report.Plot(BarPlot{...}); WriteFile(path, report.Finish());

#ifndef SKEP_TOOLS_COMPARE_HTML_REPORT_H_
#define SKEP_TOOLS_COMPARE_HTML_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "tools/compare/svg_plot.h"

namespace skep {

struct ReportTable {
  std::vector<std::string> columns;
  // A cell that begins like a number stands to the right; "-" is one that is not known.
  // Columns without any cell but "" and "-" are left out.
  std::vector<std::vector<std::string>> rows;
  std::string caption;
  bool text = false;  // sentences: lines are broken, so that nothing is out of sight
};

// All text is escaped.
class HtmlReport {
 public:
  explicit HtmlReport(std::string title);

  // Names and values of what the numbers depend on: machine, load, command, versions.
  void Environment(const std::vector<std::pair<std::string, std::string>>& lines);
  void Section(const std::string& title);
  void Paragraph(const std::string& text);
  void Table(const ReportTable& table);
  void Plot(const LinePlot& plot);
  void Plot(const BarPlot& plot);

  // The page so far.
  std::string Finish() const;

 private:
  const std::string title_;
  std::string body_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_HTML_REPORT_H_
