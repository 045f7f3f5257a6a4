#include "rpc/transport_conformance.h"

#include <utility>

#include "base/coding.h"
#include "base/random.h"
#include "base/status.h"

namespace skep {

bool TestBed::RunOn(Executor& executor, const std::function<void()>& fn) {
  auto ran = std::make_shared<bool>(false);
  executor.Post([this, ran, fn] {
    fn();
    MutexLock lock(mutex_);
    *ran = true;
    changed_.SignalAll();
  });
  return WaitUntil([ran] { return *ran; });
}

size_t TestPeer::OnData(std::string_view bytes) {
  if (on_data) return on_data(*this, bytes);
  MutexLock lock(bed_.mutex());
  received += bytes;
  bed_.changed().SignalAll();
  return bytes.size();
}

void TestPeer::OnPeerClosed() {
  {
    MutexLock lock(bed_.mutex());
    ++peer_closed;
    bed_.changed().SignalAll();
  }
  if (on_peer_closed) {
    on_peer_closed(*this);
  } else {
    StreamHandler::OnPeerClosed();
  }
}

void TestPeer::OnDrained() {
  {
    MutexLock lock(bed_.mutex());
    ++drained;
    bed_.changed().SignalAll();
  }
  if (on_drained) on_drained(*this);
}

void TestPeer::OnClosed(const absl::Status& why) {
  if (on_closed) on_closed(*this);
  MutexLock lock(bed_.mutex());
  ++closed;
  reason = why;
  bed_.changed().SignalAll();
}

bool TestPeer::Run(const std::function<void(Stream&)>& fn) {
  return bed_.RunOn(executor_, [&] { fn(*stream_); });
}

void TestPeer::Destroy() {
  ASSERT_TRUE(bed_.RunOn(executor_, [this] { stream_.reset(); }));
}

void TransportConformance::TearDown() {
  listener_.reset();
  for (const auto& peer : connected_) peer->Destroy();
  for (const auto& peer : accepted_) peer->Destroy();
}

void TransportConformance::Listen(Setup setup) {
  auto listener =
      bed_->server().Listen(bed_->listen_address(), [this, setup](auto stream) {
        auto peer = std::make_unique<TestPeer>(*bed_, std::move(stream));
        peer->Start();
        if (setup) setup(*peer);
        MutexLock lock(bed_->mutex());
        accepted_.push_back(std::move(peer));
        bed_->changed().SignalAll();
      });
  ASSERT_TRUE(listener.ok()) << listener.status();
  listener_ = *std::move(listener);
}

TestPeer* TransportConformance::Connect(Setup setup) {
  TestPeer* result = nullptr;
  std::optional<absl::Status> status;
  bed_->client().Connect(listener_->address(), absl::Seconds(20), [&](auto stream) {
    std::unique_ptr<TestPeer> peer;
    if (stream.ok()) {
      peer = std::make_unique<TestPeer>(*bed_, *std::move(stream));
      peer->Start();
      if (setup) setup(*peer);
    }
    MutexLock lock(bed_->mutex());
    status = stream.status();
    result = peer.get();
    if (peer) connected_.push_back(std::move(peer));
    bed_->changed().SignalAll();
  });
  EXPECT_TRUE(WaitUntil([&] { return status.has_value(); }));
  EXPECT_TRUE(status->ok()) << *status;
  return result;
}

absl::Status TransportConformance::ConnectError(const Address& to,
                                                absl::Duration timeout) {
  std::optional<absl::Status> status;
  bed_->client().Connect(to, timeout, [&](auto stream) {
    MutexLock lock(bed_->mutex());
    status = stream.status();
    bed_->changed().SignalAll();
  });
  EXPECT_TRUE(WaitUntil([&] { return status.has_value(); }));
  return status.value_or(absl::OkStatus());
}

TestPeer* TransportConformance::Accepted(size_t index) {
  EXPECT_TRUE(WaitUntil([&] { return accepted_.size() > index; }));
  MutexLock lock(bed_->mutex());
  return accepted_[index].get();
}

namespace {

// An echo server of length-prefixed frames, which consumes whole frames only.
size_t EchoFrames(TestPeer& peer, std::string_view bytes) {
  size_t used = 0;
  while (bytes.size() - used >= 4) {
    const size_t size = 4 + LoadBig32(bytes.data() + used);
    if (bytes.size() - used < size) break;
    // In two pieces: they must stay together and in order.
    peer.stream().Write(bytes.substr(used, 3));
    peer.stream().Write(bytes.substr(used + 3, size - 3));
    used += size;
  }
  return used;
}

std::string RandomBytes(Random& random, size_t size) {
  std::string bytes(size, 0);
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::string Frame(const std::string& body) {
  char length[4];
  StoreBig32(static_cast<uint32_t>(body.size()), length);
  return std::string(length, 4) + body;
}

TEST_P(TransportConformance, EchoesFramesOfAnySize) {
  Listen([](TestPeer& peer) { peer.on_data = EchoFrames; });
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  Random random(3);
  std::string sent;
  for (int i = 0; i < 100; ++i) {
    const std::string frame =
        Frame(RandomBytes(random, random.Below(1 << random.Below(18))));
    sent += frame;
    ASSERT_TRUE(client->Run([&](Stream& stream) { stream.Write(frame); }));
  }
  EXPECT_TRUE(WaitUntil([&] { return client->received.size() >= sent.size(); }));
  EXPECT_TRUE(client->received == sent);
  ASSERT_TRUE(client->Run([](Stream& stream) { stream.CloseWhenDrained(); }));
  TestPeer* const server = Accepted();
  EXPECT_TRUE(WaitUntil([&] { return client->closed == 1 && server->closed == 1; }));
  EXPECT_TRUE(client->reason.ok()) << client->reason;
  EXPECT_TRUE(server->reason.ok()) << server->reason;
}

TEST_P(TransportConformance, CarriesOneLargeFrame) {
  Listen([](TestPeer& peer) { peer.on_data = EchoFrames; });
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  Random random(4);
  const std::string frame = Frame(RandomBytes(random, 5 << 20));
  ASSERT_TRUE(client->Run([&](Stream& stream) { stream.Write(frame); }));
  EXPECT_TRUE(WaitUntil([&] { return client->received.size() >= frame.size(); }));
  EXPECT_TRUE(client->received == frame);
}

TEST_P(TransportConformance, AllWaysOfWritingKeepTheirOrder) {
  Listen([](TestPeer& peer) { peer.on_data = EchoFrames; });
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  Random random(5);
  std::string sent;
  const auto write = [&](Stream& stream) {
    for (int i = 0; i < 80; ++i) {
      // Some of the bulk is more than a kernel takes at once.
      const size_t most = 1 << (i % 2 == 1 ? random.Below(22) : random.Below(13));
      const std::string frame = Frame(RandomBytes(random, random.Below(most)));
      sent += frame;
      if (i % 4 == 0) stream.Write(frame);
      if (i % 4 == 1) stream.WriteBulk(frame);
      if (i % 4 == 3) stream.WriteOwned(frame);
      if (i % 4 == 2) {
        frame.copy(stream.BeginWrite(frame.size() + 100), frame.size());
        stream.EndWrite(frame.size());
      }
    }
  };
  ASSERT_TRUE(client->Run(write));
  EXPECT_TRUE(WaitUntil([&] { return client->received.size() >= sent.size(); }));
  EXPECT_TRUE(client->received == sent);
}

TEST_P(TransportConformance, AnswersAfterThePeersHalfClose) {
  const std::string answer(3 << 20, 'a');
  Listen([&](TestPeer& peer) {
    peer.on_peer_closed = [&](TestPeer& server) {
      server.stream().Write(answer);
      server.stream().CloseWhenDrained();
    };
  });
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(client->Run([](Stream& stream) {
    stream.Write("question");
    stream.CloseWhenDrained();
    stream.Write("too late: dropped");
  }));
  TestPeer* const server = Accepted();
  EXPECT_TRUE(WaitUntil([&] { return client->closed == 1 && server->closed == 1; }));
  EXPECT_EQ(server->received, "question");
  EXPECT_TRUE(client->received == answer);
  EXPECT_TRUE(client->reason.ok()) << client->reason;
  EXPECT_TRUE(server->reason.ok()) << server->reason;
  EXPECT_EQ(server->peer_closed, 1);
  EXPECT_EQ(client->peer_closed, 1);
}

TEST_P(TransportConformance, LingersOnlySoLong) {
  Listen([](TestPeer& peer) { peer.on_peer_closed = [](TestPeer&) {}; });
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(client->Run(
      [](Stream& stream) { stream.CloseWhenDrained(absl::Milliseconds(50)); }));
  EXPECT_TRUE(WaitUntil([&] { return client->closed == 1; }));
  EXPECT_EQ(client->reason.code(), absl::StatusCode::kDeadlineExceeded);
}

// What the peer did get is a part, which must not look like the whole.
TEST_P(TransportConformance, AnEndOfLingeringThatLosesBytesResetsThePeer) {
  Listen([](TestPeer& peer) {
    peer.stream().Write(std::string(32 << 20, 'x'));
    peer.stream().CloseWhenDrained(absl::Milliseconds(100));
  });
  TestPeer* const client =
      Connect([](TestPeer& peer) { peer.stream().SetReading(false); });
  ASSERT_NE(client, nullptr);
  TestPeer* const server = Accepted();
  EXPECT_TRUE(WaitUntil([&] { return server->closed == 1; }));
  EXPECT_EQ(server->reason.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(client->Run([](Stream& stream) { stream.SetReading(true); }));
  EXPECT_TRUE(WaitUntil([&] { return client->closed == 1; }));
  EXPECT_EQ(client->reason.code(), absl::StatusCode::kUnavailable) << client->reason;
  EXPECT_EQ(client->peer_closed, 0);
}

TEST_P(TransportConformance, AbortGivesItsReasonAndResetsThePeer) {
  Listen();
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  TestPeer* const server = Accepted();
  ASSERT_TRUE(client->Run([&](Stream& stream) {
    stream.Abort(Aborted("first"));
    EXPECT_EQ(client->closed, 0);  // Not inside the call.
    stream.Abort(Aborted("second"));
    stream.CloseWhenDrained();
    stream.Write("nothing");
    stream.SetReading(false);
  }));
  EXPECT_TRUE(WaitUntil([&] { return client->closed == 1 && server->closed == 1; }));
  EXPECT_EQ(client->reason, Aborted("first"));
  EXPECT_EQ(server->reason.code(), absl::StatusCode::kUnavailable) << server->reason;
}

TEST_P(TransportConformance, AbortInsideOnData) {
  Listen([](TestPeer& peer) {
    peer.on_data = [](TestPeer& server, std::string_view) {
      server.stream().Abort(ResourceExhausted("enough"));
      return size_t{0};
    };
  });
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(client->Run([](Stream& stream) { stream.Write("x"); }));
  TestPeer* const server = Accepted();
  EXPECT_TRUE(WaitUntil([&] { return client->closed == 1 && server->closed == 1; }));
  EXPECT_EQ(server->reason, ResourceExhausted("enough"));
  EXPECT_EQ(client->reason.code(), absl::StatusCode::kUnavailable) << client->reason;
}

TEST_P(TransportConformance, PausedReaderHoldsTheWriterBack) {
  constexpr size_t kBytes = 24 << 20;
  Listen([](TestPeer& peer) { peer.stream().SetReading(false); });
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  TestPeer* const server = Accepted();
  const std::string piece(1 << 20, 'p');
  for (size_t sent = 0; sent < kBytes; sent += piece.size()) {
    ASSERT_TRUE(client->Run([&](Stream& stream) { stream.Write(piece); }));
  }
  size_t unsent = 0;
  ASSERT_TRUE(client->Run([&](Stream& stream) { unsent = stream.unsent(); }));
  EXPECT_GT(unsent, kStreamHighWater);
  EXPECT_EQ(client->drained, 0);
  EXPECT_EQ(server->received.size(), 0u);
  ASSERT_TRUE(server->Run([](Stream& stream) { stream.SetReading(true); }));
  EXPECT_TRUE(WaitUntil([&] { return server->received.size() == kBytes; }));
  EXPECT_TRUE(WaitUntil([&] { return client->drained == 1; }));
  ASSERT_TRUE(client->Run([&](Stream& stream) { unsent = stream.unsent(); }));
  EXPECT_EQ(unsent, 0u);
}

TEST_P(TransportConformance, ResumingOffersTheRestAgain) {
  Listen([this](TestPeer& peer) {
    peer.on_data = [this, calls = 0](TestPeer& server, std::string_view bytes) mutable {
      if (++calls == 1) {
        server.stream().SetReading(false);
        server.stream().Write("paused");
        return size_t{0};
      }
      MutexLock lock(bed_->mutex());
      server.received = bytes;
      bed_->changed().SignalAll();
      return bytes.size();
    };
  });
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(client->Run([](Stream& stream) { stream.Write("a"); }));
  TestPeer* const server = Accepted();
  EXPECT_TRUE(WaitUntil([&] { return client->received == "paused"; }));
  EXPECT_EQ(server->received, "");
  ASSERT_TRUE(server->Run([](Stream& stream) { stream.SetReading(true); }));
  EXPECT_TRUE(WaitUntil([&] { return server->received == "a"; }));
}

TEST_P(TransportConformance, PausedReaderStillLearnsOfAReset) {
  Listen([](TestPeer& peer) { peer.stream().SetReading(false); });
  TestPeer* const client = Connect();
  ASSERT_NE(client, nullptr);
  TestPeer* const server = Accepted();
  ASSERT_TRUE(client->Run([](Stream& stream) { stream.Abort(Aborted("gone")); }));
  EXPECT_TRUE(WaitUntil([&] { return server->closed == 1; }));
  EXPECT_EQ(server->reason.code(), absl::StatusCode::kUnavailable) << server->reason;
}

// Both halves are closed, one end does not read yet: what was sent to it is not lost.
TEST_P(TransportConformance, PausedReaderGetsEverythingAfterBothHalvesClosed) {
  Listen([](TestPeer& peer) {
    peer.stream().SetReading(false);
    peer.stream().Write("answer");
    peer.stream().CloseWhenDrained();
  });
  TestPeer* const client = Connect([](TestPeer& peer) {
    peer.stream().Write("question");
    peer.stream().CloseWhenDrained();
  });
  ASSERT_NE(client, nullptr);
  TestPeer* const server = Accepted();
  EXPECT_TRUE(WaitUntil([&] { return client->closed == 1; }));
  EXPECT_EQ(client->received, "answer");
  EXPECT_EQ(server->closed, 0);
  ASSERT_TRUE(server->Run([](Stream& stream) { stream.SetReading(true); }));
  EXPECT_TRUE(WaitUntil([&] { return server->closed == 1; }));
  EXPECT_EQ(server->received, "question");
  EXPECT_TRUE(server->reason.ok()) << server->reason;
}

TEST_P(TransportConformance, RefusedWhereNobodyListens) {
  Listen();
  const Address address = listener_->address();
  EXPECT_NE(address.port(), 0);
  listener_.reset();
  const absl::Status status = ConnectError(address, absl::Seconds(20));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_NE(status.ToString().find(address.ToString()), std::string::npos) << status;
}

TEST_P(TransportConformance, ConnectingTimesOut) {
  const absl::Status status = ConnectError(bed_->black_hole(), absl::Milliseconds(200));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
}

TEST_P(TransportConformance, ManyConnectionsAtOnce) {
  constexpr int kConnections = 100;
  Listen([](TestPeer& peer) { peer.on_data = EchoFrames; });
  int connected = 0;
  for (int i = 0; i < kConnections; ++i) {
    bed_->client().Connect(
        listener_->address(), absl::Seconds(20), [&, i](auto stream) {
          ASSERT_TRUE(stream.ok()) << stream.status();
          auto peer = std::make_unique<TestPeer>(*bed_, *std::move(stream));
          peer->Start();
          peer->stream().Write(Frame(StrCat("client ", i)));
          MutexLock lock(bed_->mutex());
          connected_.push_back(std::move(peer));
          ++connected;
          bed_->changed().SignalAll();
        });
  }
  ASSERT_TRUE(WaitUntil([&] { return connected == kConnections; }));
  EXPECT_TRUE(WaitUntil([&] {
    for (const auto& peer : connected_) {
      if (peer->received.size() < Frame("client 0").size()) return false;
    }
    return true;
  }));
}

TEST_P(TransportConformance, StreamsMayBeDestroyedInTheirOwnEvents) {
  const auto destroy = [](TestPeer& peer) { peer.DestroyStream(); };
  const std::vector<Setup> setups = {
      [&](TestPeer& peer) {
        peer.on_data = [&](TestPeer& p, std::string_view bytes) {
          p.stream().Write(bytes);
          destroy(p);
          return size_t{0};
        };
      },
      [&](TestPeer& peer) { peer.on_peer_closed = destroy; },
      [&](TestPeer& peer) { peer.on_closed = destroy; },
      [&](TestPeer& peer) {
        peer.on_drained = destroy;
        peer.on_data = [](TestPeer& p, std::string_view bytes) {
          p.stream().Write(std::string(kStreamHighWater + 1, 'd'));
          return bytes.size();
        };
      },
  };
  for (size_t i = 0; i < setups.size(); ++i) {
    Listen(setups[i]);
    TestPeer* const client = Connect();
    ASSERT_NE(client, nullptr);
    ASSERT_TRUE(client->Run([](Stream& stream) {
      stream.Write("x");
      stream.CloseWhenDrained();
    }));
    EXPECT_TRUE(WaitUntil([&] { return client->closed == 1; })) << "setup " << i;
    listener_.reset();
  }
}

TEST_P(TransportConformance, ListenerMayBeDestroyedInItsOwnAccept) {
  std::unique_ptr<Stream> accepted;
  auto listener = bed_->server().Listen(bed_->listen_address(),
                                        [&](std::unique_ptr<Stream> stream) {
                                          listener_.reset();
                                          MutexLock lock(bed_->mutex());
                                          accepted = std::move(stream);
                                          bed_->changed().SignalAll();
                                        });
  ASSERT_TRUE(listener.ok()) << listener.status();
  const Address address = (*listener)->address();
  listener_ = *std::move(listener);
  ASSERT_NE(Connect(), nullptr);
  ASSERT_TRUE(WaitUntil([&] { return accepted != nullptr; }));
  const absl::Status status = ConnectError(address, absl::Seconds(20));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  accepted.reset();
}

}  // namespace
}  // namespace skep
