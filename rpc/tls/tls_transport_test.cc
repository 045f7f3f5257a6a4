// TLS over the simulated network, where every handshake replays from a seed, and over
// loopback sockets.

#include "rpc/tls/tls_transport.h"

#include <openssl/pem.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/sim_test_bed.h"
#include "rpc/tcp_test_bed.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls/test_fleet.h"

namespace skep {
namespace {

const TestFleet& Fleet() {
  static const TestFleet* const fleet = new TestFleet("bees");
  return *fleet;
}

std::shared_ptr<const TlsCredentials> Member(const std::string& name) {
  static auto* const made =
      new std::map<std::string, std::shared_ptr<const TlsCredentials>>;
  auto& credentials = (*made)[name];
  if (credentials == nullptr) credentials = Fleet().Credentials(name);
  return credentials;
}

// --- The conformance suite ----------------------------------------------------------

// Any bed, with TLS between its two sides.
template <typename Bed>
class TlsBed final : public Bed {
 public:
  template <typename... Args>
  explicit TlsBed(Args&&... args) : Bed(std::forward<Args>(args)...) {}
  Transport& server() override { return server_; }
  Transport& client() override { return client_; }

 private:
  TlsTransport server_{Bed::server(), Member("master")};
  TlsTransport client_{Bed::client(), Member("worker-1")};
};

std::unique_ptr<TestBed> CalmBed() { return std::make_unique<TlsBed<SimBed>>(1); }
std::unique_ptr<TestBed> LossyBed() {
  return std::make_unique<TlsBed<SimBed>>(
      2, SimNetworkOptions{
             .jitter = absl::Milliseconds(5), .window_bytes = 100'000, .loss = 0.02});
}
std::unique_ptr<TestBed> TinySegmentsBed() {
  return std::make_unique<TlsBed<SimBed>>(3,
                                          SimNetworkOptions{.max_segment_bytes = 700});
}
std::unique_ptr<TestBed> SocketsBed() { return std::make_unique<TlsBed<TcpBed>>(); }

}  // namespace

INSTANTIATE_TEST_SUITE_P(TlsOverSim, TransportConformance,
                         testing::Values(&CalmBed, &LossyBed, &TinySegmentsBed));
INSTANTIATE_TEST_SUITE_P(TlsOverTcp, TransportConformance,
                         testing::Values(&SocketsBed));

namespace {

// --- Handshakes ---------------------------------------------------------------------

// One attempt of a client to reach a server, each with credentials of its own or, null,
// without TLS.
class HandshakeTest : public testing::Test {
 protected:
  using Credentials = std::shared_ptr<const TlsCredentials>;

  void Run(const Credentials& server, const Credentials& client,
           absl::Duration how_long = absl::Seconds(30)) {
    if (server != nullptr) server_tls_.emplace(bed_.server(), server);
    if (client != nullptr) client_tls_.emplace(bed_.client(), client);
    Transport& serving = server != nullptr ? *server_tls_ : bed_.server();
    Transport& connecting = client != nullptr ? *client_tls_ : bed_.client();
    auto listener = serving.Listen(Address::Tcp("server", 7000), [this](auto stream) {
      server_ = std::make_unique<TestPeer>(bed_, std::move(stream));
      server_->Start();
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    connecting.Connect(Address::Tcp("server", 7000), absl::Seconds(20),
                       [this](auto stream) {
                         status_ = stream.status();
                         if (!stream.ok()) return;
                         client_ = std::make_unique<TestPeer>(bed_, *std::move(stream));
                         client_->Start();
                         client_->stream().Write("hello");
                       });
    bed_.executor().RunFor(how_long);
  }

  // What the connecting end was told.
  std::string ClientSays() const {
    return status_.has_value() ? status_->ToString() : "nothing";
  }
  std::string ServerSays() const {
    return server_ == nullptr ? "no connection" : server_->reason.ToString();
  }

  SimBed bed_{7};
  std::optional<TlsTransport> server_tls_;
  std::optional<TlsTransport> client_tls_;
  std::unique_ptr<Listener> listener_;
  std::optional<absl::Status> status_;
  std::unique_ptr<TestPeer> server_;
  std::unique_ptr<TestPeer> client_;
};

#define EXPECT_HAS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << "it is: " << (text)

TEST_F(HandshakeTest, BothEndsLearnWhoTheOtherIs) {
  Run(Member("master"), Member("worker-1"));
  ASSERT_NE(client_, nullptr) << ClientSays();
  EXPECT_EQ(server_->received, "hello");
  EXPECT_EQ(PeerIdentity(server_->stream()), "skep://bees/worker-1");
  EXPECT_EQ(PeerIdentity(client_->stream()), "skep://bees/master");
}

TEST_F(HandshakeTest, ACertificateOfAnotherAuthorityIsRefused) {
  const TestFleet impostors("bees");
  Run(Member("master"), impostors.Credentials("worker-1"));
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "unknown authority");
  EXPECT_HAS(ServerSays(), "refused our certificate");
}

// A member whose ca.pem is the server's, so that it trusts the server; the server does
// not trust it. It must not take the connection for good.
TEST_F(HandshakeTest, AClientHearsThatItsOwnCertificateWasRefused) {
  const TestFleet impostors("bees");
  auto own = TlsCredentials::FromPem(Fleet().authority().certificate,
                                     impostors.Member("worker-1"));
  ASSERT_TRUE(own.ok());
  Run(Member("master"), *own);
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "refused our certificate: unknown authority");
  EXPECT_HAS(ServerSays(), "unknown authority");
}

TEST_F(HandshakeTest, AnExpiredCertificateIsRefused) {
  const auto expired =
      Fleet().Credentials(Fleet().Member("worker-1", absl::Hours(-1), absl::Hours(-2)));
  Run(Member("master"), expired);
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "expired");
  EXPECT_HAS(ServerSays(), "expired");
}

TEST_F(HandshakeTest, ACertificateOfTheFutureIsRefused) {
  const auto early =
      Fleet().Credentials(Fleet().Member("worker-1", absl::Hours(9), absl::Hours(2)));
  Run(Member("master"), early);
  EXPECT_HAS(ServerSays(), "not valid yet");
}

TEST_F(HandshakeTest, AnotherFleetOfTheSameAuthorityIsRefused) {
  const auto wasp = Fleet().Credentials(
      Fleet().Member("worker-1", absl::Hours(9), absl::Hours(-1), "wasps"));
  Run(wasp, Member("worker-1"));
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "wrong fleet");
  EXPECT_HAS(ClientSays(), "bees");
}

TEST_F(HandshakeTest, AClientWithoutACertificateIsRefused) {
  const auto joiner = TlsCredentials::ForJoining(
      DescribeCertificate(Fleet().authority().certificate)->fingerprint);
  ASSERT_TRUE(joiner.ok());
  // It trusts the server for its authority's sake, whose certificate it must see.
  const auto server = Fleet().Credentials("master");
  const BioPtr pem(BIO_new_mem_buf(Fleet().authority().certificate.data(), -1));
  ASSERT_EQ(SSL_CTX_add_extra_chain_cert(
                server->server_context(),
                PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr)),
            1);
  Run(server, *joiner);
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "it refused us: we showed no certificate");
  EXPECT_HAS(ServerSays(), "no certificate");
}

