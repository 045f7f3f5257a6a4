// The submitter's files over loopback, from a FileService that fails now and then.

#include <algorithm>
#include <atomic>
#include <map>
#include <string>

#include "base/mutex.h"
#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "jobs/api/fleet.pb.h"
#include "rpc/server.h"
#include "rpc/tcp_transport.h"
#include "storage/memory_file_system.h"
#include "worker/submitter_files.h"

namespace skep {
namespace {

// Serves a MemoryFileSystem: reads any path, writes below /out, as fleet.proto says.
class FakeFileService final : public FileService {
 public:
  explicit FakeFileService(FileSystem& fs) : fs_(fs) {}

  void Read(google::protobuf::RpcController* controller, const FileReadRequest* request,
            FileReadReply* response, google::protobuf::Closure* done) override {
    Controller& c = Controller::Of(controller);
    c.SetStatus([&]() -> absl::Status {
      SKEP_RETURN_IF_ERROR(Check(request->token()));
      SKEP_ASSIGN_OR_RETURN(auto file, fs_.OpenToRead(request->path()));
      SKEP_ASSIGN_OR_RETURN(const FileInfo info, fs_.Stat(request->path()));
      response->set_file_size(info.size);
      std::string& bytes = c.mutable_response_attachment();
      bytes.resize(request->size());
      SKEP_ASSIGN_OR_RETURN(
          const size_t n, file->ReadAt(request->offset(), bytes.size(), bytes.data()));
      bytes.resize(n);
      return absl::OkStatus();
    }());
    done->Run();
  }

  // Every third write arrives, but its caller hears that it did not.
  void Write(google::protobuf::RpcController* controller,
             const FileWriteRequest* request, Empty*,
             google::protobuf::Closure* done) override {
    Controller& c = Controller::Of(controller);
    c.SetStatus([&]() -> absl::Status {
      SKEP_RETURN_IF_ERROR(Check(request->token()));
      MutexLock lock(mutex_);
      std::string& file = written_[request->name()];
      const std::string& bytes = c.request_attachment();
      if (request->offset() == 0) file.clear();
      if (request->offset() + bytes.size() == file.size()) return absl::OkStatus();
      if (request->offset() != file.size()) {
        return FailedPrecondition("offset ", request->offset(), " of ", file.size());
      }
      file += bytes;
      if (++writes_ % 3 == 0) return Unavailable("the reply was lost");
      return absl::OkStatus();
    }());
    done->Run();
  }

  void Rename(google::protobuf::RpcController* controller,
              const FileRenameRequest* request, Empty*,
              google::protobuf::Closure* done) override {
    Controller::Of(controller).SetStatus([&]() -> absl::Status {
      SKEP_RETURN_IF_ERROR(Check(request->token()));
      MutexLock lock(mutex_);
      auto node = written_.extract(request->from());
      if (node.empty()) {
        return written_.contains(request->to()) ? absl::OkStatus()
                                                : NotFound(request->from());
      }
      written_[request->to()] = std::move(node.mapped());
      return absl::OkStatus();
    }());
    done->Run();
  }

  void Remove(google::protobuf::RpcController* controller,
              const FileRemoveRequest* request, Empty*,
              google::protobuf::Closure* done) override {
    {
      MutexLock lock(mutex_);
      written_.erase(request->name());
    }
    Controller::Of(controller).SetStatus(Check(request->token()));
    done->Run();
  }

  // The next call does.
  void FailOnce() { fail_next_ = true; }
  void FailAlways() { fail_always_ = true; }
  std::map<std::string, std::string> written() {
    MutexLock lock(mutex_);
    return written_;
  }

 private:
  absl::Status Check(const std::string& token) {
    if (token != "token") return PermissionDenied("wrong token");
    return fail_next_.exchange(false) || fail_always_ ? Unavailable("injected")
                                                      : absl::OkStatus();
  }

