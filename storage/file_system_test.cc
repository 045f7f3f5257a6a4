// One conformance suite on the machine's file system and on the fake; then what is only
// theirs, and the wrapper that injects faults.

#include "storage/file_system.h"

#include <unistd.h>

#include <functional>
#include <thread>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/faulty_file_system.h"
#include "storage/memory_file_system.h"
#include "storage/posix_file_system.h"

namespace skep {
namespace {

using IfExists = FileSystem::IfExists;

class FileSystemTest : public testing::TestWithParam<std::string> {
 protected:
  FileSystemTest() {
    if (GetParam() == "memory") {
      memory_ = std::make_unique<MemoryFileSystem>();
      root_ = "/root";
    } else {
      std::string pattern = testing::TempDir() + "/skep_fs_XXXXXX";
      root_ = ::mkdtemp(pattern.data());
    }
    EXPECT_TRUE(fs().MakeDirectory(root_).ok());
  }
  ~FileSystemTest() override { EXPECT_TRUE(fs().RemoveAll(root_).ok()); }

  FileSystem& fs() {
    return memory_ ? static_cast<FileSystem&>(*memory_) : FileSystem::Real();
  }
  std::string Path(std::string_view name) { return JoinPath(root_, name); }
  void Put(std::string_view name, std::string_view bytes,
           IfExists if_exists = IfExists::kTruncate) {
    auto file = fs().OpenToWrite(Path(name), if_exists);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Append(bytes).ok());
    ASSERT_TRUE((*file)->Close().ok());
  }
  std::string Get(std::string_view name) {
    auto bytes = ReadFile(fs(), Path(name));
    return bytes.ok() ? *bytes : bytes.status().ToString();
  }
  std::vector<std::string> Names(std::string_view directory) {
    auto entries = fs().List(Path(directory));
    if (!entries.ok()) return {entries.status().ToString()};
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : *entries) {
      names.push_back(entry.name + (entry.is_directory ? "/" : ""));
    }
    return names;
  }

  std::unique_ptr<MemoryFileSystem> memory_;
  std::string root_;
};

INSTANTIATE_TEST_SUITE_P(All, FileSystemTest, testing::Values("posix", "memory"),
                         [](const auto& info) { return info.param; });

