// Quantiles: any number of them in the same rounds.

#include <string>

#include "jobs/api/job.h"
#include "jobs/api/json_text.h"
#include "jobs/kernels/quantile.h"
#include "jobs/quantiles.h"

namespace skep {
namespace {

double AsDouble(const Quantile& q) {
  return static_cast<double>(q.numerator) / static_cast<double>(q.denominator);
}

absl::Status CheckQuantiles(const std::string& value) {
  SKEP_ASSIGN_OR_RETURN(const auto quantiles, ParseQuantiles(value));
  if (quantiles.size() <= kMaxQuantiles) return absl::OkStatus();
  return InvalidArgument(quantiles.size(), " quantiles; at most ", kMaxQuantiles,
                         " can be had at once");
}

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<Quantile> quantiles,
                        ParseQuantiles(input.options.GetString("q")));
  return PlanQuantiles(input, quantiles, [&](const QuantileValues& result) {
    std::string text, json;
    for (size_t i = 0; i < quantiles.size(); ++i) {
      const Number& value = result.values[i];
      StrAppend(&text, quantiles[i].text, "\t", value.ToString(), "\n");
      StrAppend(&json, i == 0 ? "" : ",", "{\"q\":", JsonNumber(AsDouble(quantiles[i])),
                ",\"value\":", JsonOf(value), "}");
    }
    return Done(
        std::move(text),
        StrCat("{\"count\":", result.account.numbers, ",\"quantiles\":[", json,
               "],\"definition\":", JsonString(input.options.GetString("definition")),
               ",", result.account.Json(), result.json, "}"),
        result.AllNotes());
  });
}

}  // namespace

void Quantiles(Job& job) {
  TakeQuantiles(job, [](const Options& options) {
    // The flag was checked when it was set.
    return *ParseQuantiles(options.GetString("q"));
  });
  job.Name("quantile")
      .Summary("Finds quantiles of numbers, exactly")
      .Example("skep run quantile --q 0.5,0.99 latencies.txt")
      .AddFlag({.name = "q",
                .type = Flag::Type::kString,
                .default_value = "0.5",
                .value_name = "Q,...",
                .help = "The quantiles, each from 0 (the smallest) to 1 (the largest)",
                .check = CheckQuantiles})
      .Plan(Plan);
}

}  // namespace skep
