#include "storage/input_list.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/faulty_file_system.h"
#include "storage/input_file.h"
#include "storage/memory_file_system.h"

namespace skep {
namespace {

using Names = std::vector<std::string>;

class InputListTest : public testing::Test {
 protected:
  void Put(const std::string& path, std::string_view bytes = "x") {
    ASSERT_TRUE(memory_.MakeDirectory(path.substr(0, path.find_last_of('/'))).ok());
    ASSERT_TRUE(WriteFileAtomically(memory_, path, bytes).ok());
  }
  Names List(const Names& arguments) {
    const auto files = ListInputs(fs_, "/w", arguments);
    if (!files.ok()) return {files.status().ToString()};
    Names names;
    for (const InputFile& file : *files) names.push_back(file.name());
    return names;
  }
  absl::Status Error(const Names& arguments) {
    return ListInputs(fs_, "/w", arguments).status();
  }

  MemoryFileSystem memory_;
  FaultyFileSystem fs_{memory_};
};

TEST_F(InputListTest, KeepsTheOrderOfArguments) {
  for (const char* path : {"/w/b", "/w/a", "/w/d/z", "/w/d/e/y", "/w/d/f", "/v/g"})
    Put(path);
  EXPECT_EQ(List({"b", "a", "b"}), (Names{"b", "a", "b"}));
  EXPECT_EQ(List({"d"}), (Names{"d/e/y", "d/f", "d/z"}));
  EXPECT_EQ(List({"d/", "./a", "/v"}), (Names{"d/e/y", "d/f", "d/z", "./a", "/v/g"}));
}

TEST_F(InputListTest, SkipsHiddenNamesInDirectories) {
  for (const char* path : {"/w/d/.hidden", "/w/d/.git/x", "/w/d/seen", "/w/.direct"}) {
    Put(path);
  }
  EXPECT_EQ(List({"d"}), (Names{"d/seen"}));
  EXPECT_EQ(List({".direct"}), (Names{".direct"})) << "but not when named";
  EXPECT_EQ(List({"d/.git"}), (Names{"d/.git/x"}));
}

TEST_F(InputListTest, ExpandsGlobs) {
  for (const char* path :
       {"/w/a.txt", "/w/b.txt", "/w/c.log", "/w/d/a.txt", "/w/[x]"}) {
    Put(path);
  }
  EXPECT_EQ(List({"*.txt"}), (Names{"a.txt", "b.txt"}));
  EXPECT_EQ(List({"[d]"}), (Names{"d/a.txt"}));
  EXPECT_EQ(List({"/w/?.log", "*/a.txt"}), (Names{"/w/c.log", "d/a.txt"}));
  EXPECT_EQ(List({"[x]"}), (Names{"[x]"})) << "a file of just that name";
}

TEST_F(InputListTest, DescribesFiles) {
  Put("/w/a", "some text");
  const auto files = ListInputs(fs_, "/w", {".//a"});
  ASSERT_TRUE(files.ok());
  const InputFile& file = (*files)[0];
  EXPECT_EQ(file.path(), "/w/a");
  EXPECT_EQ(file.name(), ".//a");
  EXPECT_EQ(file.size(), 9);
  EXPECT_GT(file.modified_ns(), 0);
  EXPECT_EQ(file.compression(), COMPRESSION_NONE);
  Put("/w/z", std::string("\x1f\x8b\x08\0 and so on", 14));
  EXPECT_EQ((*ListInputs(fs_, "/w", {"z"}))[0].compression(), COMPRESSION_GZIP);
}

TEST_F(InputListTest, NamesNeedNotBeUtf8) {
  Put("/w/\xff\xfe");
  const InputFile file = (*ListInputs(fs_, "/w", {"*"}))[0];
  InputFile parsed;
  ASSERT_TRUE(parsed.ParseFromString(file.SerializeAsString()));
  EXPECT_EQ(parsed.path(), "/w/\xff\xfe");
  EXPECT_EQ(parsed.name(), "\xff\xfe");
}

TEST_F(InputListTest, SaysWhatIsWrong) {
  Put("/w/a");
  Put("/w/secret/file");
  ASSERT_TRUE(memory_.MakeDirectory("/w/empty/below").ok());
  const auto expect = [&](const char* argument, absl::StatusCode code,
                          std::string_view words) {
    const absl::Status status = Error({"a", argument});
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_TRUE(Message(status).starts_with(argument)) << status;
    EXPECT_NE(Message(status).find(words), std::string_view::npos) << status;
  };
  expect("missing", absl::StatusCode::kNotFound, "no such file");
  expect("a/below", absl::StatusCode::kNotFound, "no such file");
  expect("*.none", absl::StatusCode::kNotFound, "no file matches");
  expect("empty", absl::StatusCode::kNotFound, "no files in it");
  EXPECT_EQ(Error({}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Error({""}).code(), absl::StatusCode::kInvalidArgument);

  fs_.Fail(FaultyFileSystem::kOpenToRead, "secret", PermissionDenied("injected"));
  expect("secret", absl::StatusCode::kPermissionDenied, "secret/file");
  expect("secret/file", absl::StatusCode::kPermissionDenied, "injected");
  fs_.Fail(FaultyFileSystem::kList, "secret", PermissionDenied("cannot list"));
  expect("secret", absl::StatusCode::kPermissionDenied, "cannot list");
}

class RealInputListTest : public testing::Test {
 protected:
  RealInputListTest() {
    std::string pattern = testing::TempDir() + "/skep_inputs_XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    EXPECT_TRUE(fs_.MakeDirectory(root_ + "/d/e").ok());
    EXPECT_TRUE(WriteFileAtomically(fs_, root_ + "/d/f", "x").ok());
  }
  ~RealInputListTest() override { EXPECT_TRUE(fs_.RemoveAll(root_).ok()); }
  void Link(const std::string& target, const std::string& name) {
    ASSERT_EQ(::symlink(target.c_str(), JoinPath(root_, name).c_str()), 0);
  }

  FileSystem& fs_ = FileSystem::Real();
  std::string root_;
};

TEST_F(RealInputListTest, FollowsLinksToFilesAndNoCycles) {
  Link("../f", "d/e/to-file");
  Link("..", "d/e/to-parent");
  Link("to-itself", "d/e/to-itself");
  ASSERT_EQ(::mkfifo((root_ + "/d/pipe").c_str(), 0600), 0);
  const auto files = ListInputs(fs_, root_, {"d"});
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 2);
  EXPECT_EQ((*files)[0].name(), "d/e/to-file");
  EXPECT_EQ((*files)[1].name(), "d/f");
  EXPECT_EQ(ListInputs(fs_, root_, {"d/e/to-parent"})->size(), 2)
      << "a link that is named is followed";
}

TEST_F(RealInputListTest, RefusesPipes) {
  ASSERT_EQ(::mkfifo((root_ + "/pipe").c_str(), 0600), 0);
  const absl::Status pipe = ListInputs(fs_, root_, {"pipe"}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(pipe)) << pipe;
}

TEST_F(RealInputListTest, LeavesOutLinksToNowhereUnlessTheyAreNamed) {
  Link("nowhere", "d/e/to-nowhere");
  std::vector<std::string> warnings;
  const auto files = ListInputs(fs_, root_, {"d"}, &warnings);
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 1);
  ASSERT_EQ(warnings.size(), 1);
  EXPECT_TRUE(warnings[0].starts_with("d/e/to-nowhere: ")) << warnings[0];

