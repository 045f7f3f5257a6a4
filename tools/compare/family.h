// A family of algorithms that do the same: what `skep compare NAME` compares.
//
// A family is one file in families/ and one line in families.cc. In it stand a table of
// its algorithms, and one of those that its job offers on a fleet, told by their flags;
// a new one joins by a row there.

#ifndef SKEP_TOOLS_COMPARE_FAMILY_H_
#define SKEP_TOOLS_COMPARE_FAMILY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cpu_path.h"

namespace skep {

// What an algorithm did once.
struct ComparedRun {
  std::string answer;
  // As counted, not guessed; nothing: the family says why (CompareFamily).
  std::optional<uint64_t> rounds;  // passes, guesses: what the family calls rounds
  std::optional<uint64_t> bytes;   // read and written
};

// What an answer that is not exact is worth.
struct Judgement {
  std::string text;    // "rank off by 0.1 %"
  bool within = true;  // the bound that the algorithm promises
};

// An algorithm, bound to an input.
struct ComparedAlgorithm {
  std::string name;
  std::string what;  // in a few words
  std::function<ComparedRun()> run;
  // The same with the answer in full and the work counted, where that would cost a part
  // of the work: called once, outside the measurements. Null: `run` tells all.
  std::function<ComparedRun()> in_full = nullptr;
  // For one whose answer need not agree with the others': how far it is from the truth.
  // Null: the answer must agree.
  std::function<Judgement(const std::string& answer)> judge = nullptr;
  // The one that it really takes (TakenCpuPath); nothing: it has only one.
  std::optional<CpuPath> path = std::nullopt;
};

// An input, with the algorithms bound to it.
struct ComparedCase {
  std::string input;  // "1048576 uniform keys"
  std::vector<ComparedAlgorithm> algorithms;
};

// --- The same on a fleet -----------------------------------------------------------

// A way of doing the family's job.
struct FleetAlgorithm {
  std::string name;
  std::string what;                          // in a few words
  std::map<std::string, std::string> flags;  // of the job
  // Whether its answer and output must be those of the other exact ones.
  bool exact = true;
};

// What all of them are given.
struct FleetInput {
  std::string what;                          // "1048576 uniform keys"
  std::map<std::string, std::string> flags;  // of the job
  std::string bytes;                         // of the input file, if the job takes one
  // Of this input even those agree that are not exact.
  bool all_agree = false;
};

struct FleetFamily {
  std::string job;  // of the job table
  std::vector<FleetAlgorithm> algorithms;
  std::vector<uint64_t> sizes;  // by default
  std::function<absl::StatusOr<FleetInput>(const std::string& input, uint64_t size,
                                           uint64_t seed)>
      make;
};

struct CompareFamily {
  std::string name;
  std::string what;
  std::string size_name;                // what sizes count: "keys"
  std::string size_example = "64K,1M";  // for --help
  std::vector<uint64_t> sizes;          // by default
  uint64_t most = 0;                    // the largest: inputs are made in memory
  std::vector<std::string> inputs;      // kinds of input, the default first
  std::vector<std::string> by_default;  // algorithms if none are named
  // Whether plots show the time of the whole, not of one of the size: where cost is not
  // about proportional.
  bool cost_of_all = false;
  // What its algorithms count as rounds and as bytes moved, in a sentence; or why they
  // count none.
  std::string counts;
  // The input of that kind and size; the same for the same seed.
  std::function<absl::StatusOr<ComparedCase>(const std::string& input, uint64_t size,
                                             uint64_t seed)>
      make;
  FleetFamily on_fleet;
};

// All families. A reference to one that lives as long as the program.
const std::vector<CompareFamily>& CompareFamilies();
// Null if there is none of that name.
const CompareFamily* FindCompareFamily(const std::string& name);

// Each in its file of families/.
CompareFamily AverageFamily();
CompareFamily GrepFamily();
CompareFamily MedianFamily();
CompareFamily QueensFamily();
CompareFamily SortFamily();
CompareFamily SudokuFamily();
CompareFamily WordCountFamily();

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_FAMILY_H_
