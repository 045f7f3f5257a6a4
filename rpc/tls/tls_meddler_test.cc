// TLS with somebody in between: cuts, damage; and the records that go by.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "rpc/tls/handshake_testing.h"
#include "rpc/tls/tls_transport.h"

namespace skep {
namespace {

// Forwards bytes between a client and a server, and does harm.
class Meddler {
 public:
  // `harm` sees each run of bytes on its way; false: the connection is closed, in order
  // as far as TCP is concerned.
  using Harm = std::function<bool(bool to_server, std::string* bytes)>;

  Meddler(SimBed& bed, Harm harm) : bed_(bed), harm_(std::move(harm)) {
    listener_ = *bed_.network().host("meddler").Listen(
        Address::Tcp("meddler", 7000), [this](std::unique_ptr<Stream> stream) {
          client_.emplace(*this, true, std::move(stream));
          bed_.network().host("meddler").Connect(
              Address::Tcp("server", 7000), absl::Seconds(5), [this](auto stream) {
                server_.emplace(*this, false, *std::move(stream));
                client_->Start();
                server_->Start();
              });
        });
  }

 private:
  class End final : public StreamHandler {
   public:
    End(Meddler& meddler, bool client, std::unique_ptr<Stream> stream)
        : meddler_(meddler), client_(client), stream_(std::move(stream)) {}
    void Start() { stream_->Start(this); }
    size_t OnData(std::string_view bytes) override {
      std::string copy(bytes);
      Stream& other = client_ ? *meddler_.server_->stream_ : *meddler_.client_->stream_;
      if (meddler_.harm_(client_, &copy)) {
        other.Write(copy);
      } else {
        other.CloseWhenDrained();
      }
      return bytes.size();
    }
    void OnPeerClosed() override {
      Stream& other = client_ ? *meddler_.server_->stream_ : *meddler_.client_->stream_;
      other.CloseWhenDrained();
      stream_->CloseWhenDrained();
    }
    void OnClosed(const absl::Status&) override {}

   private:
    Meddler& meddler_;
    const bool client_;
    std::unique_ptr<Stream> stream_;
  };

  SimBed& bed_;
  const Harm harm_;
  std::unique_ptr<Listener> listener_;
  std::optional<End> client_;
  std::optional<End> server_;
};

class MeddlerTest : public HandshakeTest {
 protected:
  void ConnectThrough(Meddler::Harm harm) {
    meddler_.emplace(bed_, std::move(harm));
    server_tls_.emplace(bed_.server(), Member("master"));
    client_tls_.emplace(bed_.client(), Member("worker-1"));
    listener_ = *server_tls_->Listen(Address::Tcp("server", 7000), [this](auto stream) {
      server_ = std::make_unique<TestPeer>(bed_, std::move(stream));
      server_->Start();
    });
    client_tls_->Connect(
        Address::Tcp("meddler", 7000), absl::Seconds(20), [this](auto stream) {
          status_ = stream.status();
          if (!stream.ok()) return;
          client_ = std::make_unique<TestPeer>(bed_, *std::move(stream));
          client_->Start();
        });
    bed_.executor().RunFor(absl::Seconds(30));
  }

  std::optional<Meddler> meddler_;
};

TEST_F(MeddlerTest, ACutIsNotTakenForTheEnd) {
  bool cut = false;
  ConnectThrough([&](bool, std::string*) { return !cut; });
  ASSERT_NE(client_, nullptr) << ClientSays();
  client_->stream().Write("the first half");
  bed_.executor().RunFor(absl::Seconds(1));
  EXPECT_EQ(server_->received, "the first half");
  cut = true;
  client_->stream().Write(", the second half");
  client_->stream().CloseWhenDrained();
  bed_.executor().RunFor(absl::Seconds(30));
  EXPECT_EQ(server_->received, "the first half");
  EXPECT_EQ(server_->peer_closed, 0);
  EXPECT_EQ(server_->reason.code(), absl::StatusCode::kUnavailable);
  EXPECT_HAS(ServerSays(), "cut off");
}

// Whichever byte is damaged, nothing false is delivered, and both ends end.
TEST_F(MeddlerTest, NoDamagedByteIsDelivered) {
  for (size_t damaged : {0, 1, 3, 5, 20, 26}) {
    bool damage = false;
    ConnectThrough([&](bool to_server, std::string* bytes) {
      if (damage && to_server && bytes->size() > damaged) {
        (*bytes)[damaged] ^= 4;
        damage = false;
      }
      return true;
    });
    ASSERT_NE(client_, nullptr) << ClientSays();
    server_->received.clear();
    damage = true;
    client_->stream().Write("attack at dawn");
    bed_.executor().RunFor(absl::Seconds(5));
    client_->stream().CloseWhenDrained();
    bed_.executor().RunFor(absl::Seconds(60));
    if (damage) continue;  // the network cut the record before that byte
    EXPECT_EQ(server_->received, "") << "byte " << damaged;
    EXPECT_EQ(server_->reason.code(), absl::StatusCode::kUnavailable) << ServerSays();
    listener_.reset();
    server_.reset();
    client_.reset();
    meddler_.reset();
  }
}

// Every cut of the handshake ends both ends, with an error, in time.
TEST_F(MeddlerTest, AHandshakeCutAnywhereEnds) {
  for (size_t allowed = 0; allowed < 4500; allowed += 97) {
    size_t passed = 0;
    ConnectThrough([&](bool, std::string* bytes) {
      const size_t left = allowed > passed ? allowed - passed : 0;
      passed += bytes->size();
      if (bytes->size() <= left) return true;
      bytes->resize(left);
      return left > 0;
    });
    ASSERT_TRUE(status_.has_value()) << "cut after " << allowed;
    if (server_ != nullptr && !status_->ok()) {
      EXPECT_EQ(server_->closed, 1) << "cut after " << allowed;
      EXPECT_FALSE(server_->reason.ok()) << "cut after " << allowed;
    }
    listener_.reset();
    server_.reset();
    client_.reset();
    meddler_.reset();
    status_.reset();
  }
}

// --- Records ------------------------------------------------------------------------

// What one turn writes leaves in one record: 5 bytes of header, 1 of type, 16 of tag.
TEST_F(MeddlerTest, SmallWritesShareARecord) {
  size_t to_server = 0;
  ConnectThrough([&](bool server, std::string* bytes) {
    if (server) to_server += bytes->size();
    return true;
  });
  ASSERT_NE(client_, nullptr) << ClientSays();
  const size_t before = to_server;
  for (int i = 0; i < 100; ++i) client_->stream().Write("0123456789");
  EXPECT_EQ(client_->stream().unsent(), 1000u);
  bed_.executor().RunFor(absl::Seconds(1));
  EXPECT_EQ(server_->received.size(), 1000u);
  EXPECT_EQ(to_server - before, 1000u + 22u);
}

}  // namespace
}  // namespace skep