TEST_F(HandshakeTest, AJoinerKnowsTheAuthorityByItsFingerprint) {
  const auto server = Member("master")->ForServingJoiners();
  const auto joiner = TlsCredentials::ForJoining(
      DescribeCertificate(Fleet().authority().certificate)->fingerprint);
  ASSERT_TRUE(server.ok() && joiner.ok());
  Run(*server, *joiner);
  ASSERT_NE(client_, nullptr) << ClientSays();
  EXPECT_EQ(server_->received, "hello");
  EXPECT_EQ(PeerIdentity(server_->stream()), "");
}

TEST_F(HandshakeTest, AJoinerRefusesAnotherAuthority) {
  const TestFleet impostors("bees");
  const auto server = impostors.Credentials("master")->ForServingJoiners();
  const auto joiner = TlsCredentials::ForJoining(
      DescribeCertificate(Fleet().authority().certificate)->fingerprint);
  ASSERT_TRUE(server.ok() && joiner.ok());
  Run(*server, *joiner);
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "unknown authority");
}

// As clients of other makes do that keep sessions.
TEST_F(HandshakeTest, WhoComesWithATicketShakesHandsInFull) {
  server_tls_.emplace(bed_.server(), Member("master"));
  listener_ = *server_tls_->Listen(Address::Tcp("server", 7000), [this](auto stream) {
    server_ = std::make_unique<TestPeer>(bed_, std::move(stream));
    server_->Start();
  });
  const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  const CertifiedKey own = Fleet().Member("guest");
  const BioPtr certificate(BIO_new_mem_buf(own.certificate.data(), -1));
  const BioPtr key(BIO_new_mem_buf(own.key.data(), -1));
  SSL_CTX_use_certificate(
      context.get(),
      X509Ptr(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)).get());
  SSL_CTX_use_PrivateKey(
      context.get(),
      KeyPtr(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr)).get());
  static SSL_SESSION* kept;
  kept = nullptr;
  SSL_CTX_set_session_cache_mode(context.get(),
                                 SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), [](SSL*, SSL_SESSION* session) {
    SSL_SESSION_free(std::exchange(kept, session));
    return 1;  // is ours
  });
  for (const bool again : {false, true}) {
    const SslPtr ssl(SSL_new(context.get()));
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl.get(), in, out);
    SSL_set_connect_state(ssl.get());
    if (again) {
      ASSERT_NE(kept, nullptr) << "no ticket came";
      ASSERT_EQ(SSL_SESSION_is_resumable(kept), 1);
      ASSERT_EQ(SSL_set_session(ssl.get(), kept), 1);
    }
    const auto say = [&](Stream& to) {
      char* bytes = nullptr;
      const long size = BIO_get_mem_data(out, &bytes);
      to.Write({bytes, static_cast<size_t>(size)});
      BIO_reset(out);
    };
    const auto hear = [&](TestPeer& peer, std::string_view bytes) {
      BIO_write(in, bytes.data(), static_cast<int>(bytes.size()));
      char none;
      SSL_read(ssl.get(), &none, 1);
      say(peer.stream());
      return bytes.size();
    };
    bed_.client().Connect(
        Address::Tcp("server", 7000), absl::Seconds(20), [&](auto stream) {
          client_ = std::make_unique<TestPeer>(bed_, *std::move(stream));
          client_->on_data = hear;
          client_->Start();
          SSL_do_handshake(ssl.get());
          say(client_->stream());
        });
    bed_.executor().RunFor(absl::Seconds(2));
    EXPECT_FALSE(SSL_session_reused(ssl.get()));
    SSL_write(ssl.get(), "hello", 5);
    say(client_->stream());
    bed_.executor().RunFor(absl::Seconds(2));
    ASSERT_NE(server_, nullptr);
    EXPECT_EQ(server_->received, "hello") << server_->reason;
    SSL_shutdown(ssl.get());  // else the session is no good for another time
    say(client_->stream());
    bed_.executor().RunFor(absl::Seconds(2));
    client_ = nullptr;
  }
  SSL_SESSION_free(kept);
}

