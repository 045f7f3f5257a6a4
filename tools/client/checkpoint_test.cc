#include "tools/client/checkpoint.h"

#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/faulty_file_system.h"
#include "tools/client/outcomes.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

JobSpec Spec() {
  JobSpec spec;
  spec.set_name("nqueens");
  (*spec.mutable_options())["n"] = "20";
  (*spec.mutable_options())["algorithm"] = "halves";
  spec.set_binary_digest("abc");
  return spec;
}

FinishedTask Done(uint32_t stage, uint32_t task, const std::string& result,
                  double cpu_seconds = 1) {
  FinishedTask done;
  done.set_stage(stage);
  done.set_task(task);
  done.set_stage_digest(7);
  done.set_stage_name("count");
  done.mutable_result()->set_result(result);
  done.mutable_result()->set_cpu_seconds(cpu_seconds);
  return done;
}

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override { fs_.RemoveAll(path_).IgnoreError(); }
  std::unique_ptr<Checkpoint> Open() {
    auto opened = Checkpoint::Open(fs_, path_, Spec());
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  std::string Bytes() { return ReadFile(fs_, path_).value(); }
  void Write(std::string_view bytes) {
    ASSERT_TRUE(WriteFileAtomically(fs_, path_, bytes).ok());
  }

  FileSystem& fs_ = FileSystem::Real();
  const std::string path_ = JoinPath(testing::TempDir(), "checkpoint");
};

TEST_F(CheckpointTest, KeepsWhatItWasGiven) {
  {
    const auto checkpoint = Open();
    EXPECT_TRUE(checkpoint->finished().empty());
    EXPECT_TRUE(checkpoint->NoteSubmission("first").ok());
    EXPECT_TRUE(checkpoint->Add({Done(0, 3, "three"), Done(1, 3, "other")}).ok());
    EXPECT_TRUE(checkpoint->Add({Done(0, 3, "known already")}).ok());
    EXPECT_TRUE(checkpoint->NoteSubmission("second").ok());
    EXPECT_EQ(checkpoint->finished().size(), 2u);
  }
  const auto checkpoint = Open();
  ASSERT_EQ(checkpoint->finished().size(), 2u);
  EXPECT_EQ(checkpoint->finished().at({0, 3}).result().result(), "three");
  EXPECT_EQ(checkpoint->submission(), "second");
  EXPECT_FALSE(checkpoint->answer().has_value());
  EXPECT_EQ(checkpoint->dropped(), 0u);
  Answer answer;
  answer.set_text("42\n");
  EXPECT_TRUE(checkpoint->NoteAnswer(answer).ok());
  EXPECT_EQ(ParseCheckpoint(Bytes())->answer->text(), "42\n");
}

TEST_F(CheckpointTest, OneAtATime) {
  const auto checkpoint = Open();
  EXPECT_EQ(Checkpoint::Open(fs_, path_, Spec()).status().code(),
            absl::StatusCode::kAlreadyExists);
}

// Two that make it in the same moment: whoever holds it holds the file that is there.
TEST_F(CheckpointTest, OneAtATimeFromTheFirstMoment) {
  for (int round = 0; round < 20; ++round) {
    fs_.RemoveAll(path_).IgnoreError();
    std::unique_ptr<Checkpoint> opened[2];
    const auto open = [&](int i) {
      auto checkpoint = Checkpoint::Open(fs_, path_, Spec());
      if (checkpoint.ok()) {
        opened[i] = *std::move(checkpoint);
      } else {
        EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kAlreadyExists);
      }
    };
    std::thread other(open, 1);
    open(0);
    other.join();
    ASSERT_EQ((opened[0] != nullptr) + (opened[1] != nullptr), 1) << round;
    Checkpoint& one = *opened[opened[0] == nullptr ? 1 : 0];
    ASSERT_TRUE(one.NoteSubmission("kept").ok());
    EXPECT_EQ(ParseCheckpoint(Bytes())->submission, "kept");
  }
}

// Every second, and not only once the record behind it comes.
TEST_F(CheckpointTest, IsSyncedWhenThatIsDue) {
  FaultyFileSystem fs(fs_);
  SimulatedClock clock;
  auto checkpoint = *Checkpoint::Open(fs, path_, Spec(), clock);
  fs.Fail(FaultyFileSystem::kSync, path_, DataLoss("a sync"));
  const auto add = [&](uint32_t task) { return checkpoint->Add({Done(0, task, "")}); };
  clock.Advance(absl::Milliseconds(900));
  EXPECT_TRUE(add(1).ok());
  EXPECT_TRUE(checkpoint->Add({}).ok());
  clock.Advance(absl::Milliseconds(200));
  EXPECT_EQ(checkpoint->Add({}).code(), absl::StatusCode::kDataLoss)
      << "with nothing new, too";
  fs.Heal();
  EXPECT_TRUE(checkpoint->Add({}).ok());
  // The first for a long time.
  clock.Advance(absl::Seconds(10));
  fs.Fail(FaultyFileSystem::kSync, path_, DataLoss("a sync"));
  EXPECT_TRUE(checkpoint->Add({}).ok()) << "there is nothing to sync";
  EXPECT_EQ(add(2).code(), absl::StatusCode::kDataLoss);
  fs.Heal();
}

