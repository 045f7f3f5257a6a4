// The median: the quantile 0.5.

#include "jobs/api/job.h"
#include "jobs/api/json_text.h"
#include "jobs/kernels/quantile.h"
#include "jobs/quantiles.h"

namespace skep {
namespace {

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  return PlanQuantiles(input, {Quantile{}}, [&](const QuantileValues& result) {
    const Number& median = result.values[0];
    return Done(
        StrCat(median.ToString(), "\n"),
        StrCat("{\"count\":", result.account.numbers, ",\"median\":", JsonOf(median),
               ",\"definition\":", JsonString(input.options.GetString("definition")),
               ",", result.account.Json(), result.json, "}"),
        result.AllNotes());
  });
}

}  // namespace

void Median(Job& job) {
  TakeQuantiles(job, [](const Options&) { return std::vector<Quantile>(1); });
  job.Summary("Finds the median of numbers, exactly")
      .Example("skep run median --definition midpoint numbers.txt")
      .Plan(Plan);
}

}  // namespace skep
