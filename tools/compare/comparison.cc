#include "tools/compare/comparison.h"

#include <malloc.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <span>
#include <utility>

#include "base/status.h"
#include "base/strings.h"
#include "tools/compare/comparison_rounds.h"

namespace skep {
namespace {

// A measurement takes at least so long, by repeating short runs.
constexpr double kLeastSeconds = 1e-3;
constexpr uint64_t kMostRepetitions = 100'000;

double Seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Keeps this thread on the core where it is, as long as it lives.
class Pin {
 public:
  Pin() {
    if (sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(std::max(0, sched_getcpu())), &one);
    pinned_ = sched_setaffinity(0, sizeof one, &one) == 0;
  }
  ~Pin() {
    if (pinned_) sched_setaffinity(0, sizeof before_, &before_);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  bool pinned() const { return pinned_; }

 private:
  cpu_set_t before_;
  bool pinned_ = false;
};

// A value in bytes of /proc/self/status; 0 where there is none.
uint64_t StatusBytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    uint64_t kilobytes;
    if (word == name && status >> kilobytes) return kilobytes << 10;
  }
  return 0;
}

// Runs once and says how much memory it took at its peak.
ComparedRun RunForMemory(const ComparedAlgorithm& algorithm, uint64_t* memory) {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const uint64_t before = StatusBytes("VmRSS:");
  ComparedRun run = algorithm.run();
  const uint64_t peak = StatusBytes("VmHWM:");
  *memory = peak > before ? peak - before : 0;
  return run;
}

void Measure(const ComparedAlgorithm& algorithm, uint64_t repetitions,
             RoundSamples* sample) {
  const double wall = Seconds(CLOCK_MONOTONIC), cpu = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (uint64_t i = 0; i < repetitions; ++i) algorithm.run();
  const auto times = static_cast<double>(repetitions);
  sample->wall.push_back((Seconds(CLOCK_MONOTONIC) - wall) / times);
  sample->cpu.push_back((Seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / times);
}

uint64_t RepetitionsOf(const ComparedAlgorithm& algorithm) {
  const double start = Seconds(CLOCK_MONOTONIC);
  algorithm.run();
  const double once = std::max(1e-9, Seconds(CLOCK_MONOTONIC) - start);
  return std::clamp<uint64_t>(static_cast<uint64_t>(kLeastSeconds / once), 1,
                              kMostRepetitions);
}

// The answers, checked before anything is measured.
absl::StatusOr<std::vector<AlgorithmFigures>> WarmUp(
    const std::vector<ComparedAlgorithm>& algorithms, const std::string& input) {
  std::vector<AlgorithmFigures> all;
  std::vector<bool> exact;
  for (const ComparedAlgorithm& algorithm : algorithms) {
    AlgorithmFigures& figures = all.emplace_back();
    ComparedRun run = RunForMemory(algorithm, &figures.memory);
    if (algorithm.in_full != nullptr) run = algorithm.in_full();
    figures.name = algorithm.name;
    figures.what = algorithm.what;
    figures.answer = run.answer;
    if (algorithm.path) figures.path = CpuPathName(*algorithm.path);
    figures.rounds = run.rounds;
    figures.bytes = run.bytes;
    exact.push_back(algorithm.judge == nullptr);
    if (!exact.back()) {
      const Judgement judged = algorithm.judge(figures.answer);
      if (!judged.within) {
        return Internal("on ", input, " ", figures.name, " answers ", figures.answer,
                        ", beyond its bound: ", judged.text, "; nothing was measured");
      }
      figures.note = judged.text;
    }
    SKEP_RETURN_IF_ERROR(CheckAnswer(all, exact, input));
  }
  return all;
}

absl::StatusOr<SizeFigures> CompareAt(const CompareFamily& family, uint64_t size,
                                      const std::string& input,
                                      const CompareOptions& options) {
  SKEP_ASSIGN_OR_RETURN(const ComparedCase all, family.make(input, size, options.seed));
  SKEP_ASSIGN_OR_RETURN(
      const std::vector<ComparedAlgorithm> algorithms,
      ChosenOf(all.algorithms,
               options.algorithms.empty() ? family.by_default : options.algorithms));
  SizeFigures figures{.size = size, .input = all.input};
  SKEP_ASSIGN_OR_RETURN(figures.algorithms, WarmUp(algorithms, all.input));

  std::vector<uint64_t> repetitions;
  for (const ComparedAlgorithm& a : algorithms) repetitions.push_back(RepetitionsOf(a));
  std::vector<RoundSamples> samples(algorithms.size());
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < algorithms.size(); ++i) {
      const size_t turn = (i + static_cast<size_t>(round)) % algorithms.size();
      Measure(algorithms[turn], repetitions[turn], &samples[turn]);
    }
  }
  FillFigures(samples, /*by_wall=*/false, &figures.algorithms);
  return figures;
}

}  // namespace

absl::StatusOr<Comparison> Compare(const CompareFamily& family,
                                   const CompareOptions& options) {
  SKEP_ASSIGN_OR_RETURN(const std::string input, InputOf(family, options));
  const Pin pin;
  Comparison comparison{
      .family = &family, .rounds = options.rounds, .pinned = pin.pinned()};
  for (const uint64_t size : options.sizes.empty() ? family.sizes : options.sizes) {
    SKEP_ASSIGN_OR_RETURN(comparison.sizes.emplace_back(),
                          CompareAt(family, size, input, options));
  }
  return comparison;
}

}  // namespace skep
