#include "tools/compare/fleet_comparison.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "storage/file_system.h"
#include "tools/compare/comparison_rounds.h"

namespace skep {
namespace {

std::vector<std::string> NamesOf(const FleetFamily& family) {
  std::vector<std::string> names;
  for (const FleetAlgorithm& algorithm : family.algorithms) {
    names.push_back(algorithm.name);
  }
  return names;
}

absl::StatusOr<SizeFigures> CompareAt(const CompareFamily& family, uint64_t size,
                                      const std::string& kind,
                                      const CompareOptions& options,
                                      const std::string& scratch,
                                      const FleetRunner& run) {
  const FleetFamily& fleet = family.on_fleet;
  SKEP_ASSIGN_OR_RETURN(
      const std::vector<FleetAlgorithm> algorithms,
      ChosenOf(fleet.algorithms,
               options.algorithms.empty() ? NamesOf(fleet) : options.algorithms));
  SKEP_ASSIGN_OR_RETURN(const FleetInput input, fleet.make(kind, size, options.seed));
  std::string path;
  if (!input.bytes.empty()) {
    path = JoinPath(scratch, StrCat(family.name, "-", size));
    SKEP_RETURN_IF_ERROR(WriteFileAtomically(FileSystem::Real(), path, input.bytes));
  }
  const auto run_one = [&](const FleetAlgorithm& algorithm) {
    std::map<std::string, std::string> flags = input.flags;
    for (const auto& [name, value] : algorithm.flags) flags[name] = value;
    return run(fleet.job, flags, path);
  };

  SizeFigures figures{.size = size, .input = input.what};
  std::vector<bool> exact;
  for (const FleetAlgorithm& algorithm : algorithms) {
    SKEP_ASSIGN_OR_RETURN(const FleetRun warm, run_one(algorithm));
    AlgorithmFigures& of = figures.algorithms.emplace_back();
    of.name = algorithm.name;
    of.what = algorithm.what;
    of.answer = warm.answer;
    const bool must_agree = algorithm.exact || input.all_agree;
    of.note = must_agree ? "" : "need not agree";
    of.rounds = warm.rounds;
    of.bytes = warm.bytes_moved;
    exact.push_back(must_agree);
    SKEP_RETURN_IF_ERROR(CheckAnswer(figures.algorithms, exact, input.what));
  }
  std::vector<RoundSamples> samples(algorithms.size());
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < algorithms.size(); ++i) {
      const size_t turn = (i + static_cast<size_t>(round)) % algorithms.size();
      SKEP_ASSIGN_OR_RETURN(const FleetRun ran, run_one(algorithms[turn]));
      samples[turn].wall.push_back(ran.wall_seconds);
      samples[turn].cpu.push_back(ran.cpu_seconds);
    }
  }
  FillFigures(samples, /*by_wall=*/true, &figures.algorithms);
  return figures;
}

}  // namespace

absl::StatusOr<Comparison> CompareOnFleet(const CompareFamily& family,
                                          const CompareOptions& options,
                                          const std::string& fleet,
                                          const std::string& scratch,
                                          const FleetRunner& run) {
  SKEP_ASSIGN_OR_RETURN(const std::string kind, InputOf(family, options));
  Comparison comparison{.family = &family, .rounds = options.rounds, .fleet = fleet};
  for (const uint64_t size :
       options.sizes.empty() ? family.on_fleet.sizes : options.sizes) {
    SKEP_ASSIGN_OR_RETURN(comparison.sizes.emplace_back(),
                          CompareAt(family, size, kind, options, scratch, run));
  }
  return comparison;
}

}  // namespace skep
