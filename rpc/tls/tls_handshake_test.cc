// Who is let in, who is not, and what both are told.

#include <openssl/pem.h>

#include <memory>
#include <string>
#include <utility>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/tls/handshake_testing.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls/tls_transport.h"

namespace skep {
namespace {

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
  admit_ = Admit::kJoiners;
  const auto joiner = TlsCredentials::ForJoining(
      DescribeCertificate(Fleet().authority().certificate)->fingerprint);
  ASSERT_TRUE(joiner.ok());
  Run(Member("master"), *joiner);
  ASSERT_NE(client_, nullptr) << ClientSays();
  EXPECT_EQ(server_->received, "hello");
  EXPECT_EQ(PeerIdentity(server_->stream()), "");
}

TEST_F(HandshakeTest, AJoinerRefusesAnotherAuthority) {
  const TestFleet impostors("bees");
  const auto server = impostors.Credentials("master");
  admit_ = Admit::kJoiners;
  const auto joiner = TlsCredentials::ForJoining(
      DescribeCertificate(Fleet().authority().certificate)->fingerprint);
  ASSERT_TRUE(joiner.ok());
  Run(server, *joiner);
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "unknown authority");
}

TEST_F(HandshakeTest, AJoinerAtTheFleetsPortIsToldThatItIsTheWrongOne) {
  const auto joiner = TlsCredentials::ForJoining(
      DescribeCertificate(Fleet().authority().certificate)->fingerprint);
  ASSERT_TRUE(joiner.ok());
  Run(Member("master"), *joiner);
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "it is no join port");
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
  ConnectToPlain([](Stream& stream) { stream.Write("HTTP/1.1 400 Bad Request\r\n"); });
  EXPECT_HAS(ClientSays(), "does not speak TLS: is it started with --tls?");
}

// As a channel without TLS does with bytes that are no frame.
TEST_F(HandshakeTest, AServerThatOnlyClosesIsSuspected) {
  ConnectToPlain([](Stream& stream) { stream.CloseWhenDrained(); });
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

}  // namespace
}  // namespace skep
