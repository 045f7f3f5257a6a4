// Reads the numbers of a job's input, for the jobs whose input is numbers, and accounts
// for what is none: by file and line, whatever the splits.
//
// Formats are those of kernels/number_parser.h: text, or binary of 8 bytes a number.

#ifndef SKEP_JOBS_NUMBERS_H_
#define SKEP_JOBS_NUMBERS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/kernels/number.h"
#include "jobs/kernels/number_parser.h"

namespace skep {

// Declares --format and --strict, and the input that they mean.
void TakeNumbers(Job& job);

// What one map task read, and what of it is none.
struct NumberReport {
  uint64_t lines = 0;
  uint64_t numbers = 0;  // without NaNs
  uint64_t nans = 0;
  uint64_t unparsable = 0;
  // The first of what was left out: a line of the task's split, from 1, or, in binary,
  // a record of the file; and what is the matter.
  std::vector<std::pair<uint64_t, std::string>> examples;

  // Adds an example, unless there are enough.
  void Example(uint64_t place, std::string what);
  std::string Encode() const;
  static absl::StatusOr<NumberReport> Decode(std::string_view bytes);
};

// Reads the blocks of one map task, in order. Not thread-safe.
class NumberReader {
 public:
  // Finds the block's numbers: see integers(), large() and reals().
  absl::Status Read(const Block& block, const Options& options);

  // Of the last block; no NaN among them.
  std::span<const int64_t> integers() const { return parsed_.integers; }
  std::span<const uint64_t> large() const { return parsed_.large; }
  std::span<const double> reals() const { return parsed_.doubles; }

  // What was read in all, for CollectInput: part of the task's result.
  std::string Report() const;

 private:
  ParsedNumbers parsed_;
  uint64_t numbers_ = 0;  // without NaNs
  bool started_ = false;
  uint64_t first_offset_ = 0;  // of the first block in its file
};

// What the tasks of a stage read, together.
struct InputAccount {
  uint64_t numbers = 0;
  uint64_t nans = 0;
  uint64_t unparsable = 0;
  // The first of what was left out: "data.txt:17: \"x\" is not a number".
  std::vector<std::string> examples;

  // For people: what was left out; empty if nothing was.
  std::vector<std::string> Notes() const;
  // "\"unparsable\":0,\"nan\":0", for an answer's JSON.
  std::string Json() const;
};

// A number as JSON.
std::string JsonOf(const Number& number);

// Adds up the reports of a stage's map tasks, which were over the job's input. Errors
// that end the job: with --strict InvalidArgument if anything was left out;
// FailedPrecondition if there is no number at all.
absl::StatusOr<InputAccount> CollectInput(const PlanInput& input,
                                          const std::vector<std::string_view>& reports);

}  // namespace skep

#endif  // SKEP_JOBS_NUMBERS_H_
