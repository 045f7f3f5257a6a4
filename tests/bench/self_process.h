// This very program with other arguments, in a process of its own: what the benches
// measure whole.

#ifndef SKEP_TESTS_BENCH_SELF_PROCESS_H_
#define SKEP_TESTS_BENCH_SELF_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/bench/bench_inputs.h"

namespace skep {

struct SelfRun {
  int status = 0;  // as of wait()
  double cpu = 0;  // seconds, the system's included
  absl::Time begin, end;
  std::string out, err;
};

// `arguments` begin with the program's name. What it prints goes through files of
// `folder`. An error if it cannot be started.
absl::StatusOr<SelfRun> RunSelf(const BenchFolder& folder,
                                const std::vector<std::string>& arguments);

// A server: prints one line that ends in its address, and serves. Killed and waited for
// when this goes; it ends, too, when this process does.
class SelfServer {
 public:
  // Unavailable if it says no such line.
  static absl::StatusOr<std::unique_ptr<SelfServer>> Start(
      const std::vector<std::string>& arguments);
  ~SelfServer();
  SelfServer(const SelfServer&) = delete;
  SelfServer& operator=(const SelfServer&) = delete;

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

 private:
  explicit SelfServer(pid_t pid) : pid_(pid) {}

  const pid_t pid_;
  std::string address_;
};

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_SELF_PROCESS_H_
