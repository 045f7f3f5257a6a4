// Ctrl-C and SIGTERM as an orderly request to stop; a second one ends the process at
// once. A SIGTERM within a second of the first signal is the same request, not a
// second.

#ifndef SKEP_TOOLS_SIGNALS_H_
#define SKEP_TOOLS_SIGNALS_H_

#include <functional>
#include <thread>

// Also, before anything else of the process runs: what is missing of descriptors 0, 1
// and 2 is filled, so that no socket or file of ours gets such a number. Reading or
// writing them is an error then, as it should be.

namespace skep {

// Catches SIGINT and SIGTERM for as long as it lives. Of several in a process, which
// must go in the opposite order, the last one made hears of them.
class StopSignal {
 public:
  // `on_stop` runs once, on a thread of its own, at the first signal; may be null.
  explicit StopSignal(std::function<void()> on_stop = nullptr);
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Blocks until the first signal, and its `on_stop`, have come.
  void Wait();

 private:
  int fd_;
  int outer_fd_;  // of the one that was there before
  std::thread thread_;
};

// Whether a StopSignal has heard of a signal.
bool StopRequested();

// Ends the process by the signal that a StopSignal heard of, as it would have ended
// without one: a shell then knows (130 after Ctrl-C) and ends its script, too. For
// commands that have nothing to stop, only something to clear away.
[[noreturn]] void EndBySignal();

// Writing to a pipe or socket that nobody reads is an error, not the end of the
// process.
void IgnoreBrokenPipes();

}  // namespace skep

#endif  // SKEP_TOOLS_SIGNALS_H_
