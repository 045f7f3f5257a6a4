#include "jobs/textbook_rounds.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/coding.h"
#include "base/random.h"
#include "base/status.h"
#include "jobs/numbers.h"
#include "jobs/window_round.h"

namespace skep {
namespace {

constexpr char kStage[] = "digits";
constexpr int kRadixBits = 11;

// Keys from `first` on whose lower `bits` bits are free.
struct DigitRange {
  OrderKey first = 0;
  int bits = kOrderKeyBits;

  bool operator==(const DigitRange&) const = default;
};

// The ranges of a round, of equal bits, of which the upper `digit` tell the buckets.
struct DigitRound {
  int digit = 1;
  std::vector<DigitRange> ranges = {DigitRange{}};

  int shift() const { return ranges[0].bits - digit; }
  size_t buckets() const { return size_t{1} << digit; }
};

std::string Encode(const DigitRound& round) {
  std::string bytes;
  PutVarint(&bytes, static_cast<uint64_t>(round.digit));
  PutVarint(&bytes, static_cast<uint64_t>(round.ranges[0].bits));
  for (const DigitRange& range : round.ranges) PutOrderKey(&bytes, range.first);
  return bytes;
}

absl::StatusOr<DigitRound> Decode(std::string_view bytes) {
  DigitRound round;
  round.ranges.clear();
  uint64_t digit, bits;
  bool good = GetVarint(&bytes, &digit) && GetVarint(&bytes, &bits) && digit >= 1 &&
              digit <= kRadixBits && bits >= digit && bits <= kOrderKeyBits;
  while (good && !bytes.empty()) {
    good = GetOrderKey(&bytes, &round.ranges.emplace_back().first);
    if (good) round.ranges.back().bits = static_cast<int>(bits);
  }
  if (!good || round.ranges.empty()) {
    return Internal("median: the stage's arguments are malformed");
  }
  round.digit = static_cast<int>(digit);
  return round;
}

// The result of a task: the reader's report, and the counts of all buckets.
class CountDigits final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    SKEP_RETURN_IF_ERROR(Start(context));
    SKEP_RETURN_IF_ERROR(reader_.Read(block, context.options()));
    Add(reader_.integers());
    Add(reader_.large());
    Add(reader_.reals());
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    SKEP_RETURN_IF_ERROR(Start(context));
    std::string result;
    PutBytes(&result, reader_.Report());
    for (const uint64_t count : counts_) PutVarint(&result, count);
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  absl::Status Start(MapContext& context) {
    if (!counts_.empty()) return absl::OkStatus();
    SKEP_ASSIGN_OR_RETURN(round_, Decode(context.args()));
    counts_.resize(round_.ranges.size() * round_.buckets());
    return absl::OkStatus();
  }

  template <typename T>
  void Add(std::span<const T> values) {
    const int shift = round_.shift();
    for (size_t i = 0; i < round_.ranges.size(); ++i) {
      const OrderKey first = round_.ranges[i].first;
      const OrderKey size = OrderKey{1} << round_.ranges[i].bits;
      uint64_t* const counts = counts_.data() + i * round_.buckets();
      for (const T value : values) {
        const OrderKey place = OrderKeyOf(value) - first;
        if (place < size) ++counts[static_cast<size_t>(place >> shift)];
      }
    }
  }

