// Average: count, smallest and largest, sum, mean and variance, each rounded once from
// the exact value, so that they do not depend on the order or the splits; or, with
// --sum fast, count, sum and mean with a bound of their error.

#include <cmath>
#include <span>
#include <string>

#include "base/coding.h"
#include "jobs/api/job.h"
#include "jobs/api/json_text.h"
#include "jobs/grouped_numbers.h"
#include "jobs/kernels/exact_summary.h"
#include "jobs/kernels/fast_summary.h"
#include "jobs/numbers.h"

namespace skep {
namespace {

// Summary is ExactSummary or FastSummary.
template <typename Summary>
class Summarise final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    SKEP_RETURN_IF_ERROR(reader_.Read(block, context.options()));
    summary_.Add(reader_.integers());
    summary_.Add(reader_.large());
    summary_.Add(reader_.reals());
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    std::string result;
    PutBytes(&result, reader_.Report());
    PutBytes(&result, summary_.Serialize());
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  NumberReader reader_;
  Summary summary_;
};

// One key's numbers, with --group-by.
class SummaryGroup final : public NumberGroup {
 public:
  void Add(const Number& number) override {
    if (!number.is_integer) {
      summary_.Add(std::span(&number.real, 1));
    } else if (number.integer > INT64_MAX) {
      const auto value = static_cast<uint64_t>(number.integer);
      summary_.Add(std::span(&value, 1));
    } else {
      const auto value = static_cast<int64_t>(number.integer);
      summary_.Add(std::span(&value, 1));
    }
  }
  size_t size() const override { return sizeof summary_; }
  std::string Take() override {
    std::string part = summary_.Serialize();
    summary_ = ExactSummary();
    return part;
  }
  absl::Status AddPart(std::string_view part) override {
    SKEP_ASSIGN_OR_RETURN(const ExactSummary summary, ExactSummary::Parse(part));
    summary_.Merge(summary);
    return absl::OkStatus();
  }
  std::string Line(const Options& options) override;

