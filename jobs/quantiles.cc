#include "jobs/quantiles.h"

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "jobs/order_key.h"

namespace skep {
namespace {

constexpr char kStage[] = "count";
// The bits that a round adds to one prefix; with more prefixes fewer, so that the
// counts of a task stay below 2^17.
constexpr int kBitsPerRound = 16;
int BitsPerRound(size_t prefixes) {
  return kBitsPerRound - static_cast<int>(std::bit_width(prefixes - 1));
}
static_assert(2 * kMaxQuantiles < size_t{1} << (kBitsPerRound - 1));
// So many numbers may be counted key by key, in a table instead of an array.
constexpr uint64_t kFewNumbers = 1 << 20;

// Keys whose bits above the round's `high` are `bits`.
struct Prefix {
  OrderKey bits = 0;
  uint64_t smaller = 0;  // numbers less than all keys of the prefix
};

// One round, as the stage's args.
struct Round {
  int high = kOrderKeyBits;                   // prefixes end here
  int low = kOrderKeyBits - kBitsPerRound;    // keys are counted by the bits above this
  std::vector<Prefix> prefixes = {Prefix{}};  // ascending

  // Whether the counts fit an array for each prefix.
  bool dense() const { return high - low <= BitsPerRound(prefixes.size()); }
};

std::string EncodeRound(const Round& round) {
  std::string bytes;
  PutVarint(&bytes, round.high);
  PutVarint(&bytes, round.low);
  for (const Prefix& prefix : round.prefixes) {
    PutOrderKey(&bytes, prefix.bits);
    PutVarint(&bytes, prefix.smaller);
  }
  return bytes;
}

absl::StatusOr<Round> DecodeRound(std::string_view bytes) {
  Round round;
  round.prefixes.clear();
  uint64_t high, low;
  bool good = GetVarint(&bytes, &high) && GetVarint(&bytes, &low) &&
              high <= kOrderKeyBits && low < high;
  while (good && !bytes.empty()) {
    Prefix prefix;
    good = GetOrderKey(&bytes, &prefix.bits) && GetVarint(&bytes, &prefix.smaller);
    round.prefixes.push_back(prefix);
  }
  if (!good || round.prefixes.empty()) {
    return Internal("quantiles: the stage's arguments are malformed");
  }
  round.high = static_cast<int>(high);
  round.low = static_cast<int>(low);
  return round;
}

// Counts the keys of one task. Its result: the reader's report, and the keys' bits
// or-ed together, which tells how many zeros all of them end in.
class CountKeys final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    SKEP_RETURN_IF_ERROR(Start(context));
    SKEP_RETURN_IF_ERROR(reader_.Read(block, context.options()));
    for (const int64_t value : reader_.integers()) Add(OrderKeyOf(value), context);
    for (const uint64_t value : reader_.large()) Add(OrderKeyOf(value), context);
    for (const double value : reader_.reals()) Add(OrderKeyOf(value), context);
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    SKEP_RETURN_IF_ERROR(Start(context));
    const int width = round_.high - round_.low;
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] == 0) continue;
      const OrderKey prefix = round_.prefixes[i >> width].bits;
      const OrderKey within = i & ((size_t{1} << width) - 1);
      Emit(prefix << width | within, counts_[i], context);
    }
    std::string result;
    PutBytes(&result, reader_.Report());
    PutOrderKey(&result, all_bits_);
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  absl::Status Start(MapContext& context) {
    if (started_) return absl::OkStatus();
    started_ = true;
    SKEP_ASSIGN_OR_RETURN(round_, DecodeRound(context.args()));
    dense_ = round_.dense();
    if (dense_) counts_.resize(round_.prefixes.size() << (round_.high - round_.low));
    return absl::OkStatus();
  }

  void Add(OrderKey key, MapContext& context) {
    all_bits_ |= key;
    const OrderKey bits = key >> round_.high;
    const auto prefix =
        std::partition_point(round_.prefixes.begin(), round_.prefixes.end(),
                             [&](const Prefix& prefix) { return prefix.bits < bits; });
    if (prefix == round_.prefixes.end() || prefix->bits != bits) return;
    if (!dense_) return Emit(key >> round_.low, 1, context);
    const int width = round_.high - round_.low;
    const size_t within =
        static_cast<size_t>(key >> round_.low) & ((size_t{1} << width) - 1);
    ++counts_[(prefix - round_.prefixes.begin()) << width | within];
  }

  void Emit(OrderKey bucket, uint64_t count, MapContext& context) {
    record_.clear();
    PutOrderKey(&record_, bucket);
    context.EmitCount(record_, count);
  }

  bool started_ = false;
  Round round_;
  bool dense_ = false;
  NumberReader reader_;
  OrderKey all_bits_ = 0;
  std::vector<uint64_t> counts_;  // of a dense round, by prefix and bucket
  std::string record_;
};

// The only reduce task: answers with all buckets in ascending order, and their counts.
class ListBuckets final : public Reducer {
 public:
  absl::Status Reduce(std::string_view bucket, Values& values,
                      ReduceContext& context) override {
    SKEP_ASSIGN_OR_RETURN(const uint64_t count, SumCounts(values));
    list_ += bucket;
    PutVarint(&list_, count);
    return absl::OkStatus();
  }
  absl::Status Finish(ReduceContext& context) override {
    context.SetResult(std::move(list_));
    return absl::OkStatus();
  }

 private:
  std::string list_;
};

