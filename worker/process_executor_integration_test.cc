// Runs attempts in real child processes: this program itself, started as an executor.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "rpc/tcp_transport.h"
#include "worker/attempt.h"
#include "worker/executor_main.h"
#include "worker/process_executor.h"

namespace skep {
namespace {

// Does what its payload says.
class ObedientMapper final : public Mapper {
 public:
  absl::Status Finish(MapContext& context) override {
    const std::string what(context.payload());
    context.SetResult(std::to_string(getpid()));
    if (what == "segv") raise(SIGSEGV);
    if (what == "kill") raise(SIGKILL);
    if (what == "exit") _exit(3);
    if (what == "write") context.Write("text\n");
    while (what == "wait" && !context.stop_token().stop_requested()) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    // Tells its process id, then never ends.
    if (what.starts_with("hang ")) {
      std::ofstream(what.substr(5)) << getpid() << std::endl;
      while (true) pause();
    }
    return absl::OkStatus();
  }
};

JobTable Jobs() {
  Job job;
  job.Name("obey").AddStage(
      "main", {.mapper = [] { return std::make_unique<ObedientMapper>(); }});
  JobTable table;
  table.jobs.emplace("obey", job);
  return table;
}

class YesCommitter final : public Committer {
 public:
  void RequestCommit(const AttemptId& id, Done done) override {
    asked = AttemptName(id);
    done(true);
  }
  std::string asked;
};

std::string TempDir() {
  std::string path = testing::TempDir() + "skep-executor-XXXXXX";
  CHECK_NE(mkdtemp(path.data()), nullptr);
  return path;
}

TaskSpec Spec(const std::string& payload) {
  TaskSpec spec;
  spec.mutable_id()->set_job(1);
  spec.mutable_id()->set_kind(TASK_MAP);
  spec.mutable_id()->set_task(12);
  spec.mutable_id()->set_attempt(1);
  spec.mutable_job()->set_name("obey");
  spec.mutable_stage()->set_name("main");
  spec.mutable_stage()->mutable_tasks();
  spec.set_payload(payload);
  return spec;
}

// Whether there is such a process that is not a zombie.
bool IsAlive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  const size_t end = line.rfind(')');
  return line[end + 2] != 'Z' && line[end + 2] != 'X';
}

// Waits, at most half a minute, for a file with a number in it.
pid_t AwaitPid(const std::string& path) {
  for (int i = 0; i < 15'000; ++i) {
    pid_t pid = 0;
    if (std::ifstream(path) >> pid) return pid;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return 0;
}

class ProcessExecutorTest : public testing::Test {
 protected:
  ProcessExecutorTest() {
    ProcessExecutorOptions options;
    options.stop_grace = absl::Milliseconds(100);
    options.scratch = scratch_;
    options.host = "testhost";
    executor_ = std::make_unique<ProcessExecutor>(transport_, committer_, options);
  }
  ~ProcessExecutorTest() override {
    executor_.reset();
    FileSystem::Real().RemoveAll(scratch_).IgnoreError();
  }

  TaskResult Run(const std::string& payload) {
    return executor_->Run(Spec(payload), {});
  }

  const std::string scratch_ = TempDir();
  TcpTransport transport_{1};
  YesCommitter committer_;
  std::unique_ptr<ProcessExecutor> executor_;
};

TEST_F(ProcessExecutorTest, RunsAttemptAfterAttemptInOneOtherProcess) {
  const TaskResult first = Run("");
  ASSERT_TRUE(StatusOf(first).ok()) << StatusOf(first);
  EXPECT_NE(first.result(), std::to_string(getpid()));
  EXPECT_EQ(Run("").result(), first.result());
}

TEST_F(ProcessExecutorTest, ACrashCostsOneAttemptAndIsTheUsers) {
  const absl::Status status = StatusOf(Run("segv"));
  EXPECT_TRUE(absl::IsUnknown(status)) << status;
  EXPECT_NE(Message(status).find(" died: SIGSEGV while running m-12 attempt 1"),
            std::string::npos)
      << status;
  EXPECT_TRUE(StatusOf(Run("")).ok());
}

TEST_F(ProcessExecutorTest, AKillIsTheMachines) {
  ASSERT_TRUE(StatusOf(Run("")).ok());
  const absl::Status status = StatusOf(Run("kill"));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_NE(Message(status).find(" died: SIGKILL while running m-12 attempt 1"),
            std::string::npos)
      << status;
  EXPECT_TRUE(StatusOf(Run("")).ok());
}

TEST_F(ProcessExecutorTest, AnExitIsTheUsers) {
  const absl::Status status = StatusOf(Run("exit"));
  EXPECT_TRUE(absl::IsUnknown(status)) << status;
  EXPECT_NE(Message(status).find("exit code 3"), std::string::npos) << status;
}

TEST_F(ProcessExecutorTest, AKillBetweenAttemptsIsNotNoticed) {
  const pid_t pid = std::stoi(Run("").result());
  kill(pid, SIGKILL);
  // Its end may be seen before or after the next attempt has been sent to it.
  const TaskResult next = Run("");
  EXPECT_TRUE(StatusOf(next).ok() || absl::IsUnavailable(StatusOf(next)))
      << StatusOf(next);
  EXPECT_TRUE(StatusOf(Run("")).ok());
}

TEST_F(ProcessExecutorTest, CancelReachesTheTask) {
  std::stop_source stop;
  std::jthread later([&] {
    absl::SleepFor(absl::Milliseconds(20));
    stop.request_stop();
  });
  const TaskResult result = executor_->Run(Spec("wait"), {stop.get_token(), nullptr});
  EXPECT_TRUE(absl::IsCancelled(StatusOf(result))) << StatusOf(result);
}

TEST_F(ProcessExecutorTest, CancelKillsWhatDoesNotListen) {
  std::stop_source stop;
  const std::string pid_file = scratch_ + "/pid";
  pid_t pid = 0;
  std::jthread later([&] {
    pid = AwaitPid(pid_file);
    stop.request_stop();
  });
  const TaskResult result =
      executor_->Run(Spec("hang " + pid_file), {stop.get_token(), nullptr});
  later.join();
  EXPECT_TRUE(absl::IsCancelled(StatusOf(result))) << StatusOf(result);
  EXPECT_GT(pid, 0);
  EXPECT_FALSE(IsAlive(pid));
  EXPECT_TRUE(StatusOf(Run("")).ok());
}

TEST_F(ProcessExecutorTest, CommitsAreAskedThroughTheWorker) {
  const std::string out = scratch_ + "/out";
  FileSystem& fs = FileSystem::Real();
  ASSERT_TRUE(fs.MakeDirectory(out + "/_temporary").ok());
  ASSERT_TRUE(WriteFileAtomically(fs, out + "/_temporary/token", "token").ok());
  TaskSpec spec = Spec("write");
  spec.mutable_stage()->set_writes_output(true);
  spec.mutable_job()->mutable_output()->set_directory(out);
  spec.mutable_job()->mutable_output()->set_token("token");
  const TaskResult result = executor_->Run(spec, {});
  EXPECT_TRUE(StatusOf(result).ok()) << StatusOf(result);
  EXPECT_EQ(committer_.asked, "m-12 attempt 1");
  const auto part =
      ReadFile(fs, StrCat(out, "/_temporary/attempts/part-00012.", spec.id().attempt(),
                          ".e", spec.id().epoch()));
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(*part, "text\n");
}

TEST_F(ProcessExecutorTest, LeavesNoProcessBehind) {
  const pid_t pid = std::stoi(Run("").result());
  executor_.reset();
  EXPECT_FALSE(IsAlive(pid));
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), -1) << "it was not reaped";
}

