// A master and workers as separate processes, to be killed at will.

#ifndef SKEP_TESTS_END_TO_END_FLEET_H_
#define SKEP_TESTS_END_TO_END_FLEET_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/end_to_end/process.h"

namespace skep {

class Fleet {
 public:
  // Starts a master on a free port and `workers` workers of one slot, and waits until
  // all have registered. Fails the test if they do not.
  explicit Fleet(int workers, const std::vector<std::string>& worker_flags = {});

  // "127.0.0.1:43211".
  const std::string& master() const { return address_; }
  Process& master_process() { return *master_; }
  Process& worker(int i) { return *workers_[i]; }
  // One more, at the end of the list; by way of `master` if that is given, and started
  // by the program `wrapper`, which gets the worker's command line as arguments.
  void AddWorker(const std::string& master = "",
                 const std::vector<std::string>& wrapper = {});

  // `skep submit JOB... --master ...`, running or run to its end.
  std::unique_ptr<Process> StartSubmit(std::vector<std::string> args);
  Outcome Submit(std::vector<std::string> args,
                 absl::Duration patience = absl::Minutes(3));
  // The fields of `skep status ID --json`.
  std::string StatusJson(int job);

 private:
  std::vector<std::string> worker_flags_;
  std::unique_ptr<Process> master_;
  std::string address_;
  std::vector<std::unique_ptr<Process>> workers_;
};

}  // namespace skep

#endif  // SKEP_TESTS_END_TO_END_FLEET_H_
