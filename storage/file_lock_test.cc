#include "storage/file_lock.h"

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "storage/file_system.h"

namespace skep {
namespace {

TEST(FileLockTest, OneHolderAtATime) {
  const std::string path = testing::TempDir() + "/file_lock_test.lock";
  ASSERT_TRUE(FileSystem::Real().RemoveAll(path).ok());
  EXPECT_TRUE(absl::IsNotFound(FileLock::Take(path, /*make=*/false).status()));
  std::optional<FileLock> holder;
  {
    auto taken = FileLock::Take(path);
    ASSERT_TRUE(taken.ok()) << taken.status();
    holder.emplace(*std::move(taken));
  }
  EXPECT_TRUE(absl::IsAlreadyExists(FileLock::Take(path).status()));
  holder.reset();
  EXPECT_TRUE(FileLock::Take(path, /*make=*/false).ok());
}

}  // namespace
}  // namespace skep
