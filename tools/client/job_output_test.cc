#include "tools/client/job_output.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/memory_file_system.h"

namespace skep {
namespace {

class JobOutputTest : public testing::Test {
 protected:
  JobOutputTest() {
    EXPECT_TRUE(fs_.MakeDirectory("/home").ok());
    EXPECT_TRUE(fs_.MakeDirectory("/tmp").ok());
  }
  absl::StatusOr<std::unique_ptr<JobOutput>> Prepare(OutputShape shape,
                                                     const std::string& path) {
    return JobOutput::Prepare(fs_, shape, path, "/home", "/tmp");
  }
  // Acts as the job that publishes.
  OutputFile Publish(const JobOutput& output, const std::string& name,
                     const std::string& bytes) {
    const std::string path = JoinPath(output.spec().directory(), name);
    EXPECT_TRUE(WriteFileAtomically(fs_, path, bytes).ok());
    OutputFile part;
    part.set_name(name);
    part.set_bytes(bytes.size());
    return part;
  }
  size_t Entries(const std::string& directory) { return fs_.List(directory)->size(); }

  MemoryFileSystem fs_;
  std::string terminal_;
  JobOutput::Sink sink_ = [this](std::string_view bytes) {
    terminal_ += bytes;
    return absl::OkStatus();
  };
};

TEST_F(JobOutputTest, MakesADirectoryWithItsToken) {
  auto output = *Prepare(OutputShape::kDirectory, "out/");
  EXPECT_EQ(output->spec().directory(), "/home/out");
  EXPECT_EQ(output->spec().token().size(), 32u);
  EXPECT_EQ(*ReadFile(fs_, "/home/out/_temporary/token"), output->spec().token());
}

TEST_F(JobOutputTest, ADirectoryThatIsNotEmptyIsRefused) {
  ASSERT_TRUE(fs_.MakeDirectory("/home/out").ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, "/home/out/notes", "x").ok());
  const absl::Status status = Prepare(OutputShape::kDirectory, "out").status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_NE(Message(status).find("'notes'"), std::string::npos) << status;
  EXPECT_EQ(*ReadFile(fs_, "/home/out/notes"), "x");
}

TEST_F(JobOutputTest, PartsStayInTheDirectory) {
  auto output = *Prepare(OutputShape::kDirectory, "out");
  const OutputFile part = Publish(*output, "part-00000", "a\n");
  ASSERT_TRUE(output->Finish({part}, sink_).ok());
  output.reset();
  EXPECT_EQ(*ReadFile(fs_, "/home/out/part-00000"), "a\n");
  EXPECT_EQ(terminal_, "");
}

TEST_F(JobOutputTest, AFailedJobLeavesNothing) {
  auto output = *Prepare(OutputShape::kDirectory, "out");
  Publish(*output, "part-00000", "a\n");
  output.reset();
  EXPECT_TRUE(absl::IsNotFound(fs_.Stat("/home/out").status()));
}

TEST_F(JobOutputTest, ADirectoryThatWasThereStays) {
  ASSERT_TRUE(fs_.MakeDirectory("/home/out").ok());
  auto output = *Prepare(OutputShape::kDirectory, "out");
  Publish(*output, "part-00000", "a\n");
  output.reset();
  EXPECT_EQ(Entries("/home/out"), 0u);
}

TEST_F(JobOutputTest, WithoutAPathThePartsGoToTheTerminalInOrder) {
  auto output = *Prepare(OutputShape::kDirectory, "");
  EXPECT_TRUE(output->to_terminal());
  const OutputFile late = Publish(*output, "part-100000", "c\n");
  const OutputFile second = Publish(*output, "part-00001", "b\n");
  const OutputFile first = Publish(*output, "part-00000", "a\n");
  ASSERT_TRUE(output->Finish({late, second, first}, sink_).ok());
  EXPECT_EQ(terminal_, "a\nb\nc\n");
  output.reset();
  EXPECT_EQ(Entries("/tmp"), 0u);
}

TEST_F(JobOutputTest, AFileAppearsWhole) {
  auto output = *Prepare(OutputShape::kFile, "solved.txt");
  EXPECT_EQ(JobOutput::PathOf(output->spec().directory()), "/home/solved.txt");
  const OutputFile first = Publish(*output, "part-00000", "a\n");
  const OutputFile second = Publish(*output, "part-00001", "b\n");
  EXPECT_TRUE(absl::IsNotFound(fs_.Stat("/home/solved.txt").status()));
  ASSERT_TRUE(output->Finish({first, second}, sink_).ok());
  output.reset();
  EXPECT_EQ(*ReadFile(fs_, "/home/solved.txt"), "a\nb\n");
  EXPECT_EQ(Entries("/home"), 1u);
}

TEST_F(JobOutputTest, AnOldFileStaysWhenTheJobFails) {
  ASSERT_TRUE(WriteFileAtomically(fs_, "/home/solved.txt", "old").ok());
  auto output = *Prepare(OutputShape::kFile, "solved.txt");
  Publish(*output, "part-00000", "a\n");
  output.reset();
  EXPECT_EQ(*ReadFile(fs_, "/home/solved.txt"), "old");
  EXPECT_EQ(Entries("/home"), 1u);
}

TEST_F(JobOutputTest, APartOfTheWrongSizeIsDataLoss) {
  auto output = *Prepare(OutputShape::kFile, "solved.txt");
  OutputFile part = Publish(*output, "part-00000", "a\n");
  part.set_bytes(3);
  EXPECT_TRUE(absl::IsDataLoss(output->Finish({part}, sink_)));
  EXPECT_TRUE(absl::IsNotFound(fs_.Stat("/home/solved.txt").status()));
}

TEST_F(JobOutputTest, RefusesWhatCannotBe) {
  EXPECT_TRUE(absl::IsInvalidArgument(Prepare(OutputShape::kNone, "out").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Prepare(OutputShape::kFile, "/tmp").status()));
  EXPECT_TRUE(absl::IsNotFound(Prepare(OutputShape::kFile, "no/x").status()));
}

TEST_F(JobOutputTest, AJobWithoutFilesHasATokenAllTheSame) {
  auto output = *Prepare(OutputShape::kNone, "");
  EXPECT_EQ(output->spec().directory(), "");
  EXPECT_EQ(output->spec().token().size(), 32u);
  EXPECT_FALSE(output->to_terminal());
  EXPECT_TRUE(output->Finish({}, sink_).ok());
}

}  // namespace
}  // namespace skep
