#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/rpc0_codec.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"
#include "tools/record/recording_transport.h"
#include "tools/record/traffic_file.h"

namespace skep {
namespace {

std::string NewPath(const std::string& name) {
  const char* const dir = std::getenv("TEST_TMPDIR");
  const std::string path = std::string(dir == nullptr ? "/tmp" : dir) + "/" + name;
  std::remove(path.c_str());
  return path;
}

std::string Contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

std::unique_ptr<TrafficWriter> Open(const std::string& path,
                                    TrafficWriter::Options options = {}) {
  auto writer = TrafficWriter::Open(path, kStart, options);
  EXPECT_TRUE(writer.ok()) << writer.status();
  return writer.ok() ? *std::move(writer) : nullptr;
}

TEST(TrafficFileTest, WhatIsAddedIsRead) {
  const std::string path = NewPath("added");
  {
    const auto writer = Open(path);
    for (int i = 0; i < 1000; ++i) {
      writer->Add(kStart + absl::Milliseconds(i), 1 + i % 7,
                  "body " + std::to_string(i));
    }
    EXPECT_EQ(writer->requests(), 1000);
  }
  const auto recording = ReadTraffic(path);
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_TRUE(recording->damage.ok()) << recording->damage;
  EXPECT_EQ(recording->start, kStart);
  ASSERT_EQ(recording->requests.size(), 1000);
  EXPECT_EQ(recording->requests[999].body, "body 999");
  EXPECT_EQ(recording->requests[999].offset, absl::Milliseconds(999));
  EXPECT_EQ(recording->requests[8].connection, 2);
  EXPECT_EQ(recording->span(), absl::Milliseconds(999));
  EXPECT_NE(recording->end.find("stopped"), std::string::npos);
}

TEST(TrafficFileTest, IsItsOwnersAndReplacesNothing) {
  const std::string path = NewPath("mode");
  Open(path);
  struct stat info = {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600);
  EXPECT_EQ(TrafficWriter::Open(path, kStart, {}).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST(TrafficFileTest, EndsAtItsLimitAndSaysSo) {
  const std::string path = NewPath("limit");
  {
    const auto writer = Open(path, {.max_bytes = 10'000});
    for (int i = 0; i < 1000; ++i) writer->Add(kStart, 1, std::string(100, 'x'));
    EXPECT_LT(writer->requests(), 100);
  }
  EXPECT_LE(Contents(path).size(), 10'000u);
  const auto recording = ReadTraffic(path);
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_TRUE(recording->damage.ok()) << recording->damage;
  EXPECT_GT(recording->requests.size(), 50);
  EXPECT_NE(recording->end.find("limit of 10000 bytes"), std::string::npos);
}

TEST(TrafficFileTest, WhatTheDiskDoesNotTakeIsCountedAsDropped) {
  const std::string path = NewPath("dropped");
  {
    const auto writer = Open(path, {.max_waiting = 1000});
    for (int i = 0; i < 100; ++i) writer->Add(kStart, 1, std::string(900, 'x'));
  }
  const auto recording = ReadTraffic(path);
  ASSERT_TRUE(recording.ok());
  EXPECT_GT(recording->dropped, 0);
  EXPECT_EQ(recording->requests.size() + recording->dropped, 100);
}

// Several loops add at once; the file's times ascend all the same.
TEST(TrafficFileTest, TakesFromManyThreads) {
  const std::string path = NewPath("threads");
  {
    const auto writer = Open(path);
    std::vector<std::thread> threads;
    for (uint64_t t = 1; t <= 4; ++t) {
      threads.emplace_back([&writer, t] {
        for (int i = 0; i < 500; ++i) writer->Add(kStart + absl::Seconds(i), t, "x");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  const auto recording = ReadTraffic(path);
  ASSERT_TRUE(recording.ok());
  ASSERT_EQ(recording->requests.size(), 2000);
  for (size_t i = 1; i < 2000; ++i) {
    ASSERT_GE(recording->requests[i].offset, recording->requests[i - 1].offset);
  }
}

TEST(TrafficFileTest, DamageAndCutsAreReportedWithTheirPlace) {
  const std::string path = NewPath("whole");
  {
    const auto writer = Open(path);
    // Bytes that do not compress, over several blocks.
    uint64_t state = 1;
    for (int i = 0; i < 400; ++i) {
      std::string body;
      for (int j = 0; j < 1000; ++j) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        body += static_cast<char>(state >> 56);
      }
      writer->Add(kStart + absl::Milliseconds(i), 1, body);
    }
  }
  const std::string whole = Contents(path);
  ASSERT_GT(whole.size(), 400'000u);
  const std::string damaged = NewPath("damaged");
  const auto read = [&](const std::string& bytes) {
    std::ofstream(damaged, std::ios::binary | std::ios::trunc) << bytes;
    return ReadTraffic(damaged);
  };
  for (const size_t size : {whole.size() - 1, whole.size() / 2, whole.size() - 21}) {
    const auto recording = read(whole.substr(0, size));
    ASSERT_TRUE(recording.ok()) << recording.status();
    EXPECT_EQ(recording->damage.code(), absl::StatusCode::kDataLoss) << size;
    EXPECT_NE(recording->damage.message().find("near byte"), absl::string_view::npos)
        << recording->damage;
    EXPECT_GE(recording->requests.size(), 100) << "what is whole is kept";
  }
  for (const size_t at : {size_t{200'000}, whole.size() - 3}) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    const auto recording = read(bytes);
    ASSERT_TRUE(recording.ok()) << recording.status();
    EXPECT_EQ(recording->damage.code(), absl::StatusCode::kDataLoss) << at;
  }
  EXPECT_EQ(read("not a capture").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(read("").status().message().find("is empty (0 bytes)"),
            absl::string_view::npos);
  EXPECT_EQ(ReadTraffic("/no/such/file").status().code(), absl::StatusCode::kNotFound);
}

// An echo server on the simulated network whose requests are captured.
struct CapturedEcho {
  CapturedEcho(ManualExecutor& executor, TrafficWriter& writer)
      : executor(executor), recording(network.host("s"), writer) {
    services.Add(&echo);
    server = Server::Listen(recording, address, services);
  }
  ~CapturedEcho() {
    if (server.ok()) (*server)->Shutdown(absl::ZeroDuration());
    executor.RunFor(absl::Seconds(5));
  }

  ManualExecutor& executor;
  SimNetwork network{executor, /*seed=*/3};
  RecordingTransport recording;
  EchoService echo;
  ServiceTable services;
  const Address address = Address::Tcp("s", 7000);
  absl::StatusOr<std::unique_ptr<Server>> server;
};

// What is large is served and not captured; what comes behind it is.
TEST(RecordingTransportTest, KeepsNothingOfLargeFrames) {
  const std::string path = NewPath("large");
  SimulatedClock clock;
  ManualExecutor executor(clock);
  auto writer = TrafficWriter::Open(path, clock.Now(), {});
  ASSERT_TRUE(writer.ok());
  {
    CapturedEcho captured(executor, **writer);
    ASSERT_TRUE(captured.server.ok()) << captured.server.status();
    std::vector<std::unique_ptr<RawPeer>> peers;
    // Thirty-two, of which 900 KiB come: more than may wait.
    const std::string slow = EchoRequestFrame(1, std::string(900 << 10, 's'));
    for (int i = 0; i < 33; ++i) {
      captured.network.host("c").Connect(
          captured.address, absl::Seconds(1), [&](auto stream) {
            ASSERT_TRUE(stream.ok());
            peers.push_back(std::make_unique<RawPeer>(*std::move(stream)));
          });
      executor.RunFor(absl::Milliseconds(100));
      ASSERT_EQ(peers.size(), i + 1u);
      if (i > 0) peers[i]->Write(std::string_view(slow).substr(0, slow.size() - 1));
    }
    executor.RunFor(absl::Seconds(5));
    EXPECT_LT(captured.recording.waiting(),
              RecordingTransport::kMostWaiting + (1 << 20));
    EXPECT_GT(captured.recording.waiting(), RecordingTransport::kMostWaiting / 2);
    for (int i = 1; i < 33; ++i) peers[i]->Write(slow.substr(slow.size() - 1));
    executor.RunFor(absl::Seconds(5));
    peers[0]->Write(EchoRequestFrame(1, std::string(3 << 20, 'l')));
    peers[0]->Write(EchoRequestFrame(2, "small"));
    executor.RunFor(absl::Seconds(5));
    EXPECT_EQ(captured.echo.calls, 34);
    EXPECT_EQ(captured.recording.waiting(), 0u);
    peers.clear();
    executor.RunFor(absl::Seconds(1));
  }
  writer->reset();
  const auto capture = ReadTraffic(path);
  ASSERT_TRUE(capture.ok()) << capture.status();
  EXPECT_EQ(capture->requests.size() + capture->dropped, 34u);
  EXPECT_GE(capture->dropped, 10u);
  EXPECT_LT(capture->requests.back().body.size(), 200u) << "the small one";
}

// What channels send to a server, in pieces as small as one byte, arrives as ever and
// is captured whole: requests, not hello.
TEST(RecordingTransportTest, CapturesRequestsAndChangesNothing) {
  const std::string path = NewPath("transport");
  SimulatedClock clock;
  ManualExecutor executor(clock);
  const absl::Time start = clock.Now();
  auto writer = TrafficWriter::Open(path, start, {});
  ASSERT_TRUE(writer.ok());
  int completed = 0;
  {
    CapturedEcho captured(executor, **writer);
    ASSERT_TRUE(captured.server.ok()) << captured.server.status();
    std::vector<std::shared_ptr<Channel>> channels;
    for (int i = 0; i < 3; ++i) {
      channels.push_back(
          Connect(captured.network.host("c"), captured.address, {.seed = 5}));
    }
    for (int i = 0; i < 30; ++i) {
      executor.RunFor(absl::Milliseconds(100));
      echo::EchoRequest request;
      request.set_payload("payload " + std::to_string(i));
      Call<echo::EchoResponse>(
          *channels[i % 3], Method<echo::EchoService>("Echo"), request,
          {.attachment = std::string(i == 7 ? 300'000 : 0, 'a')},
          [&completed, expected = request.payload()](const auto& reply) {
            ASSERT_TRUE(reply.ok()) << reply.status();
            completed += reply->message.payload() == expected;
          });
    }
    executor.RunFor(absl::Seconds(5));
    for (auto& channel : channels) channel->Close(absl::OkStatus());
    channels.clear();
    executor.RunFor(absl::Seconds(5));
  }
  EXPECT_EQ(completed, 30);
  writer->reset();
  const auto recording = ReadTraffic(path);
  ASSERT_TRUE(recording.ok()) << recording.status();
  ASSERT_EQ(recording->requests.size(), 30);
  for (const RecordedRequest& request : recording->requests) {
    Envelope envelope;
    ASSERT_TRUE(request.body.starts_with("RPC0"));
    ASSERT_TRUE(ParseEnvelope(std::string_view(request.body).substr(4), &envelope));
    EXPECT_EQ(envelope.service, "echo.EchoService");
    EXPECT_EQ(envelope.method, "Echo");
    EXPECT_LE(request.connection, 3);
  }
  EXPECT_GE(recording->span(), absl::Milliseconds(2800));
  EXPECT_GE(recording->requests[7].body.size(), 300'000u);
}

}  // namespace
}  // namespace skep
