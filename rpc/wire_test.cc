// Integration: every case that was recorded of a real server, played to ours over a
// socket, byte for byte.

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "base/mutex.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/tcp_transport.h"

namespace skep {
namespace {

class EchoImpl final : public echo::EchoService {
 public:
  void Echo(google::protobuf::RpcController*, const echo::EchoRequest* request,
            echo::EchoResponse* response, google::protobuf::Closure* done) override {
    response->set_payload(request->payload());
    done->Run();
  }
};

struct Case {
  std::string name;
  std::string sent;
  bool eof = false;
  std::string received;
};

std::vector<Case> Cases() {
  std::ifstream file("rpc/testdata/rpc0.tsv");
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> columns = absl::StrSplit(line, '\t');
    cases.push_back({columns.at(0), absl::HexStringToBytes(columns.at(1)),
                     columns.at(2) == "EOF", absl::HexStringToBytes(columns.at(3))});
  }
  return cases;
}

// Sends bytes and keeps what comes back. Its stream's events are on a loop.
class Probe final : public StreamHandler {
 public:
  size_t OnData(std::string_view bytes) override {
    MutexLock lock(mutex_);
    received_ += bytes;
    changed_.SignalAll();
    return bytes.size();
  }
  void OnPeerClosed() override {
    MutexLock lock(mutex_);
    eof_ = true;
    changed_.SignalAll();
  }
  void OnClosed(const absl::Status&) override {}

  // Waits until the peer has said `bytes` or ended.
  std::string Await(size_t bytes) {
    MutexLock lock(mutex_);
    while (received_.size() < bytes && !eof_) {
      if (!changed_.WaitFor(mutex_, absl::Seconds(10))) break;
    }
    return received_;
  }
  bool AwaitEof(absl::Duration timeout) {
    MutexLock lock(mutex_);
    while (!eof_) {
      if (!changed_.WaitFor(mutex_, timeout)) break;
    }
    return eof_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::string received_ ABSL_GUARDED_BY(mutex_);
  bool eof_ ABSL_GUARDED_BY(mutex_) = false;
};

class WireTest : public ::testing::Test {
 protected:
  WireTest() { services_.Add(&echo_); }

  void SetUp() override {
    auto server = Server::Listen(transport_, Address::Tcp("127.0.0.1", 0), services_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // Runs `use` on the stream's loop once it is connected, and waits for it.
  void WithStream(Probe& probe, absl::AnyInvocable<void(Stream&)> use) {
    Mutex mutex;
    CondVar done;
    bool ran = false;
    transport_.Connect(server_->address(), absl::Seconds(5),
                       [&](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                         ASSERT_TRUE(stream.ok()) << stream.status();
                         stream_ = *std::move(stream);
                         stream_->Start(&probe);
                         use(*stream_);
                         MutexLock lock(mutex);
                         ran = true;
                         done.Signal();
                       });
    MutexLock lock(mutex);
    while (!ran) done.Wait(mutex);
  }
  void DropStream() {
    Mutex mutex;
    CondVar done;
    bool ran = false;
    Executor& executor = stream_->executor();
    executor.Post([&] {
      stream_ = nullptr;
      MutexLock lock(mutex);
      ran = true;
      done.Signal();
    });
    MutexLock lock(mutex);
    while (!ran) done.Wait(mutex);
  }

  EchoImpl echo_;
  ServiceTable services_;
  TcpTransport transport_{1};
  std::unique_ptr<Server> server_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(WireTest, AnswersAsTheRecordedServerDid) {
  const std::vector<Case> cases = Cases();
  ASSERT_GE(cases.size(), 20u);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Probe probe;
    WithStream(probe, [&](Stream& stream) { stream.Write(c.sent); });
    const std::string received = probe.Await(c.received.size());
    EXPECT_EQ(absl::BytesToHexString(received), absl::BytesToHexString(c.received));
    if (c.eof) {
      EXPECT_TRUE(probe.AwaitEof(absl::Seconds(10)));
    } else {
      EXPECT_FALSE(probe.AwaitEof(absl::Milliseconds(20)));
    }
    DropStream();
  }
}

TEST_F(WireTest, AnswersAClientThatHalfClosesAfterItsRequest) {
  const Case good = Cases().at(0);
  Probe probe;
  WithStream(probe, [&](Stream& stream) {
    stream.Write(good.sent);
    stream.CloseWhenDrained();
  });
  EXPECT_EQ(probe.Await(good.received.size()), good.received);
  EXPECT_TRUE(probe.AwaitEof(absl::Seconds(10)));
  DropStream();
}

}  // namespace
}  // namespace skep