TEST_P(FileSystemTest, ReadsWhatWasWritten) {
  std::string bytes(300'000, 'x');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  auto file = fs().OpenToWrite(Path("a"));
  ASSERT_TRUE(file.ok());
  const std::string_view view = bytes;
  for (size_t at = 0, n = 1; at < view.size(); at += n, n = n * 2 + 1) {
    ASSERT_TRUE((*file)->Append(view.substr(at, n)).ok());
  }
  ASSERT_TRUE((*file)->Sync().ok());
  EXPECT_TRUE(Get("a") == bytes);
  ASSERT_TRUE((*file)->Close().ok());
  ASSERT_TRUE((*file)->Close().ok()) << "Close is idempotent";
  EXPECT_EQ((*file)->Append("more").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ((*file)->Sync().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Get("a") == bytes);
}

TEST_P(FileSystemTest, ReadsAtAnyOffset) {
  Put("a", "0123456789");
  auto file = fs().OpenToRead(Path("a"));
  ASSERT_TRUE(file.ok());
  char out[20];
  EXPECT_EQ((*file)->ReadAt(3, 4, out).value(), 4);
  EXPECT_EQ(std::string(out, 4), "3456");
  EXPECT_EQ((*file)->ReadAt(8, 20, out).value(), 2);
  EXPECT_EQ(std::string(out, 2), "89");
  EXPECT_EQ((*file)->ReadAt(10, 1, out).value(), 0);
  EXPECT_EQ((*file)->ReadAt(1000, 1, out).value(), 0);
  EXPECT_EQ((*file)->ReadAt(0, 0, out).value(), 0);
}

TEST_P(FileSystemTest, TruncatesAppendsOrFails) {
  Put("a", "one");
  Put("a", "two", IfExists::kAppend);
  EXPECT_EQ(Get("a"), "onetwo");
  EXPECT_EQ(fs().OpenToWrite(Path("a"), IfExists::kFail).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Get("a"), "onetwo");
  Put("a", "3");
  EXPECT_EQ(Get("a"), "3");
  Put("b", "new", IfExists::kFail);
  Put("c", "new", IfExists::kAppend);
  EXPECT_EQ(Names(""), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_P(FileSystemTest, SaysWhatIsMissing) {
  const std::string path = Path("no/such");
  const absl::Status statuses[] = {
      fs().OpenToRead(path).status(),   fs().OpenToWrite(path).status(),
      fs().Stat(path).status(),         fs().List(path).status(),
      fs().Rename(path, Path("other")), fs().RemoveFile(path),
  };
  for (const absl::Status& status : statuses) {
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_NE(status.ToString().find(path), std::string::npos) << status;
  }
  EXPECT_TRUE(fs().RemoveAll(path).ok());
}

TEST_P(FileSystemTest, TellsDirectoriesFromFiles) {
  ASSERT_TRUE(fs().MakeDirectory(Path("d/e")).ok());
  ASSERT_TRUE(fs().MakeDirectory(Path("d/e")).ok());
  Put("f", "x");
  EXPECT_TRUE(absl::IsInvalidArgument(fs().OpenToRead(Path("d")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(fs().OpenToWrite(Path("d")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(fs().RemoveFile(Path("d"))));
  EXPECT_TRUE(absl::IsNotFound(fs().List(Path("f")).status()));
  EXPECT_FALSE(fs().MakeDirectory(Path("f")).ok());
  EXPECT_FALSE(fs().MakeDirectory(Path("f/g")).ok());
  EXPECT_TRUE(fs().Stat(Path("d"))->is_directory);
  EXPECT_FALSE(fs().Stat(Path("f"))->is_directory);
  EXPECT_FALSE(fs().Stat(Path("f"))->is_special);
  EXPECT_EQ(fs().Stat(Path("f"))->size, 1);
}

TEST_P(FileSystemTest, ListsInByteOrder) {
  for (const char* name : {"b", "B", "a.txt", "\xc3\xa4", "a", ".hidden"})
    Put(name, "");
  ASSERT_TRUE(fs().MakeDirectory(Path("a-dir/below")).ok());
  EXPECT_EQ(Names(""), (std::vector<std::string>{".hidden", "B", "a", "a-dir/", "a.txt",
                                                 "b", "\xc3\xa4"}));
  EXPECT_EQ(Names("a-dir"), (std::vector<std::string>{"below/"}));
  EXPECT_EQ(Names("a-dir/below"), (std::vector<std::string>{}));
}

TEST_P(FileSystemTest, RenameReplacesAFile) {
  Put("a", "new");
  Put("b", "old");
  auto open = fs().OpenToRead(Path("b"));
  ASSERT_TRUE(fs().Rename(Path("a"), Path("b")).ok());
  EXPECT_EQ(Get("b"), "new");
  EXPECT_EQ(Names(""), (std::vector<std::string>{"b"}));
  char out[3];
  ASSERT_EQ((*open)->ReadAt(0, 3, out).value(), 3);
  EXPECT_EQ(std::string(out, 3), "old") << "an open file outlives its name";
  ASSERT_TRUE(fs().Rename(Path("b"), Path("b")).ok());
  EXPECT_EQ(Get("b"), "new");
}

TEST_P(FileSystemTest, RenamesDirectories) {
  ASSERT_TRUE(fs().MakeDirectory(Path("d/e")).ok());
  Put("d/e/f", "x");
  Put("d-not-below", "y");
  ASSERT_TRUE(fs().MakeDirectory(Path("empty")).ok());
  ASSERT_TRUE(fs().Rename(Path("d"), Path("empty")).ok());
  EXPECT_EQ(Get("empty/e/f"), "x");
  EXPECT_EQ(Names(""), (std::vector<std::string>{"d-not-below", "empty/"}));
  ASSERT_TRUE(fs().MakeDirectory(Path("g")).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(fs().Rename(Path("g"), Path("empty"))));
  EXPECT_FALSE(fs().Rename(Path("d-not-below"), Path("g")).ok());
  EXPECT_FALSE(fs().Rename(Path("g"), Path("d-not-below")).ok());
  EXPECT_FALSE(fs().Rename(Path("g"), Path("g/h")).ok());
}

TEST_P(FileSystemTest, Removes) {
  ASSERT_TRUE(fs().MakeDirectory(Path("d/e")).ok());
  Put("d/e/f", "x");
  Put("d/g", "x");
  Put("h", "x");
  ASSERT_TRUE(fs().RemoveFile(Path("d/g")).ok());
  EXPECT_EQ(Names("d"), (std::vector<std::string>{"e/"}));
  ASSERT_TRUE(fs().RemoveAll(Path("d")).ok());
  EXPECT_EQ(Names(""), (std::vector<std::string>{"h"}));
  ASSERT_TRUE(fs().RemoveAll(Path("h")).ok());
  EXPECT_EQ(Names(""), (std::vector<std::string>{}));
}

TEST_P(FileSystemTest, TwoMayRemoveTheSame) {
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(fs().MakeDirectory(Path(StrCat("d/", i))).ok());
      Put(StrCat("d/", i, "/x"), "x");
    }
    absl::Status other;
    std::thread thread([&] { other = fs().RemoveAll(Path("d")); });
    const absl::Status ours = fs().RemoveAll(Path("d"));
    thread.join();
    EXPECT_TRUE(ours.ok()) << ours;
    EXPECT_TRUE(other.ok()) << other;
  }
}

TEST_P(FileSystemTest, ModifiedAdvances) {
  Put("a", "x");
  const absl::Time before = fs().Stat(Path("a"))->modified;
  Put("a", "xx", IfExists::kAppend);
  EXPECT_GE(fs().Stat(Path("a"))->modified, before);
  EXPECT_EQ(fs().Stat(Path("a"))->size, 3);
}

TEST_P(FileSystemTest, ReadFileIsBounded) {
  Put("a", std::string(1000, 'x'));
  EXPECT_EQ(ReadFile(fs(), Path("a"), 1000)->size(), 1000);
  const absl::Status status = ReadFile(fs(), Path("a"), 999).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

TEST_P(FileSystemTest, WritesAtomically) {
  ASSERT_TRUE(WriteFileAtomically(fs(), Path("a"), "one").ok());
  ASSERT_TRUE(WriteFileAtomically(fs(), Path("a"), "two").ok());
  EXPECT_EQ(Get("a"), "two");
  EXPECT_EQ(Names(""), (std::vector<std::string>{"a"}));
}

TEST_P(FileSystemTest, AFailedAtomicWriteLeavesTheOldFileAndNoLitter) {
  FaultyFileSystem faulty(fs());
  ASSERT_TRUE(WriteFileAtomically(faulty, Path("a"), "old").ok());
  const std::function<void()> faults[] = {
      [&] { faulty.SetFreeBytes(2); },
      [&] { faulty.Fail(FaultyFileSystem::kSync, "a", DataLoss("injected")); },
      [&] { faulty.Fail(FaultyFileSystem::kClose, "a", DataLoss("injected")); },
      [&] { faulty.Fail(FaultyFileSystem::kRename, "a", DataLoss("injected")); },
      [&] { faulty.Fail(FaultyFileSystem::kOpenToWrite, "a", DataLoss("injected")); },
  };
  for (const auto& fault : faults) {
    fault();
    const absl::Status status = WriteFileAtomically(faulty, Path("a"), "new");
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.ToString().find(Path("a")), std::string::npos) << status;
    faulty.Heal();
    EXPECT_EQ(Get("a"), "old");
    EXPECT_EQ(Names(""), (std::vector<std::string>{"a"}));
  }
}

TEST_P(FileSystemTest, IsThreadSafe) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string mine = Path(StrCat("t", t));
        EXPECT_TRUE(WriteFileAtomically(fs(), mine, StrCat(i)).ok());
        EXPECT_TRUE(WriteFileAtomically(fs(), Path("shared"), StrCat(t)).ok());
        EXPECT_EQ(*ReadFile(fs(), mine), StrCat(i));
        EXPECT_EQ(ReadFile(fs(), Path("shared"))->size(), 1);
        EXPECT_TRUE(fs().List(root_).ok());
      }
    });
  }
}

TEST(JoinPath, Joins) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("/", "b"), "/b");
  EXPECT_EQ(JoinPath("a", "/b"), "/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(JoinPath("a", ""), "a");
}