PlanResult StageOf(const Round& round) {
  StageSpec stage;
  stage.set_name(kStage);
  stage.set_job_input(true);
  stage.set_args(EncodeRound(round));
  stage.set_partitions(1);
  return NextStage(std::move(stage));
}

// What the first round tells about the input.
struct Survey {
  InputAccount account;
  int zeros = 0;  // in which all keys end
};

absl::StatusOr<Survey> SurveyOf(const PlanInput& input) {
  std::vector<std::string_view> reports;
  OrderKey all_bits = 0;
  for (const std::string& result : input.finished[0].map_results()) {
    std::string_view rest = result, report;
    OrderKey bits;
    if (!GetBytes(&rest, &report) || !GetOrderKey(&rest, &bits)) {
      return Internal("quantiles: a map task's result is malformed");
    }
    reports.push_back(report);
    all_bits |= bits;
  }
  SKEP_ASSIGN_OR_RETURN(InputAccount account, CollectInput(input, reports));
  return Survey{std::move(account), TrailingZeros(all_bits)};
}

// A bucket that holds wanted ranks.
struct Found {
  OrderKey bits = 0;
  uint64_t smaller = 0;
  uint64_t count = 0;
};

// For each of the ascending ranks its bucket.
absl::StatusOr<std::map<uint64_t, Found>> FindRanks(
    const Round& round, std::string_view list, const std::vector<uint64_t>& ranks) {
  std::map<uint64_t, Found> found;
  auto prefix = round.prefixes.begin();
  uint64_t smaller = prefix->smaller;
  auto rank = ranks.begin();
  while (!list.empty() && rank != ranks.end()) {
    OrderKey bits;
    uint64_t count;
    if (!GetOrderKey(&list, &bits) || !GetVarint(&list, &count)) {
      return Internal("quantiles: the reduce task's result is malformed");
    }
    while (prefix->bits < bits >> (round.high - round.low)) {
      if (++prefix == round.prefixes.end()) {
        return Internal("quantiles: a bucket lies outside the round's prefixes");
      }
      smaller = prefix->smaller;
    }
    for (; rank != ranks.end() && *rank <= smaller + count; ++rank) {
      found[*rank] = {bits, smaller, count};
    }
    smaller += count;
  }
  if (rank != ranks.end()) {
    return Internal("quantiles: rank ", *rank, " is in none of the counted buckets");
  }
  return found;
}

Round NextRound(const Round& round, const std::map<uint64_t, Found>& found, int zeros) {
  Round next;
  next.high = round.low;
  next.prefixes.clear();
  uint64_t numbers = 0;
  for (const auto& [rank, bucket] : found) {
    if (!next.prefixes.empty() && next.prefixes.back().bits == bucket.bits) continue;
    next.prefixes.push_back({bucket.bits, bucket.smaller});
    numbers += bucket.count;
  }
  const int step = BitsPerRound(next.prefixes.size());
  next.low = numbers <= kFewNumbers ? zeros : std::max(zeros, next.high - step);
  return next;
}

absl::Status CheckDefinition(const std::string& value) {
  return ParseQuantileDefinition(value).status();
}

}  // namespace

void TakeQuantiles(Job& job) {
  TakeNumbers(job);
  job.AddFlag({.name = "definition",
               .type = Flag::Type::kString,
               .default_value = "lower",
               .value_name = "NAME",
               .help = "What lies between two numbers: lower (the lower one), upper, "
                       "midpoint (their average) or interpolated (on the line between)",
               .check = CheckDefinition})
      .Output(OutputShape::kNone)
      .AddStage(kStage, {.mapper = [] { return std::make_unique<CountKeys>(); },
                         .reducer = [] { return std::make_unique<ListBuckets>(); },
                         .combine = Combine::kSum});
}

QuantileDefinition DefinitionOf(const Options& options) {
  // The flag was checked when it was set.
  return *ParseQuantileDefinition(options.GetString("definition"));
}

absl::StatusOr<PlanResult> PlanQuantiles(
    const PlanInput& input, const std::vector<Quantile>& quantiles,
    const std::function<PlanResult(const QuantileValues&)>& answer) {
  if (input.finished.empty()) return StageOf(Round{});
  SKEP_ASSIGN_OR_RETURN(Survey survey, SurveyOf(input));
  const uint64_t n = survey.account.numbers;

  std::vector<QuantileRanks> wanted;
  std::vector<uint64_t> ranks;
  for (const Quantile& quantile : quantiles) {
    wanted.push_back(RanksOf(quantile, n, DefinitionOf(input.options)));
    ranks.push_back(wanted.back().low);
    ranks.push_back(wanted.back().high);
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());

  const StageResult& last = input.finished.back();
  SKEP_ASSIGN_OR_RETURN(const Round round, DecodeRound(last.spec().args()));
  if (last.reduce_results_size() != 1) {
    return Internal("quantiles: ", last.reduce_results_size(),
                    " reduce results, not 1");
  }
  SKEP_ASSIGN_OR_RETURN(const auto found,
                        FindRanks(round, last.reduce_results(0), ranks));
  // A bucket narrower than the zeros that all keys end in holds one key.
  if (round.low > survey.zeros) return StageOf(NextRound(round, found, survey.zeros));

  const auto number_of_rank = [&](uint64_t rank) {
    return NumberOf(found.at(rank).bits << round.low);
  };
  QuantileValues values{.account = std::move(survey.account)};
  for (const QuantileRanks& ranks : wanted) {
    values.values.push_back(
        ValueAt(ranks, number_of_rank(ranks.low), number_of_rank(ranks.high)));
  }
  return answer(values);
}

}  // namespace skep
