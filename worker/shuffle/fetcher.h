// Fetches one partition from every map output of a stage, several at a time, each from
// front to back, with a bound on the bytes in flight.

#ifndef SKEP_WORKER_SHUFFLE_FETCHER_H_
#define SKEP_WORKER_SHUFFLE_FETCHER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "jobs/api/task.pb.h"
#include "worker/task_environment.h"

namespace skep {

// Takes the bytes, on the thread that called FetchAll.
class FetchSink {
 public:
  virtual ~FetchSink() = default;
  // The next bytes of outputs[index], `total` in all. Errors are final and end
  // FetchAll.
  virtual absl::Status OnPiece(size_t index, uint64_t offset, uint64_t total,
                               std::string bytes) = 0;
  // All bytes of outputs[index] were given; also where there are none.
  virtual absl::Status OnComplete(size_t index) = 0;
};

// What is fetched. `stage` and `job` are those of the map tasks.
struct FetchPlan {
  uint64_t job = 0;
  uint32_t stage = 0;
  uint32_t partition = 0;
  std::vector<MapOutput> outputs;
};

// Blocks until everything was given to `sink`. DataLoss: an output is gone or its
// worker is; `lost` then names it and, if it is the worker, all others there that were
// not complete. Cancelled when `stop` is asked for. `progress` is called with the
// outputs completed.
absl::Status FetchAll(ShuffleSource& source, const FetchPlan& plan,
                      const FetchOptions& options, std::stop_token stop,
                      const std::function<void(size_t)>& progress, FetchSink& sink,
                      std::vector<MapOutput>* lost);

}  // namespace skep

#endif  // SKEP_WORKER_SHUFFLE_FETCHER_H_
