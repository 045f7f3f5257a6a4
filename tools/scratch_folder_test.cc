#include "tools/scratch_folder.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "storage/file_system.h"

namespace skep {
namespace {

TEST(ScratchFolderTest, DeletesWhatDeadProcessesLeftAndNothingElse) {
  FileSystem& fs = FileSystem::Real();
  const std::string parent = testing::TempDir() + "/scratch_folder_test";
  ASSERT_TRUE(fs.RemoveAll(parent).ok());
  auto alive = ScratchFolder::Make(parent);
  ASSERT_TRUE(alive.ok()) << alive.status();
  // As a killed process leaves it: the lock file is there, nobody holds it.
  const std::string dead = parent + "/skep-scratch-dead";
  ASSERT_TRUE(fs.MakeDirectory(dead + "/job-1").ok());
  ASSERT_TRUE(WriteFileAtomically(fs, dead + "/lock", "").ok());
  const std::string other = parent + "/other";
  ASSERT_TRUE(fs.MakeDirectory(other).ok());
  ASSERT_TRUE(WriteFileAtomically(fs, other + "/lock", "").ok());

  std::string path;
  {
    auto folder = ScratchFolder::Make(parent);
    ASSERT_TRUE(folder.ok()) << folder.status();
    path = folder->path();
    EXPECT_TRUE(fs.Stat(path).ok());
  }
  EXPECT_FALSE(fs.Stat(path).ok());
  EXPECT_FALSE(fs.Stat(dead).ok());
  EXPECT_TRUE(fs.Stat(other).ok());
  EXPECT_TRUE(fs.Stat(alive->path()).ok());
}

}  // namespace
}  // namespace skep