  const absl::Status named = ListInputs(fs_, root_, {"d/e/to-nowhere"}).status();
  EXPECT_TRUE(absl::IsNotFound(named)) << named;
  const absl::Status alone = ListInputs(fs_, root_, {"d/e"}).status();
  EXPECT_TRUE(absl::IsNotFound(alone)) << alone;

  for (int i = 0; i < 30; ++i) Link("nowhere", "d/e/" + std::to_string(i));
  warnings.clear();
  ASSERT_TRUE(ListInputs(fs_, root_, {"d"}, &warnings).ok());
  ASSERT_EQ(warnings.size(), kMaxInputWarnings);
  EXPECT_EQ(warnings.back(), "and 12 more of such links");
}

class VerifySameFileTest : public testing::Test {
 protected:
  void Put(std::string_view bytes) {
    ASSERT_TRUE(WriteFileAtomically(fs_, "/f", bytes).ok());
  }
  MemoryFileSystem fs_;
};

TEST_F(VerifySameFileTest, TellsFilesApart) {
  for (const size_t size : {1, 1000, 64 << 10, 100'000, 128 << 10, 1 << 20}) {
    const std::string bytes(size, 'x');
    Put(bytes);
    const InputFile file = DescribeInputFile(fs_, "/f", "f").value();
    EXPECT_TRUE(VerifySameFile(fs_, file).ok());
    for (const size_t at : {size_t{0}, size / 2, size - 1}) {
      std::string other = bytes;
      other[at] = 'y';
      Put(other);
      const bool digested = at < (64 << 10) || at + (64 << 10) >= size;
      EXPECT_EQ(absl::IsFailedPrecondition(VerifySameFile(fs_, file)), digested)
          << size << " " << at;
    }
    Put(bytes + "x");
    EXPECT_TRUE(absl::IsFailedPrecondition(VerifySameFile(fs_, file)));
    Put(bytes);
    EXPECT_TRUE(VerifySameFile(fs_, file).ok()) << "whatever its time";
  }
}

TEST_F(VerifySameFileTest, NotFoundMeansAskTheSubmitter) {
  Put("");
  const InputFile file = DescribeInputFile(fs_, "/f", "f").value();
  EXPECT_TRUE(VerifySameFile(fs_, file).ok());
  ASSERT_TRUE(fs_.RemoveFile("/f").ok());
  EXPECT_TRUE(absl::IsNotFound(VerifySameFile(fs_, file)));
  ASSERT_TRUE(fs_.MakeDirectory("/f").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(VerifySameFile(fs_, file)));
}

}  // namespace
}  // namespace skep
