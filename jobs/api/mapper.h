// What the code of a stage is given and what it gives back: blocks, emitters, contexts.

#ifndef SKEP_JOBS_API_MAPPER_H_
#define SKEP_JOBS_API_MAPPER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status.h"
#include "base/strings.h"
#include "jobs/api/options.h"

namespace skep {

// A piece of a split: whole lines (the last may lack its '\n' at the end of the file),
// or whole fixed-size records. Valid during Map only.
struct Block {
  std::string_view bytes;
  std::string_view file_name;  // as the user wrote it
  uint64_t file_offset = 0;    // of bytes[0]; of the decompressed text
};

// Calls fn(std::string_view) with each line of `bytes`, without its '\n'.
template <typename Fn>
void ForEachLine(std::string_view bytes, Fn&& fn) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    fn(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
  }
}

// What every task can do besides producing records. Owned by the engine, one a task,
// used from the task's thread only.
class TaskContext {
 public:
  virtual ~TaskContext() = default;

  virtual const Options& options() const = 0;
  // Bytes that the planner gave to the stage (StageSpec.args).
  virtual std::string_view args() const = 0;
  // The index of this task within its stage's map tasks or partitions.
  virtual int task() const = 0;

  // Adds to a counter of the job: summed over the attempts that counted.
  virtual void Count(std::string_view counter, uint64_t n) = 0;
  // The bytes that the planner gets from this task; at most 64 MiB. The last one wins.
  virtual void SetResult(std::string result) = 0;
  // Appends to this task's part file (map-only stages and reducers with writes_output).
  virtual void Write(std::string_view bytes) = 0;
  // A line for the person who submitted; the first 20 are kept.
  virtual void Warn(std::string_view message) = 0;
  // Long computations look at it and return Cancelled.
  virtual std::stop_token stop_token() const = 0;
};

class MapContext : public TaskContext {
 public:
  // The payload of a listed task (StageSpec.tasks).
  virtual std::string_view payload() const = 0;
  // Produces a record for the reducers. Both are copied.
  virtual void Emit(std::string_view key, std::string_view value) = 0;
  // Emits a count, encoded as a varint: for Combine::kSum, the fast path.
  virtual void EmitCount(std::string_view key, uint64_t n) = 0;
  // EmitCount(key, 1) for each, in batches of some dozens several times as fast.
  virtual void EmitEach(std::span<const std::string_view> keys) {
    for (const std::string_view key : keys) EmitCount(key, 1);
  }
};

// One per map task. For a listed task Map is not called: work in Finish.
class Mapper {
 public:
  virtual ~Mapper() = default;
  virtual absl::Status Map(const Block& block, MapContext& context) {
    return absl::OkStatus();
  }
  // Looked at after each block. True: what is left of the split changes nothing, and is
  // neither read nor given.
  virtual bool HasEnough() const { return false; }
  // After the last block.
  virtual absl::Status Finish(MapContext& context) { return absl::OkStatus(); }
};

// The values of one key, in ascending order of bytes; read once, forward.
class Values {
 public:
  virtual ~Values() = default;
  // False at the end. The view is valid until the next call.
  virtual bool Next(std::string_view* value) = 0;
};

class ReduceContext : public TaskContext {};

// One per partition; keys come in ascending order of bytes.
class Reducer {
 public:
  virtual ~Reducer() = default;
  virtual absl::Status Reduce(std::string_view key, Values& values,
                              ReduceContext& context) = 0;
  virtual absl::Status Finish(ReduceContext& context) { return absl::OkStatus(); }
};

// How values of the same key may be merged before the shuffle.
enum class Combine {
  kNone,
  kSum,  // values are varints (EmitCount): added
};

// Adds the varints of `values`; DataLoss names a value that is none.
absl::StatusOr<uint64_t> SumCounts(Values& values);

}  // namespace skep

#endif  // SKEP_JOBS_API_MAPPER_H_