TEST(PosixFileSystem, SeesLinksAndSpecialFiles) {
  FileSystem& fs = FileSystem::Real();
  std::string pattern = testing::TempDir() + "/skep_links_XXXXXX";
  const std::string root = ::mkdtemp(pattern.data());
  ASSERT_TRUE(fs.MakeDirectory(root + "/d").ok());
  ASSERT_TRUE(WriteFileAtomically(fs, root + "/f", "content").ok());
  ASSERT_EQ(::symlink("f", (root + "/to-f").c_str()), 0);
  ASSERT_EQ(::symlink("d", (root + "/to-d").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", (root + "/to-nowhere").c_str()), 0);
  const auto entries = fs.List(root);
  ASSERT_TRUE(entries.ok());
  std::string seen;
  for (const DirectoryEntry& entry : *entries) {
    StrAppend(&seen, entry.name, entry.is_directory ? "/" : "",
              entry.is_link ? "@ " : " ");
  }
  EXPECT_EQ(seen, "d/ f to-d/@ to-f@ to-nowhere@ ");
  EXPECT_EQ(fs.Stat(root + "/to-f")->size, 7);
  EXPECT_TRUE(absl::IsNotFound(fs.Stat(root + "/to-nowhere").status()));
  EXPECT_TRUE(fs.Stat("/dev/null")->is_special);
  EXPECT_TRUE(fs.RemoveAll(root).ok());
}

TEST(PosixFileSystem, ReportsAFullDisk) {
  // The kernel's own full disk.
  auto file = FileSystem::Real().OpenToWrite("/dev/full");
  if (!file.ok()) GTEST_SKIP() << "no /dev/full here";
  EXPECT_TRUE((*file)->Append("held back").ok());
  const absl::Status status = (*file)->Close();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(status.ToString().find("/dev/full"), std::string::npos) << status;
  EXPECT_EQ((*file)->Close(), status) << "and goes on to report it";
  auto large = FileSystem::Real().OpenToWrite("/dev/full");
  EXPECT_TRUE(absl::IsResourceExhausted((*large)->Append(std::string(100'000, 'x'))));
}

TEST(MemoryFileSystem, NeedsNoNormalPaths) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectory("a//b/").ok());
  ASSERT_TRUE(WriteFileAtomically(fs, "./a/b//c", "x").ok());
  EXPECT_EQ(*ReadFile(fs, "/a/b/c"), "x");
  EXPECT_FALSE(fs.RemoveAll("/").ok());
}

TEST(FaultyFileSystem, DiskFillsUp) {
  MemoryFileSystem memory;
  FaultyFileSystem fs(memory);
  fs.SetFreeBytes(10);
  auto file = fs.OpenToWrite("/a");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->Append("12345678").ok());
  const absl::Status status = (*file)->Append("12345678");
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(status.ToString().find("/a"), std::string::npos);
  EXPECT_EQ(*ReadFile(fs, "/a"), "1234567812") << "what fits is written";
  fs.Heal();
  EXPECT_TRUE((*file)->Append("!").ok());
}

TEST(FaultyFileSystem, ReadsFail) {
  MemoryFileSystem memory;
  FaultyFileSystem fs(memory);
  ASSERT_TRUE(WriteFileAtomically(fs, "/a", "0123456789").ok());
  ASSERT_TRUE(WriteFileAtomically(fs, "/b", "0123456789").ok());
  auto file = fs.OpenToRead("/a");
  ASSERT_TRUE(file.ok());
  fs.EndReadsAt("a", 5);
  EXPECT_EQ(*ReadFile(fs, "/a"), "01234");
  EXPECT_EQ(*ReadFile(fs, "/b"), "0123456789");
  char out[4];
  EXPECT_EQ((*file)->ReadAt(6, 4, out).value(), 0);
  fs.Heal();
  fs.DamageByteAt("a", 2);
  EXPECT_EQ(*ReadFile(fs, "/a"),
            std::string("01") + static_cast<char>(~'2') + "3456789");
  EXPECT_EQ((*file)->ReadAt(3, 4, out).value(), 4);
  EXPECT_EQ(std::string(out, 4), "3456");
  fs.Heal();
  fs.Fail(FaultyFileSystem::kRead, "a", DataLoss("injected"), /*skip=*/1, /*times=*/1);
  EXPECT_TRUE((*file)->ReadAt(0, 1, out).ok());
  EXPECT_FALSE((*file)->ReadAt(0, 1, out).ok());
  EXPECT_TRUE((*file)->ReadAt(0, 1, out).ok());
}

}  // namespace
}  // namespace skep
