// The median: the quantile 0.5.

#include "jobs/api/job.h"
#include "jobs/api/json_text.h"
#include "jobs/grouped_numbers.h"
#include "jobs/kernels/quantile.h"
#include "jobs/quantiles.h"
#include "jobs/sketch_rounds.h"
#include "jobs/textbook_rounds.h"

namespace skep {
namespace {

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  return PlanQuantiles(
      input, {Quantile{}},
      [&](const QuantileValues& result) {
        const Number& median = result.values[0];
        return Done(StrCat(median.ToString(), "\n"),
                    StrCat("{\"count\":", result.account.numbers,
                           ",\"median\":", JsonOf(median), ",\"definition\":",
                           JsonString(input.options.GetString("definition")), ",",
                           result.account.Json(), result.json, "}"),
                    result.AllNotes());
      },
      input.options.GetString("algorithm"));
}

}  // namespace

void Median(Job& job) {
  TakeQuantiles(job, [](const Options&) { return std::vector<Quantile>(1); });
  TakeTextbooks(job);
  job.Check([](const Options& options) {
    return options.GetString("algorithm") != kWindowAlgorithm &&
                   (WantsGroups(options) || WantsSketch(options))
               ? InvalidArgument(
                     "--algorithm says how the median of all numbers is "
                     "found exactly: leave out --approx and --group-by")
               : absl::OkStatus();
  });
  job.Summary("Finds the median of numbers, exactly")
      .Example("skep run median --definition midpoint numbers.txt")
      .Plan(Plan);
}

}  // namespace skep