 private:
  ExactSummary summary_;
};

// Integers are summed without any rounding at all.
template <typename Summary>
std::string SumText(const Summary& summary) {
  const auto integer = summary.IntegerSum();
  return integer ? Int128ToString(*integer) : DoubleToString(summary.Sum());
}

template <typename Summary>
std::string SumJson(const Summary& summary) {
  const auto integer = summary.IntegerSum();
  return integer ? Int128ToString(*integer) : JsonNumber(summary.Sum());
}

// What was left out, and which infinities there are.
template <typename Summary>
std::vector<std::string> Notes(const Summary& summary, const InputAccount& account) {
  std::vector<std::string> notes = account.Notes();
  const uint64_t plus = summary.positive_infinities();
  const uint64_t minus = summary.negative_infinities();
  if (plus > 0 && minus > 0) {
    notes.push_back(StrCat("the input holds +inf (", plus, ") and -inf (", minus,
                           "): there is no sum, mean or variance"));
  } else if (plus + minus > 0) {
    notes.push_back(StrCat("the input holds ", plus > 0 ? "+inf (" : "-inf (",
                           plus + minus, "): there is no variance"));
  }
  return notes;
}

std::string SummaryGroup::Line(const Options& /*options*/) {
  return StrCat(summary_.count(), "\t", summary_.Min().ToString(), "\t",
                summary_.Max().ToString(), "\t", SumText(summary_), "\t",
                DoubleToString(summary_.Mean()), "\t",
                DoubleToString(summary_.PopulationVariance()));
}

PlanResult Answer(const ExactSummary& summary, const InputAccount& account) {
  const double mean = summary.Mean();
  const double variance = summary.PopulationVariance();
  const double sample_variance = summary.SampleVariance();
  return Done(
      StrCat("count\t", summary.count(), "\nmin\t", summary.Min().ToString(), "\nmax\t",
             summary.Max().ToString(), "\nsum\t", SumText(summary), "\nmean\t",
             DoubleToString(mean), "\nvariance\t", DoubleToString(variance),
             "\nsample variance\t", DoubleToString(sample_variance), "\n"),
      StrCat("{\"count\":", summary.count(), ",\"min\":", JsonOf(summary.Min()),
             ",\"max\":", JsonOf(summary.Max()), ",\"sum\":", SumJson(summary),
             ",\"mean\":", JsonNumber(mean), ",\"variance\":", JsonNumber(variance),
             ",\"sample_variance\":", JsonNumber(sample_variance), ",", account.Json(),
             "}"),
      Notes(summary, account));
}

PlanResult Answer(const FastSummary& summary, const InputAccount& account) {
  const double error = summary.IntegerSum() ? 0 : summary.SumError();
  std::vector<std::string> notes = Notes(summary, account);
  if (summary.positive_infinities() + summary.negative_infinities() == 0) {
    notes.push_back(
        error == 0 ? "the sum of integers is exact"
        : !std::isfinite(error)
            ? "fast: the sum left the range of doubles, at its end or on its way; "
              "--sum exact tells which"
            : StrCat("fast: the sum is off by at most ", DoubleToString(error),
                     "; --sum exact is exact"));
  }
  return Done(StrCat("count\t", summary.count(), "\nsum\t", SumText(summary),
                     "\nmean\t", DoubleToString(summary.Mean()), "\nsum error\t",
                     DoubleToString(error), "\n"),
              StrCat("{\"count\":", summary.count(), ",\"sum\":", SumJson(summary),
                     ",\"mean\":", JsonNumber(summary.Mean()),
                     ",\"sum_error\":", JsonNumber(error), ",", account.Json(), "}"),
              std::move(notes));
}

bool WantsFast(const Options& options) { return options.GetString("sum") == "fast"; }

absl::Status CheckSum(const std::string& value) {
  if (value == "exact" || value == "fast") return absl::OkStatus();
  return InvalidArgument("give exact or fast");
}

template <typename Summary>
absl::StatusOr<PlanResult> AnswerBy(const PlanInput& input) {
  Summary total;
  std::vector<std::string_view> reports;
  for (const std::string& result : input.finished[0].map_results()) {
    std::string_view rest = result, report, bytes;
    if (!GetBytes(&rest, &report) || !GetBytes(&rest, &bytes)) {
      return Internal("average: a map task's result is malformed");
    }
    SKEP_ASSIGN_OR_RETURN(const Summary summary, Summary::Parse(bytes));
    total.Merge(summary);
    reports.push_back(report);
  }
  SKEP_ASSIGN_OR_RETURN(const InputAccount account, CollectInput(input, reports));
  return Answer(total, account);
}

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  const bool fast = WantsFast(input.options);
  if (WantsGroups(input.options)) return PlanGroups(input);
  if (input.finished.empty()) {
    StageSpec stage;
    stage.set_name(fast ? "sum" : "summarise");
    stage.set_job_input(true);
    return NextStage(std::move(stage));
  }
  return fast ? AnswerBy<FastSummary>(input) : AnswerBy<ExactSummary>(input);
}

}  // namespace

void Average(Job& job) {
  TakeNumbers(job);
  TakeGroups(job, [] { return std::make_unique<SummaryGroup>(); });
  job.Summary(
         "Counts, sums and averages numbers; tells the smallest, largest and variance")
      .Example("skep run average numbers.txt")
      .AddFlag({.name = "sum",
                .type = Flag::Type::kString,
                .default_value = "exact",
                .value_name = "HOW",
                .help = "exact: the same bits however the input is split; fast: count, "
                        "sum and mean alone, doubles added with compensation, and how "
                        "far the sum may be off (three times as fast on binary input)",
                .check = CheckSum})
      .Check([](const Options& options) {
        return WantsGroups(options) && WantsFast(options)
                   ? InvalidArgument("groups are summed exactly: leave out --sum fast")
                   : absl::OkStatus();
      })
      .AddStage("summarise",
                {.mapper = [] { return std::make_unique<Summarise<ExactSummary>>(); }})
      .AddStage("sum",
                {.mapper = [] { return std::make_unique<Summarise<FastSummary>>(); }})
      .Plan(Plan);
}

}  // namespace skep
