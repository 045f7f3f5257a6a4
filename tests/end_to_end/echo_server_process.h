// `skep serve echo` as a process that may be killed, frozen and brought back at the
// same address.

#ifndef SKEP_TESTS_END_TO_END_ECHO_SERVER_PROCESS_H_
#define SKEP_TESTS_END_TO_END_ECHO_SERVER_PROCESS_H_

#include <memory>
#include <string>

#include "tests/end_to_end/process.h"

namespace skep {

class EchoServerProcess {
 public:
  // Answers after `delay` ("20ms"). Fails the test if it does not start.
  explicit EchoServerProcess(const std::string& delay);

  const std::string& address() const { return address_; }
  void Signal(int signal) { process_->Kill(signal); }
  void Kill();
  // At the address that it had.
  void Restart() { Start(address_); }

 private:
  void Start(const std::string& at);

  const std::string delay_;
  std::unique_ptr<Process> process_;
  std::string address_;
};

}  // namespace skep

#endif  // SKEP_TESTS_END_TO_END_ECHO_SERVER_PROCESS_H_
