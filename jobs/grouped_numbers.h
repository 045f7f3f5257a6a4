// Numbers by group, for the jobs over numbers with --group-by: lines of fields, of
// which one is the key and one the number.
//
// A mapper gathers the numbers of each key and emits what it has when that becomes
// much; a reducer joins the parts of a key and writes one line for it. What is no
// number is left out and reported by file and line, as without groups.

#ifndef SKEP_JOBS_GROUPED_NUMBERS_H_
#define SKEP_JOBS_GROUPED_NUMBERS_H_

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/kernels/number.h"

namespace skep {

// What is gathered of a key. The same numbers in whatever parts and order must come to
// the same line.
class NumberGroup {
 public:
  virtual ~NumberGroup() = default;
  virtual void Add(const Number& number) = 0;
  // Bytes that it takes, about.
  virtual size_t size() const = 0;
  // As a part for the reducer; the group is empty then.
  virtual std::string Take() = 0;
  virtual absl::Status AddPart(std::string_view part) = 0;
  // The columns behind the key, with tabs between.
  virtual std::string Line(const Options& options) = 0;
};
using MakeNumberGroup = std::function<std::unique_ptr<NumberGroup>()>;

// Declares the stage, --group-by, --column and --separator, and sets the job's output.
// After TakeNumbers.
void TakeGroups(Job& job, MakeNumberGroup make);

// Whether --group-by was given.
bool WantsGroups(const Options& options);

// The planner then.
absl::StatusOr<PlanResult> PlanGroups(const PlanInput& input);

}  // namespace skep

#endif  // SKEP_JOBS_GROUPED_NUMBERS_H_
