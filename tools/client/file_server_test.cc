#include "tools/client/file_server.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/controller.h"
#include "storage/faulty_file_system.h"
#include "storage/memory_file_system.h"

namespace skep {
namespace {

class FileServerTest : public testing::Test {
 protected:
  FileServerTest() {
    EXPECT_TRUE(fs_.MakeDirectory("/in").ok());
    EXPECT_TRUE(WriteFileAtomically(fs_, "/in/a.txt", "hello, world").ok());
    EXPECT_TRUE(WriteFileAtomically(fs_, "/in/secret.txt", "no").ok());
    JobSpec spec;
    spec.add_splits()->mutable_file()->set_path("/in/a.txt");
    spec.mutable_output()->set_directory("/out");
    spec.mutable_output()->set_token("token");
    server_ = std::make_unique<FileServer>(fs_, spec);
  }

  absl::StatusOr<std::string> Read(const std::string& path, uint64_t offset,
                                   uint64_t size, const std::string& token = "token") {
    FileReadRequest request;
    request.set_token(token);
    request.set_path(path);
    request.set_offset(offset);
    request.set_size(size);
    Controller controller;
    FileReadReply reply;
    bool done = false;
    server_->Read(&controller, &request, &reply,
                  google::protobuf::NewCallback(&SetTrue, &done));
    EXPECT_TRUE(done);
    if (!controller.status().ok()) return controller.status();
    return controller.response_attachment();
  }
  absl::Status Write(const std::string& name, uint64_t offset, std::string bytes,
                     const std::string& token = "token") {
    FileWriteRequest request;
    request.set_token(token);
    request.set_name(name);
    request.set_offset(offset);
    Controller controller;
    controller.mutable_request_attachment() = std::move(bytes);
    Empty reply;
    bool done = false;
    server_->Write(&controller, &request, &reply,
                   google::protobuf::NewCallback(&SetTrue, &done));
    EXPECT_TRUE(done);
    return controller.status();
  }
  absl::Status Rename(const std::string& from, const std::string& to) {
    FileRenameRequest request;
    request.set_token("token");
    request.set_from(from);
    request.set_to(to);
    Controller controller;
    Empty reply;
    bool done = false;
    server_->Rename(&controller, &request, &reply,
                    google::protobuf::NewCallback(&SetTrue, &done));
    return controller.status();
  }
  static void SetTrue(bool* flag) { *flag = true; }

  MemoryFileSystem fs_;
  std::unique_ptr<FileServer> server_;
};

TEST_F(FileServerTest, ReadsRangesOfInputs) {
  EXPECT_EQ(*Read("/in/a.txt", 7, 5), "world");
  EXPECT_EQ(*Read("/in/a.txt", 7, 500), "world");
  EXPECT_EQ(*Read("/in/a.txt", 50, 5), "");
  EXPECT_EQ(server_->bytes_read(), 10u);
}

TEST_F(FileServerTest, ReadsNothingElse) {
  EXPECT_TRUE(absl::IsPermissionDenied(Read("/in/secret.txt", 0, 5).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(Read("/in/../in/a.txt", 0, 5).status()));
}

TEST_F(FileServerTest, WantsTheToken) {
  for (const char* wrong : {"", "toke", "token2", "Token"}) {
    EXPECT_TRUE(absl::IsPermissionDenied(Read("/in/a.txt", 0, 5, wrong).status()));
    EXPECT_TRUE(absl::IsPermissionDenied(Write("x", 0, "y", wrong)));
  }
}

TEST_F(FileServerTest, AppendsWhereTheFileEnds) {
  ASSERT_TRUE(Write("_temporary/m-1", 0, "one ").ok());
  ASSERT_TRUE(Write("_temporary/m-1", 4, "two").ok());
  EXPECT_TRUE(Write("_temporary/m-1", 4, "two").ok()) << "sent again";
  EXPECT_TRUE(absl::IsFailedPrecondition(Write("_temporary/m-1", 2, "x")));
  EXPECT_EQ(*ReadFile(fs_, "/out/_temporary/m-1"), "one two");
  ASSERT_TRUE(Write("_temporary/m-1", 0, "new").ok());
  EXPECT_EQ(*ReadFile(fs_, "/out/_temporary/m-1"), "new");
}

TEST_F(FileServerTest, SaysThatTheDiskIsFullInAWayThatIsNotTriedAgain) {
  FaultyFileSystem full(fs_);
  JobSpec spec;
  spec.mutable_output()->set_directory("/out");
  spec.mutable_output()->set_token("token");
  server_ = std::make_unique<FileServer>(full, spec);
  ASSERT_TRUE(Write("part", 0, "one ").ok());
  full.SetFreeBytes(1);
  const absl::Status status = Write("part", 4, "two");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message().find("nothing can be appended"), std::string::npos)
      << status;
}

TEST_F(FileServerTest, RenamesOnceAndAgain) {
  ASSERT_TRUE(Write("_temporary/m-1", 0, "x").ok());
  EXPECT_TRUE(Rename("_temporary/m-1", "part-00000").ok());
  EXPECT_TRUE(Rename("_temporary/m-1", "part-00000").ok()) << "asked again";
  EXPECT_EQ(*ReadFile(fs_, "/out/part-00000"), "x");
  EXPECT_FALSE(Rename("_temporary/m-2", "part-00001").ok());
}

TEST_F(FileServerTest, WritesOnlyBelowTheOutputDirectory) {
  for (const char* wrong :
       {"", "/etc/passwd", "../in/a.txt", "a/../../x", "a//b", "./a", "a/"}) {
    EXPECT_TRUE(absl::IsPermissionDenied(Write(wrong, 0, "x"))) << wrong;
    EXPECT_TRUE(absl::IsPermissionDenied(Rename("a", wrong))) << wrong;
  }
}

}  // namespace
}  // namespace skep
