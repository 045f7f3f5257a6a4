// What `skep bench kernels` prints of a row: its figures on each path, what public
// programs do, how it stands to the plain ways of the same run, and whether it does
// what is asked of it.

#ifndef SKEP_TESTS_BENCH_KERNEL_REPORT_H_
#define SKEP_TESTS_BENCH_KERNEL_REPORT_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu_path.h"
#include "tests/bench/kernel_rows.h"

namespace skep {

struct KernelFigures {
  double low = 0, median = 0, high = 0;  // in the row's unit
  size_t runs = 0;
};

struct MeasuredRow {
  const KernelRow* row = nullptr;
  CpuPath path = CpuPath::kScalar;
  bool best_path = false;  // of those on which it is measured: goals are about this one
  KernelFigures figures;
};

class KernelReport {
 public:
  explicit KernelReport(const KernelBenchOptions& options) : options_(options) {}

  void BeginFamily(std::string_view name);
  // After the rows that it is compared with.
  void Add(const MeasuredRow& measured);
  // How many figures were asked for, and which were not reached.
  void End() const;

 private:
  // How a row stands to another one of the same run, and how the best public program
  // stands to what the reference machine does there; 0: not known.
  struct Standing {
    std::string over;
    double here = 0, there = 0;
  };
  struct Verdict {
    const Asked* asked = nullptr;
    double measured = 0;
    bool met = false;
    // The same as a ratio to the baseline, where both machines' are known; else 0.
    Standing as_ratio = {};
    bool met_as_ratio() const { return as_ratio.here >= as_ratio.there; }
  };

  std::vector<Standing> StandingsOf(const MeasuredRow& measured) const;
  std::vector<Verdict> VerdictsOn(const MeasuredRow& measured) const;
  void Count(const KernelRow& row, const std::vector<Verdict>& verdicts);
  void PrintLine(const MeasuredRow& measured,
                 const std::vector<Standing>& standings) const;
  void PrintBeside(const MeasuredRow& measured) const;
  void PrintVerdicts(const KernelRow& row, const std::vector<Verdict>& verdicts) const;
  void PrintJson(const MeasuredRow& measured, const std::vector<Standing>& standings,
                 const std::vector<Verdict>& verdicts) const;

  struct Reference {
    double here = 0, there = 0;  // there: 0 if not known
  };

  const KernelBenchOptions& options_;
  bool headed_ = false;
  std::map<std::string, Reference> references_;  // of the family, by row
  size_t asked_[2] = {}, met_[2] = {};           // [1]: must
  std::vector<std::string> not_met_;
};

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_KERNEL_REPORT_H_