// --- Plain text ---------------------------------------------------------------------

TEST_F(HandshakeTest, APlainClientIsRefusedAndTold) {
  Run(Member("master"), nullptr);
  ASSERT_NE(client_, nullptr);
  EXPECT_HAS(ServerSays(), "does not speak TLS: is it started with --tls?");
  EXPECT_EQ(client_->received, std::string("\x15\x03\x03\0\x02\x02\x46", 7));
  EXPECT_EQ(client_->closed, 1);
}

TEST_F(HandshakeTest, APlainServerIsFoundOut) {
  const auto listener = bed_.server().Listen(
      Address::Tcp("server", 7001), [&](std::unique_ptr<Stream> stream) {
        server_ = std::make_unique<TestPeer>(bed_, std::move(stream));
        server_->on_data = [](TestPeer& peer, std::string_view bytes) {
          peer.stream().Write("HTTP/1.1 400 Bad Request\r\n");
          return bytes.size();
        };
        server_->Start();
      });
  client_tls_.emplace(bed_.client(), Member("worker-1"));
  client_tls_->Connect(Address::Tcp("server", 7001), absl::Seconds(20),
                       [&](auto stream) { status_ = stream.status(); });
  bed_.executor().RunFor(absl::Seconds(30));
  EXPECT_HAS(ClientSays(), "does not speak TLS: is it started with --tls?");
}

// As a channel without TLS does with bytes that are no frame.
TEST_F(HandshakeTest, AServerThatOnlyClosesIsSuspected) {
  const auto listener = bed_.server().Listen(
      Address::Tcp("server", 7001), [&](std::unique_ptr<Stream> stream) {
        server_ = std::make_unique<TestPeer>(bed_, std::move(stream));
        server_->on_data = [](TestPeer& peer, std::string_view bytes) {
          peer.stream().CloseWhenDrained();
          return bytes.size();
        };
        server_->Start();
      });
  client_tls_.emplace(bed_.client(), Member("worker-1"));
  client_tls_->Connect(Address::Tcp("server", 7001), absl::Seconds(20),
                       [&](auto stream) { status_ = stream.status(); });
  bed_.executor().RunFor(absl::Seconds(30));
  EXPECT_HAS(ClientSays(), "it may not speak TLS");
}

// --- Deadlines, cuts and damage -----------------------------------------------------

TEST_F(HandshakeTest, AClientThatSaysNothingIsDropped) {
  server_tls_.emplace(bed_.server(), Member("master"));
  listener_ = *server_tls_->Listen(Address::Tcp("server", 7000), [this](auto stream) {
    server_ = std::make_unique<TestPeer>(bed_, std::move(stream));
    server_->Start();
  });
  bed_.client().Connect(
      Address::Tcp("server", 7000), absl::Seconds(20), [this](auto stream) {
        client_ = std::make_unique<TestPeer>(bed_, *std::move(stream));
        client_->Start();
      });
  bed_.executor().RunFor(kHandshakeTimeout - absl::Seconds(1));
  EXPECT_EQ(server_->closed, 0);
  bed_.executor().RunFor(absl::Seconds(3));
  EXPECT_EQ(server_->reason.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(HandshakeTest, AServerThatSaysNothingIsGivenUp) {
  const auto listener = bed_.server().Listen(
      Address::Tcp("server", 7001), [&](std::unique_ptr<Stream> stream) {
        server_ = std::make_unique<TestPeer>(bed_, std::move(stream));
        server_->Start();
      });
  client_tls_.emplace(bed_.client(), Member("worker-1"));
  client_tls_->Connect(Address::Tcp("server", 7001), absl::Seconds(2),
                       [&](auto stream) { status_ = stream.status(); });
  bed_.executor().RunFor(absl::Seconds(1));
  EXPECT_EQ(ClientSays(), "nothing");
  bed_.executor().RunFor(absl::Seconds(2));
  EXPECT_EQ(status_->code(), absl::StatusCode::kDeadlineExceeded) << *status_;
}

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