  NumberReader reader_;
  DigitRound round_;
  std::vector<uint64_t> counts_;
};

// The counts of all tasks, range after range.
absl::StatusOr<std::vector<uint64_t>> CountsOf(const DigitRound& round,
                                               const StageResult& stage) {
  std::vector<uint64_t> counts(round.ranges.size() * round.buckets());
  for (const std::string& result : stage.map_results()) {
    std::string_view rest = result, report;
    bool good = GetBytes(&rest, &report);
    for (uint64_t& count : counts) {
      uint64_t more = 0;
      good = good && GetVarint(&rest, &more);
      count += more;
    }
    if (!good) return Internal("median: a map task's result is malformed");
  }
  return counts;
}

// Where a rank is: in a range, the so-manieth there.
struct Descent {
  DigitRange range;
  uint64_t rank;
};

absl::StatusOr<TextbookStep> PlanDigits(int most_bits,
                                        std::span<const StageResult> rounds,
                                        const std::vector<uint64_t>& ranks) {
  std::map<uint64_t, Descent> places;
  for (const uint64_t rank : ranks) places[rank] = {.range = {}, .rank = rank};
  for (const StageResult& stage : rounds) {
    SKEP_ASSIGN_OR_RETURN(const DigitRound round, Decode(stage.spec().args()));
    SKEP_ASSIGN_OR_RETURN(const std::vector<uint64_t> counts, CountsOf(round, stage));
    for (auto& [rank, place] : places) {
      const auto range =
          std::find(round.ranges.begin(), round.ranges.end(), place.range);
      if (range == round.ranges.end())
        return Internal("median: a round has no rank ", rank);
      const size_t begin = (range - round.ranges.begin()) * round.buckets();
      size_t bucket = 0;
      while (bucket + 1 < round.buckets() && place.rank > counts[begin + bucket]) {
        place.rank -= counts[begin + bucket++];
      }
      place.range = {.first = place.range.first + (OrderKey{bucket} << round.shift()),
                     .bits = round.shift()};
    }
  }
  TextbookStep step;
  DigitRound next;
  next.ranges.clear();
  for (const auto& [rank, place] : places) {
    step.keys[rank] = place.range.first;
    if (next.ranges.empty() || !(next.ranges.back() == place.range)) {
      next.ranges.push_back(place.range);
    }
  }
  step.done = next.ranges[0].bits == 0;
  if (step.done) return step;
  next.digit = std::min(most_bits, next.ranges[0].bits);
  StageSpec stage;
  stage.set_name(kStage);
  stage.set_job_input(true);
  stage.set_args(Encode(next));
  step.next = NextStage(std::move(stage));
  return step;
}

// One of the keys inside the window, each as likely as its stride says.
OrderKey Drawn(const Seen& seen, Random& random) {
  const uint64_t at = random.Below(seen.reached.back());
  return seen.sample[std::upper_bound(seen.reached.begin(), seen.reached.end(), at) -
                     seen.reached.begin()];
}

absl::StatusOr<TextbookStep> PlanPivots(std::span<const StageResult> rounds,
                                        const std::vector<uint64_t>& ranks) {
  TextbookStep step;
  Random random(rounds.size());
  // Two keys a task: enough to draw the next pivot from.
  WindowRound next{.capacity = 2};
  next.windows.clear();
  std::vector<Seen> seen;  // of the last round; a key once found is found again
  for (const StageResult& stage : rounds) {
    SKEP_ASSIGN_OR_RETURN(seen, SeenBy(stage));
    for (const uint64_t wanted : ranks) {
      for (const Seen& window : seen) {
        if (wanted <= window.below || wanted > window.end()) continue;
        const uint64_t rank = wanted - window.below;
        if (rank <= window.at_low) {
          step.keys[wanted] = window.window.low;
        } else if (rank > window.at_low + window.inside) {
          step.keys[wanted] = window.window.high;
        } else if (window.whole) {
          step.keys[wanted] = window.sample[rank - window.at_low - 1];
        }
      }
    }
  }
  for (const Seen& window : seen) {
    const auto is_inside = [&](uint64_t rank) {
      const uint64_t before = window.below + window.at_low;
      return !step.keys.contains(rank) && rank > before &&
             rank <= before + window.inside;
    };
    if (std::none_of(ranks.begin(), ranks.end(), is_inside)) continue;
    const OrderKey pivot = Drawn(window, random);
    next.windows.push_back({window.window.low, pivot});
    next.windows.push_back({pivot + 1, window.window.high});
  }
  if (rounds.empty()) next.windows = {KeyWindow{}};
  step.done = next.windows.empty();
  if (!step.done) step.next = WindowStage(next);
  return step;
}

absl::Status CheckAlgorithm(const std::string& value) {
  for (const std::string_view known :
       {kWindowAlgorithm, std::string_view("bisection"), std::string_view("radix"),
        std::string_view("random-pivot")}) {
    if (value == known) return absl::OkStatus();
  }
  return InvalidArgument("give window, bisection, radix or random-pivot");
}

}  // namespace

void TakeTextbooks(Job& job) {
  job.AddFlag({.name = "algorithm",
               .type = Flag::Type::kString,
               .default_value = std::string(kWindowAlgorithm),
               .value_name = "NAME",
               .help = "How the exact answer is found: window (about one pass over the "
                       "input), or, to compare it with, radix (11 bits of the numbers "
                       "a pass), bisection (one bit) or random-pivot (a guess a pass)",
               .check = CheckAlgorithm});
  job.AddStage(kStage, {.mapper = [] { return std::make_unique<CountDigits>(); }});
}

absl::StatusOr<TextbookStep> PlanTextbook(std::string_view algorithm,
                                          std::span<const StageResult> rounds,
                                          const std::vector<uint64_t>& ranks) {
  if (algorithm == "random-pivot") return PlanPivots(rounds, ranks);
  return PlanDigits(algorithm == "radix" ? kRadixBits : 1, rounds, ranks);
}

}  // namespace skep
