#include "absl/strings/str_split.h"
#include "base/status.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/commands/compare_algorithms.h"
#include "tools/commands/compare_balancing.h"
#include "tools/exit_code.h"

namespace skep {

int RunCompare(const Args& args) {
  if (const auto code = RunCompareAlgorithms(args)) return *code;
  if (const auto code = RunCompareBalancing(args)) return *code;
  std::string what;
  CommandLine line("compare",
                   "Measures alternatives side by side, interleaved, with confidence "
                   "intervals. `skep compare WHAT --help` has the flags of each.");
  line.Example("skep compare balancing --live --html balancing.html");
  line.Example(
      "skep compare median --algorithms bisection,radix,window --html report.html");
  line.Positional(
      "WHAT", &what,
      StrCat("balancing, or a family of algorithms: ", CompareFamilyNames()), true,
      absl::StrSplit(StrCat("balancing, ", CompareFamilyNames()), ", "));
  if (const auto code = line.Parse(args)) return *code;
  return ReportError(InvalidArgument("there is no `skep compare ", what,
                                     "`: compare balancing, ", CompareFamilyNames()));
}

}  // namespace skep