  FileSystem& fs_;
  std::atomic<bool> fail_next_ = false;
  std::atomic<bool> fail_always_ = false;
  Mutex mutex_;
  std::map<std::string, std::string> written_ ABSL_GUARDED_BY(mutex_);
  int writes_ ABSL_GUARDED_BY(mutex_) = 0;
};

class SubmitterFilesTest : public testing::Test {
 protected:
  SubmitterFilesTest() {
    services_.Add(&service_);
    auto server = Server::Listen(transport_, Address::Tcp("127.0.0.1", 0), services_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    job_.set_submitter_address(server_->address().ToString());
    job_.set_submitter_host("laptop");
    job_.mutable_output()->set_token("token");
    Random random(5);
    while (text_.size() < 3'500'000) {
      for (uint64_t word = random(); word != 0; word >>= 8) {
        text_.push_back(static_cast<char>(word));
      }
    }
    EXPECT_TRUE(WriteFileAtomically(fs_, "/text", text_).ok());
    file_.set_path("/text");
  }

  MemoryFileSystem fs_;
  std::string text_;
  InputFile file_;
  JobContext job_;
  FakeFileService service_{fs_};
  ServiceTable services_;
  TcpTransport transport_{1};
  std::unique_ptr<Server> server_;
  PeerChannels peers_{transport_};
  RemoteSubmitterFiles files_{peers_,
                              {.give_up_after = absl::Seconds(30),
                               .min_backoff = absl::Milliseconds(1),
                               .max_backoff = absl::Milliseconds(10)}};
};

TEST_F(SubmitterFilesTest, ReadsWhatIsThereInPiecesOfAnySize) {
  auto file = files_.OpenToRead(job_, file_, {});
  ASSERT_TRUE(file.ok()) << file.status();
  Random random(6);
  std::string got;
  while (got.size() < text_.size()) {
    if (random.Chance(0.1)) service_.FailOnce();
    std::string buffer(1 + random.Below(300'000), '\0');
    const auto n = (*file)->ReadAt(got.size(), buffer.size(), buffer.data());
    ASSERT_TRUE(n.ok()) << n.status();
    EXPECT_EQ(*n, std::min(buffer.size(), text_.size() - got.size()));
    got.append(buffer, 0, *n);
  }
  EXPECT_TRUE(got == text_);
  char byte;
  EXPECT_EQ((*file)->ReadAt(text_.size(), 1, &byte).value(), 0);
  // Backwards too.
  EXPECT_EQ((*file)->ReadAt(17, 1, &byte).value(), 1);
  EXPECT_EQ(byte, text_[17]);
}

TEST_F(SubmitterFilesTest, WritesOnceWhatItSendsTwice) {
  const std::unique_ptr<OutputStore> store = files_.Output(job_, {});
  auto file = store->Create("_temporary/part");
  ASSERT_TRUE(file.ok()) << file.status();
  for (size_t i = 0; i < text_.size(); i += 100'000) {
    ASSERT_TRUE((*file)->Append(std::string_view(text_).substr(i, 100'000)).ok());
  }
  ASSERT_TRUE((*file)->Close().ok());
  ASSERT_TRUE(store->Rename("_temporary/part", "part").ok());
  ASSERT_TRUE(store->Rename("_temporary/part", "part").ok());
  EXPECT_EQ(service_.written().size(), 1);
  EXPECT_TRUE(service_.written()["part"] == text_);
  ASSERT_TRUE(store->Remove("part").ok());
  EXPECT_TRUE(service_.written().empty());
}

TEST_F(SubmitterFilesTest, AnEmptyFileIsAFile) {
  auto file = files_.Output(job_, {})->Create("empty");
  ASSERT_TRUE((*file)->Close().ok());
  ASSERT_TRUE((*file)->Close().ok());
  EXPECT_EQ(service_.written(), (std::map<std::string, std::string>{{"empty", ""}}));
}

// As Unavailable it would not count, and the task would be tried for half an hour.
TEST_F(SubmitterFilesTest, ASubmitterThatIsGoneCountsAgainstTheTask) {
  service_.FailAlways();
  RemoteSubmitterFiles files{peers_, {.give_up_after = absl::Milliseconds(100)}};
  auto file = files.OpenToRead(job_, file_, {});
  char byte;
  const absl::Status status = (*file)->ReadAt(0, 1, &byte).status();
  EXPECT_TRUE(absl::IsUnknown(status)) << status;
  EXPECT_NE(Message(status).find("has the submitter ended"), std::string::npos)
      << status;
}

TEST_F(SubmitterFilesTest, ErrorsNameFileAndHost) {
  job_.mutable_output()->set_token("another");
  auto file = files_.OpenToRead(job_, file_, {});
  char byte;
  absl::Status status = (*file)->ReadAt(0, 1, &byte).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_NE(Message(status).find("/text of the submitter laptop"), std::string::npos)
      << status;
}

}  // namespace
}  // namespace skep
