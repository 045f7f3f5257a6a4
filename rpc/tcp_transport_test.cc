// Integration: sockets on the loopback interface, ports chosen by the kernel.

#include "rpc/tcp_transport.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/coding.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/in_flight.h"
#include "rpc/socket.h"
#include "rpc/tcp_test_bed.h"
#include "rpc/transport_conformance.h"

namespace skep {
namespace {

std::unique_ptr<TestBed> MakeTcpBed() { return std::make_unique<TcpBed>(); }
INSTANTIATE_TEST_SUITE_P(Tcp, TransportConformance, testing::Values(&MakeTcpBed));

sockaddr_in LoopbackPort(uint16_t port) {
  sockaddr_in at = {};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  return at;
}

// What only sockets have.
class TcpTransportTest : public testing::Test {
 protected:
  // Connects, sends "hello" to an echo at `at`, and expects it back.
  void ExpectEchoAt(const Address& at) {
    auto listener = bed_.server().Listen(at, [this](auto stream) {
      auto peer = std::make_unique<TestPeer>(bed_, std::move(stream));
      peer->on_data = [](TestPeer& p, std::string_view bytes) {
        p.stream().Write(bytes);
        return bytes.size();
      };
      Keep(std::move(peer));
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    const absl::Status status = Connect((*listener)->address());
    ASSERT_TRUE(status.ok()) << status;
    TestPeer* client;
    {
      MutexLock lock(bed_.mutex());
      client = client_;
    }
    ASSERT_TRUE(client->Run([](Stream& stream) { stream.Write("hello"); }));
    EXPECT_TRUE(bed_.WaitUntil([&] { return client->received == "hello"; }));
    EXPECT_TRUE(client->Run([&](Stream& stream) {
      EXPECT_EQ(stream.peer().substr(0, 5), (*listener)->address().is_unix()
                                                ? "unix:"
                                                : stream.peer().substr(0, 5));
    }));
  }

  absl::Status Connect(const Address& to) {
    bool done = false;
    absl::Status status;
    bed_.client().Connect(to, absl::Seconds(20), [&](auto stream) {
      if (stream.ok()) {
        auto peer = std::make_unique<TestPeer>(bed_, *std::move(stream));
        TestPeer* const raw = peer.get();
        Keep(std::move(peer));
        MutexLock lock(bed_.mutex());
        client_ = raw;
      }
      MutexLock lock(bed_.mutex());
      status = stream.status();
      done = true;
      bed_.changed().SignalAll();
    });
    EXPECT_TRUE(bed_.WaitUntil([&] { return done; }));
    return status;
  }

  // On the peer's executor.
  void Keep(std::unique_ptr<TestPeer> peer) {
    peer->Start();
    MutexLock lock(bed_.mutex());
    peers_.push_back(std::move(peer));
    bed_.changed().SignalAll();
  }

  void TearDown() override {
    for (const auto& peer : peers_) peer->Destroy();
  }

  TcpBed bed_;
  std::vector<std::unique_ptr<TestPeer>> peers_;
  TestPeer* client_ = nullptr;
};

TEST_F(TcpTransportTest, IPv6) {
  const int probe = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 at = {};
  at.sin6_family = AF_INET6;
  at.sin6_addr = in6addr_loopback;
  const bool available =
      probe >= 0 && bind(probe, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
  close(probe);
  if (!available) GTEST_SKIP() << "this machine has no IPv6";
  ExpectEchoAt(Address::Tcp("::1", 0));
}

TEST_F(TcpTransportTest, HostName) { ExpectEchoAt(Address::Tcp("localhost", 0)); }

TEST_F(TcpTransportTest, UnknownHostNameIsAnError) {
  const absl::Status status = Connect(Address::Tcp("no-such-host.invalid", 80));
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.ToString().find("no-such-host.invalid"), std::string::npos)
      << status;
}

TEST_F(TcpTransportTest, UnixSocketReplacesADeadOneOnly) {
  // Not in the test's own directory, whose name may be too long for a socket.
  const Address at = Address::Unix(StrCat("/tmp/skep-test-", getpid(), ".sock"));
  ExpectEchoAt(at);
  EXPECT_NE(access(at.unix_path().c_str(), F_OK), 0);
  auto first = bed_.server().Listen(at, [](auto) {});
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = bed_.server().Listen(at, [](auto) {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition)
      << second.status();
  // Its owner died without a word: the file stays and refuses.
  const std::string kept = at.unix_path() + ".kept";
  ASSERT_EQ(rename(at.unix_path().c_str(), kept.c_str()), 0);
  first->reset();
  ASSERT_EQ(rename(kept.c_str(), at.unix_path().c_str()), 0);
  ExpectEchoAt(at);
}

TEST_F(TcpTransportTest, AUnixAddressNeverReplacesAFile) {
  const Address at = Address::Unix(StrCat("/tmp/skep-test-", getpid(), ".txt"));
  const int fd = open(at.unix_path().c_str(), O_CREAT | O_WRONLY | O_EXCL, 0600);
  ASSERT_GE(fd, 0);
  close(fd);
  EXPECT_EQ(bed_.server().Listen(at, [](auto) {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(unlink(at.unix_path().c_str()), 0) << "the file is gone";
}

TEST_F(TcpTransportTest, TooLongUnixPathIsTheUsersFault) {
  const Address at = Address::Unix("/tmp/" + std::string(200, 'x'));
  EXPECT_EQ(bed_.server().Listen(at, [](auto) {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Connect(at).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TcpTransportTest, PortInUseIsSaid) {
  auto first = bed_.server().Listen(Address::Tcp("127.0.0.1", 0), [](auto) {});
  ASSERT_TRUE(first.ok());
  auto second = bed_.server().Listen((*first)->address(), [](auto) {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  const Address address = (*first)->address();
  first->reset();
  EXPECT_TRUE(bed_.server().Listen(address, [](auto) {}).ok());
}

TEST_F(TcpTransportTest, StreamsOverASocketPair) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  TcpTransport transport(1);
  std::vector<std::unique_ptr<TestPeer>> ends;
  for (const int fd : fds) {
    ends.push_back(std::make_unique<TestPeer>(bed_, transport.StreamOverFd(fd)));
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  }
  for (const auto& end : ends) {
    ASSERT_TRUE(end->Run([&](Stream& stream) {
      end->Start();
      stream.Write("hello");
    }));
  }
  for (const auto& end : ends) {
    EXPECT_TRUE(bed_.WaitUntil([&] { return end->received == "hello"; }));
  }
  // One end goes away at once: the other sees the end.
  ends[0]->Destroy();
  EXPECT_TRUE(bed_.WaitUntil([&] { return ends[1]->closed == 1; }));
  ends[1]->Destroy();
}

// What a slow reader takes is seen in untaken() while unsent() stands still, since the
// kernel makes room by large parts.
TEST_F(TcpTransportTest, ASlowReaderIsSeenToTake) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  TcpTransport transport(1);
  TestPeer writer(bed_, transport.StreamOverFd(fds[0]));
  const Fd reader(fds[1]);
  const auto look = [&writer] {
    std::pair<size_t, size_t> seen;  // unsent, untaken
    EXPECT_TRUE(writer.Run([&seen](Stream& stream) {
      seen = {stream.unsent(), stream.untaken()};
    }));
    return seen;
  };
  ASSERT_TRUE(writer.Run([&writer](Stream& stream) {
    writer.Start();
    stream.Write(std::string(4 << 20, 'x'));
  }));
  // Until the kernel takes no more.
  auto before = look();
  for (auto earlier = before; before.first == (4 << 20) || before != earlier;) {
    absl::SleepFor(absl::Milliseconds(20));
    earlier = std::exchange(before, look());
  }
  ASSERT_GT(before.first, 0u);
  std::string taken(1000, '\0');
  for (int i = 0; i < 70; ++i) {
    ASSERT_GT(recv(reader.get(), taken.data(), taken.size(), 0), 0);
  }
  EXPECT_LT(look().second, before.second);
  writer.Destroy();
}

// A full read, then the peer's end, while the handler has yet to be offered the bytes
// again: it must see them before the end.
TEST_F(TcpTransportTest, WhatIsOfferedAgainComesBeforeThePeersEnd) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  constexpr size_t kRead = 64 << 10;
  ASSERT_EQ(write(fds[0], std::string(kRead, 'x').data(), kRead), ssize_t{kRead});
  ASSERT_EQ(shutdown(fds[0], SHUT_WR), 0);
  std::unique_ptr<Stream> stream = bed_.tcp().StreamOverFd(fds[1]);
  Executor& executor = stream->executor();
  auto peer = std::make_unique<TestPeer>(bed_, std::move(stream));
  TestPeer* const raw = peer.get();
  bool offered = false;
  size_t consumed = 0;
  size_t at_end = 0;
  raw->on_data = [&](TestPeer& p, std::string_view bytes) {
    if (std::exchange(offered, true)) return consumed = bytes.size();
    p.stream().SetReading(false);
    p.stream().SetReading(true);
    return size_t{0};
  };
  raw->on_peer_closed = [&](TestPeer& p) {
    at_end = consumed;
    p.stream().CloseWhenDrained();
  };
  ASSERT_TRUE(bed_.RunOn(executor, [&] { Keep(std::move(peer)); }));
  EXPECT_TRUE(bed_.WaitUntil([&] { return raw->closed == 1; }));
  EXPECT_EQ(at_end, kRead);
  close(fds[0]);
}

TEST_F(TcpTransportTest, ListenRawShowsTheFirstBytesAndLeavesThem) {
  TcpTransport& transport = bed_.tcp();
  std::string first;
  auto listener = transport.ListenRaw(
      Address::Tcp("127.0.0.1", 0), [&](int fd, std::string_view first_bytes) {
        auto peer = std::make_unique<TestPeer>(bed_, transport.StreamOverFd(fd));
        {
          MutexLock lock(bed_.mutex());
          first = first_bytes;
        }
        Keep(std::move(peer));
      });
  ASSERT_TRUE(listener.ok()) << listener.status();
  ASSERT_TRUE(Connect((*listener)->address()).ok());
  TestPeer* const client = client_;
  ASSERT_TRUE(client->Run([](Stream& stream) { stream.Write("PRI * HTTP/2.0"); }));
  EXPECT_TRUE(bed_.WaitUntil(
      [&] { return peers_.size() == 2 && peers_[1]->received == "PRI * HTTP/2.0"; }));
  EXPECT_EQ(first, "PRI * HTTP/2.0");
  EXPECT_TRUE(client->Run([](Stream& stream) { stream.Abort(Aborted("done")); }));
  EXPECT_TRUE(bed_.WaitUntil([&] { return peers_[1]->closed == 1; }));
}

TEST_F(TcpTransportTest, ListenRawDropsTheSilent) {
  auto listener = bed_.tcp().ListenRaw(
      Address::Tcp("127.0.0.1", 0),
      [](int, std::string_view) { FAIL() << "nothing was sent"; },
      absl::Milliseconds(20));
  ASSERT_TRUE(listener.ok()) << listener.status();
  ASSERT_TRUE(Connect((*listener)->address()).ok());
  EXPECT_TRUE(bed_.WaitUntil([&] { return client_->closed == 1; }));
}

// The kernel connects a socket to itself when the port that it picks for our end is the
// one that we call. Chance cannot be tested; this makes it certain by binding first.
TEST(Socket, KnowsAConnectionToItself) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at = {};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&at), length), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&at), &length);
  EXPECT_FALSE(IsConnectedToItself(fd));
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&at), length), 0);
  EXPECT_TRUE(IsConnectedToItself(fd));
  close(fd);
}

TEST_F(TcpTransportTest, OpenStreamsAreToldWhenTheTransportGoes) {
  auto listener =
      bed_.server().Listen(Address::Tcp("127.0.0.1", 0), [this](auto stream) {
        Keep(std::make_unique<TestPeer>(bed_, std::move(stream)));
      });
  ASSERT_TRUE(listener.ok());
  std::unique_ptr<TestPeer> peer;
  {
    TcpTransport transport(2);
    transport.Connect((*listener)->address(), absl::Seconds(20), [&](auto stream) {
      ASSERT_TRUE(stream.ok()) << stream.status();
      auto connected = std::make_unique<TestPeer>(bed_, *std::move(stream));
      connected->Start();
      MutexLock lock(bed_.mutex());
      peer = std::move(connected);
      bed_.changed().SignalAll();
    });
    ASSERT_TRUE(bed_.WaitUntil([&] { return peer != nullptr; }));
  }
  EXPECT_EQ(peer->closed, 1);
  EXPECT_EQ(peer->reason.code(), absl::StatusCode::kCancelled) << peer->reason;
  peer.reset();
  EXPECT_TRUE(
      bed_.WaitUntil([&] { return peers_.size() == 1 && peers_[0]->closed == 1; }));
}

TEST(InFlight, IsTheMostOfTheLastEvents) {
  InFlight in_flight;
  const auto event = [&](int writes) {
    for (int i = 0; i < writes; ++i) in_flight.AddWrite();
    in_flight.EndEvent();
  };
  EXPECT_EQ(in_flight.most(), 0);
  event(5);
  event(64);
  event(0);
  EXPECT_EQ(in_flight.most(), 64);
  for (int i = 0; i < InFlight::kEvents; ++i) event(7);
  EXPECT_EQ(in_flight.most(), 64);
  for (int i = 0; i < InFlight::kEvents; ++i) event(7);
  EXPECT_EQ(in_flight.most(), 7);
}

// What comes at once to a stream that has its loop to itself is answered in parts, so
// that the other end has work meanwhile; in order, and all of it. The kernel counts the
// parts: TCP_NODELAY makes a segment of each.
TEST_F(TcpTransportTest, AnswersSentInPartsStayInOrder) {
  constexpr uint32_t kTogether = 100;
  constexpr uint32_t kRounds = 300;
  auto listener = bed_.server().Listen(Address::Tcp("127.0.0.1", 0), [&](auto stream) {
    auto peer = std::make_unique<TestPeer>(bed_, std::move(stream));
    peer->on_data = [](TestPeer& peer, std::string_view bytes) {
      size_t used = 0;
      for (; bytes.size() - used >= 4; used += 4) {
        peer.stream().Write(bytes.substr(used, 4));
      }
      return used;
    };
    Keep(std::move(peer));
  });
  ASSERT_TRUE(listener.ok());
  const sockaddr_in at = LoopbackPort((*listener)->address().port());
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience = {.tv_sec = 20, .tv_usec = 0};
  ASSERT_EQ(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  std::string sent(4 * kTogether, '\0'), received(sent);
  for (uint32_t round = 0; round < kRounds; ++round) {
    for (uint32_t i = 0; i < kTogether; ++i) {
      StoreBig32(round * kTogether + i, sent.data() + 4 * i);
    }
    ASSERT_EQ(send(client, sent.data(), sent.size(), 0), sent.size());
    ASSERT_EQ(recv(client, received.data(), received.size(), MSG_WAITALL), sent.size());
    ASSERT_EQ(received, sent) << "round " << round;
  }
  tcp_info info = {};
  socklen_t length = sizeof info;
  ASSERT_EQ(getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  EXPECT_GT(info.tcpi_data_segs_in, kRounds * 3 / 2);
  close(client);
}

// With no descriptor left, clients are turned away at once instead of left to wait, and
// service goes on when there are descriptors again.
TEST_F(TcpTransportTest, OutOfDescriptorsRefusesAndRecovers) {
  auto listener =
      bed_.server().Listen(Address::Tcp("127.0.0.1", 0), [this](auto stream) {
        Keep(std::make_unique<TestPeer>(bed_, std::move(stream)));
      });
  ASSERT_TRUE(listener.ok());
  const sockaddr_in at = LoopbackPort((*listener)->address().port());
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_GE(client, 0);
  std::vector<int> hoard;
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit few = {.rlim_cur = static_cast<rlim_t>(client) + 20,
                      .rlim_max = old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  for (int fd = dup(client); fd >= 0; fd = dup(client)) hoard.push_back(fd);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  char byte;
  EXPECT_LE(recv(client, &byte, 1, 0), 0);  // Closed, not left to wait.
  for (const int fd : hoard) close(fd);
  close(client);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_TRUE(Connect((*listener)->address()).ok());
  EXPECT_TRUE(bed_.WaitUntil([&] { return peers_.size() == 2; }));
}

}  // namespace
}  // namespace skep
