// Plays a scenario against the scheduler and writes the trace of its commands: for
// tests.
//
// A scenario is a text of blocks: a line that says what happens, "----", the commands
// that follow from it, an empty line. Lines with # are comments. The workers here are
// models that remember what they run and what they have finished, as real ones do.
//
//   register w1 [slots=2] [digest=D] [forget=ATTEMPT]  connects, says what it has
//   disconnect w1
//   heartbeat w1
//   advance 3s [alive=w1,w2]      time passes in ticks of 500 ms; these send heartbeats
//   submit [splits=2] [output] [digest=D] [max_attempts=N]
//   plan ATTEMPT [partitions=R] [tasks=N] [name=S]      the planner gives a stage
//   answer ATTEMPT TEXT                                 the planner gives the answer
//   ok ATTEMPT [wrong]            ends well; wrong: with accounts that do not balance
//   fail ATTEMPT CODE TEXT        ends with an error
//   lost ATTEMPT MAP_ATTEMPT      a reducer could not fetch that map's output
//   drop ATTEMPT CODE             the RunTask call fails
//   commit ATTEMPT
//   cancel JOB
//   status JOB
//   restart EPOCH                 a new term begins with the same state

#ifndef SKEP_MASTER_SCENARIO_H_
#define SKEP_MASTER_SCENARIO_H_

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "master/scheduler.h"

namespace skep {

class Scenario {
 public:
  Scenario();
  // What the scheduler wants done after one line, as text: one line a command.
  std::string Play(std::string_view line);

 private:
  struct Model {
    uint64_t incarnation = 0;
    uint64_t connection = 0;
    uint64_t id = 0;
    std::set<std::string> running, finished;
  };
  using Words = std::vector<std::string>;

  void Start(uint64_t epoch);
  void Register(const Words& words);
  void Advance(const Words& words);
  void Submit(const Words& words);
  void Finish(const Words& words);
  void Heartbeat(const std::string& name);
  void Status(const Words& words);
  void Step(Event event);
  void Print(const Command& command);
  std::string WorkerOf(ConnectionId connection) const;
  TaskResult ResultOf(const Words& words, const TaskSpec& spec) const;
  // The last spec sent for that attempt.
  const TaskSpec& SpecOf(const std::string& attempt) const;

  SimulatedClock clock_;
  Scheduler scheduler_;
  std::map<std::string, Model> workers_;
  std::map<std::string, TaskSpec> specs_;
  std::map<std::string, std::string> runner_;  // attempt -> worker
  uint64_t last_connection_ = 0;
  std::string trace_;
  bool quiet_ = false;  // about replies to heartbeats
};

// The scenario with its golden parts replaced by what really follows.
std::string PlayScenario(std::string_view text);

}  // namespace skep

#endif  // SKEP_MASTER_SCENARIO_H_