// Cut anywhere, or damaged anywhere, it gives what stands before that, and takes more.
TEST_F(CheckpointTest, IsReadAsFarAsItIsWhole) {
  size_t headed = 0;
  {
    const auto checkpoint = Open();
    headed = Bytes().size();
    for (uint32_t task = 0; task < 4; ++task) {
      ASSERT_TRUE(checkpoint->Add({Done(0, task, std::string(task, 'x'))}).ok());
    }
  }
  const std::string whole = Bytes();
  size_t seen = 0;
  for (size_t size = 0; size <= whole.size(); ++size) {
    const auto content = ParseCheckpoint(std::string_view(whole).substr(0, size));
    EXPECT_EQ(content.ok(), size >= headed) << size;
    if (!content.ok()) continue;
    EXPECT_GE(content->finished.size(), seen);
    EXPECT_LE(content->good_bytes, size);
    seen = content->finished.size();
  }
  EXPECT_EQ(seen, 4u);
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    const auto content = ParseCheckpoint(damaged);
    EXPECT_EQ(content.ok(), at >= headed) << at;
    if (content.ok()) {
      EXPECT_LE(content->good_bytes, at);
      EXPECT_LT(content->finished.size(), 4u);
    }
  }
  for (size_t size = 0; size <= headed; ++size) {  // its maker was killed
    Write(whole.substr(0, size));
    EXPECT_EQ(Open()->finished().size(), 0u) << size;
    EXPECT_EQ(Bytes(), whole.substr(0, headed)) << size;
  }
  Write(whole.substr(0, whole.size() - 1));
  {
    const auto checkpoint = Open();
    EXPECT_EQ(checkpoint->finished().size(), 3u);
    EXPECT_GT(checkpoint->dropped(), 20u);
    ASSERT_TRUE(checkpoint->Add({Done(0, 9, "more")}).ok());
  }
  EXPECT_EQ(Open()->finished().size(), 4u);
}

TEST_F(CheckpointTest, IsOfOneJobOfOneBuild) {
  Open().reset();
  const auto refused = [&](const JobSpec& spec, const char* why) {
    const absl::Status status = Checkpoint::Open(fs_, path_, spec).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << why;
    EXPECT_NE(Message(status).find(why), std::string_view::npos) << status;
  };
  JobSpec spec = Spec();
  (*spec.mutable_options())["n"] = "21";
  refused(spec, "is of `nqueens --algorithm halves --n 20`, not of");
  spec = Spec();
  spec.set_binary_digest("abd");
  refused(spec, "another build");
  spec = Spec();
  spec.add_splits()->set_length(3);
  refused(spec, "the inputs of");
  Write("something else, that somebody wants to keep");
  const absl::Status other = Checkpoint::Open(fs_, path_, Spec()).status();
  EXPECT_TRUE(absl::IsDataLoss(other)) << other;
  EXPECT_EQ(ExitCodeOf(other), kFiles);
  EXPECT_EQ(Bytes(), "something else, that somebody wants to keep");
}

TEST(OutcomesTest, TellsWhatIsKnownAndWhatIsLeft) {
  Job job;
  job.Partial([](std::string_view stage, const std::vector<std::string>& results) {
    return stage == "count" ? StrCat(results.size(), " so far") : "";
  });
  Outcomes outcomes(&job);
  EXPECT_EQ(outcomes.Partial(), "");
  JobStatus status;
  status.set_state(JOB_RUNNING);
  StageProgress& stage = *status.add_stages();
  stage.mutable_maps()->set_waiting(99);
  stage.mutable_maps()->set_running(2);
  const absl::Time start = absl::UnixEpoch();
  // Ten tasks of 3 s each, of an earlier session.
  for (uint32_t task = 0; task < 10; ++task) outcomes.AddEarlier(Done(0, task, "", 3));
  EXPECT_EQ(outcomes.Remark(status, start), "10 so far");
  outcomes.Add({Done(0, 10, "", 1)}, start);
  // Known ones are not counted again.
  outcomes.Add({Done(0, 1, "", 1)}, start + absl::Seconds(1));
  EXPECT_FALSE(outcomes.TimeLeft(status, start + absl::Seconds(1)).has_value());
  // Four of 1 s here, in two seconds: two cores.
  for (uint32_t task = 11; task < 15; ++task) {
    outcomes.Add({Done(0, task, "", 1)}, start + absl::Seconds(2));
  }
  // 100 tasks are left, of (10 * 3 + 5 * 1) / 15 s each.
  const auto left = outcomes.TimeLeft(status, start + absl::Seconds(2));
  ASSERT_TRUE(left.has_value());
  EXPECT_NEAR(absl::ToDoubleSeconds(*left), 100 * 35.0 / 15 / 2, 1e-6);
  EXPECT_EQ(outcomes.Remark(status, start + absl::Seconds(2)), "15 so far, 117 s left");
  // Another stage runs: nothing is known of how long that takes.
  status.add_stages();
  EXPECT_EQ(outcomes.Remark(status, start + absl::Seconds(2)), "15 so far");
}

}  // namespace
}  // namespace skep