TEST_F(ProcessExecutorTest, DiesWithItsSupervisor) {
  const std::string pid_file = scratch_ + "/pid";
  const pid_t supervisor = fork();
  if (supervisor == 0) {
    execl("/proc/self/exe", "test", "supervise", scratch_.c_str(), pid_file.c_str(),
          nullptr);
    _exit(127);
  }
  const pid_t executor = AwaitPid(pid_file);
  ASSERT_GT(executor, 0);
  EXPECT_TRUE(IsAlive(executor));
  kill(supervisor, SIGKILL);
  waitpid(supervisor, nullptr, 0);
  for (int i = 0; i < 5000 && IsAlive(executor); ++i) {
    absl::SleepFor(absl::Milliseconds(2));
  }
  EXPECT_FALSE(IsAlive(executor));
}

TEST_F(ProcessExecutorTest, AProgramThatDoesNotStartIsSaid) {
  ProcessExecutorOptions options;
  options.binary = "/nonexistent/skep";
  ProcessExecutor executor(transport_, committer_, options);
  const absl::Status status = StatusOf(executor.Run(Spec(""), {}));
  EXPECT_FALSE(status.ok());
  EXPECT_NE(Message(status).find("exit code 127"), std::string::npos) << status;
}

// Another role of this program: a supervisor with an executor that never ends.
void Supervise(const std::string& scratch, const std::string& pid_file) {
  TcpTransport transport(1);
  YesCommitter committer;
  ProcessExecutorOptions options;
  options.scratch = scratch;
  ProcessExecutor executor(transport, committer, options);
  executor.Run(Spec("hang " + pid_file), {});
}

}  // namespace
}  // namespace skep

int main(int argc, char** argv) {
  const std::string role = argc > 1 ? argv[1] : "";
  if (role == "executor") {
    const skep::JobTable jobs = skep::Jobs();
    skep::TcpTransport transport(1);
    skep::ExecutorMain(std::atoi(std::strchr(argv[2], '=') + 1), transport, transport,
                       jobs);
  }
  if (role == "supervise") {
    skep::Supervise(argv[2], argv[3]);
    return 0;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
