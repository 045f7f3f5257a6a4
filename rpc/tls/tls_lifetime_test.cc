// A fleet over the months: renewed certificates, new authorities, members that are
// called back, connections that outlive their certificates; and floods of handshakes.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log_filter.h"
#include "gtest/gtest.h"
#include "rpc/tls/handshake_limit.h"
#include "rpc/tls/handshake_testing.h"
#include "rpc/tls/tls_fault.h"
#include "rpc/tls/tls_transport.h"

namespace skep {
namespace {

// One more connection of `client`, after Run.
class LifetimeTest : public HandshakeTest {
 protected:
  void ConnectAgain(const Credentials& client) {
    client_.reset();
    status_.reset();
    client_tls_.emplace(bed_.client(), client);
    client_tls_->Connect(
        Address::Tcp("server", 7000), absl::Seconds(20), [this](auto stream) {
          status_ = stream.status();
          if (!stream.ok()) return;
          client_ = std::make_unique<TestPeer>(bed_, *std::move(stream));
          client_->Start();
          client_->stream().Write("hello");
        });
    bed_.executor().RunFor(absl::Seconds(30));
  }
  void Say(const std::string& text, absl::Duration and_wait = absl::Seconds(1)) {
    client_->stream().Write(text);
    bed_.executor().RunFor(and_wait);
  }
};

// --- Renewal and new authorities
// ------------------------------------------------------

TEST_F(LifetimeTest, ARenewedCertificateNeedsNoRestart) {
  Run(Fleet().Credentials(Fleet().Member("master", absl::Hours(-1), absl::Hours(-2))),
      Member("worker-1"));
  ASSERT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "expired");
  server_live_->Replace(Fleet().Credentials("master"));
  ConnectAgain(Member("worker-1"));
  ASSERT_NE(client_, nullptr) << ClientSays();
  EXPECT_EQ(server_->received, "hello");
}

TEST_F(LifetimeTest, ConnectionsOutliveARenewal) {
  Run(Member("master"), Member("worker-1"));
  ASSERT_NE(client_, nullptr) << ClientSays();
  server_live_->Replace(Fleet().Credentials("master"));
  Say(", again");
  EXPECT_EQ(server_->received, "hello, again");
}

// While a fleet goes over to a new authority its members know both.
TEST_F(LifetimeTest, ABundleKnowsTheMembersOfBothAuthorities) {
  const TestFleet next("bees");
  const std::string both =
      Fleet().authority().certificate + next.authority().certificate;
  const auto old_one = TlsCredentials::FromPem(both, Fleet().Member("master"));
  const auto new_one = TlsCredentials::FromPem(both, next.Member("worker-1"));
  ASSERT_TRUE(old_one.ok() && new_one.ok());
  Run(*old_one, *new_one);
  ASSERT_NE(client_, nullptr) << ClientSays();
  // And when the old one has gone, so have its members.
  ConnectAgain(*TlsCredentials::FromPem(both, Fleet().Member("worker-3")));
  ASSERT_NE(client_, nullptr) << ClientSays();
  server_live_->Replace(next.Credentials("master"));
  Say(", again");
  EXPECT_EQ(server_->received, "hello");
  EXPECT_HAS(ServerSays(), "is not in ca.pem any more");
}

// --- Revocation
// ------------------------------------------------------------------------

TEST_F(LifetimeTest, ARevokedClientIsRefusedAndTold) {
  const CertifiedKey thief = Fleet().Member("worker-1");
  Run(Fleet().Knowing(Fleet().Member("master"), {thief}), Fleet().Credentials(thief));
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "refused our certificate: revoked");
  EXPECT_HAS(ServerSays(), "its certificate is revoked");
  // By serial: the name may have another one.
  ConnectAgain(Fleet().Credentials("worker-1"));
  EXPECT_NE(client_, nullptr) << ClientSays();
}

TEST_F(LifetimeTest, ARevokedServerIsRefused) {
  const CertifiedKey thief = Fleet().Member("master");
  Run(Fleet().Credentials(thief), Fleet().Knowing(Fleet().Member("w"), {thief}));
  EXPECT_EQ(client_, nullptr);
  EXPECT_HAS(ClientSays(), "its certificate is revoked");
}

TEST_F(LifetimeTest, AConnectionIsCutBeforeTheNextByteOfARevokedPeer) {
  const CertifiedKey thief = Fleet().Member("worker-1");
  const CertifiedKey own = Fleet().Member("master");
  Run(Fleet().Credentials(own), Fleet().Credentials(thief));
  ASSERT_NE(client_, nullptr) << ClientSays();
  server_live_->Replace(Fleet().Knowing(own, {Fleet().Member("another")}));
  Say(" and ");
  EXPECT_EQ(server_->received, "hello and ");
  server_live_->Replace(Fleet().Knowing(own, {thief}));
  Say("give me the honey");
  EXPECT_EQ(server_->received, "hello and ");
  EXPECT_EQ(server_->reason.code(), absl::StatusCode::kUnavailable);
  EXPECT_HAS(ServerSays(), "skep://bees/worker-1 was revoked");
  EXPECT_EQ(client_->closed, 1);
}

TEST_F(LifetimeTest, NothingIsSaidToARevokedPeer) {
  const CertifiedKey thief = Fleet().Member("worker-1");
  const CertifiedKey own = Fleet().Member("master");
  Run(Fleet().Credentials(own), Fleet().Credentials(thief));
  ASSERT_NE(client_, nullptr) << ClientSays();
  server_live_->Replace(Fleet().Knowing(own, {thief}));
  server_->stream().Write("the honey");
  bed_.executor().RunFor(absl::Seconds(1));
  EXPECT_EQ(client_->received, "");
  EXPECT_EQ(server_->closed, 1);
}

// --- Connections that outlive their certificates
// ---------------------------------------

TEST_F(LifetimeTest, AConnectionEndsWithItsCertificateOnceItIsQuiet) {
  Run(Member("master"),
      Fleet().Credentials(Fleet().Member("worker-1", absl::Seconds(100))));
  ASSERT_NE(client_, nullptr) << ClientSays();
  bed_.executor().RunFor(absl::Seconds(60));
  EXPECT_EQ(server_->closed, 0);
  for (int i = 0; i < 20; ++i) Say(".", absl::Seconds(10));
  EXPECT_EQ(server_->closed, 0) << ServerSays();
  bed_.executor().RunFor(absl::Seconds(70));
  EXPECT_EQ(server_->reason.code(), absl::StatusCode::kUnavailable);
  EXPECT_HAS(ServerSays(), "the certificate of skep://bees/worker-1");
  EXPECT_HAS(ServerSays(), "has expired");
  EXPECT_EQ(client_->closed, 1);
}

TEST_F(LifetimeTest, AConnectionThatIsNeverQuietEndsAnHourLater) {
  Run(Fleet().Credentials(Fleet().Member("master", absl::Seconds(100))),
      Member("worker-1"));
  ASSERT_NE(client_, nullptr) << ClientSays();
  for (int i = 0; i < 350; ++i) Say(".", absl::Seconds(10));
  EXPECT_EQ(client_->closed, 0) << client_->reason;
  for (int i = 0; i < 30 && client_->closed == 0; ++i) Say(".", absl::Seconds(10));
  EXPECT_HAS(client_->reason.ToString(), "the certificate of skep://bees/master");
}

// --- Floods
// ------------------------------------------------------------------------------

TEST_F(LifetimeTest, SilentConnectionsOfOneSourceDoNotShutOutOthers) {
  server_tls_.emplace(bed_.server(), Member("master"));
  int accepted = 0;
  std::vector<std::unique_ptr<TestPeer>> served;
  listener_ = *server_tls_->Listen(Address::Tcp("server", 7000), [&](auto stream) {
    ++accepted;
    served.push_back(std::make_unique<TestPeer>(bed_, std::move(stream)));
    served.back()->Start();
  });
  std::vector<std::unique_ptr<Stream>> silent;
  for (int i = 0; i < 2 * kMaxHandshakes; ++i) {
    bed_.network().host("flood").Connect(Address::Tcp("server", 7000), absl::Seconds(5),
                                         [&](auto stream) {
                                           if (stream.ok())
                                             silent.push_back(*std::move(stream));
                                         });
  }
  bed_.executor().RunFor(absl::Seconds(2));
  EXPECT_EQ(accepted, kMaxHandshakes / 2);
  ConnectAgain(Member("worker-1"));
  EXPECT_NE(client_, nullptr) << ClientSays();
  bed_.executor().RunFor(kHandshakeTimeout);
  silent.clear();
  client_.reset();
}

TEST(HandshakeLimit, OneSourceGetsHalfAndThenAShare) {
  const auto limit = std::make_shared<HandshakeLimit>(10, 2);
  std::vector<HandshakeLimit::Place> places;
  const auto take = [&](const char* peer) {
    auto place = limit->Take(peer);
    if (!place.has_value()) return false;
    places.push_back(*std::move(place));
    return true;
  };
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(take("10.0.0.1:99")) << i;
  EXPECT_FALSE(take("10.0.0.1:100"));
  EXPECT_TRUE(take("10.0.0.2:1"));
  EXPECT_TRUE(take("10.0.0.2:2"));
  EXPECT_FALSE(take("10.0.0.2:3"));
  for (const char* const peer : {"10.0.0.3:1", "10.0.0.4:1", "10.0.0.5:1"}) {
    EXPECT_TRUE(take(peer));
  }
  EXPECT_FALSE(take("10.0.0.6:1"));
  places.clear();
  EXPECT_TRUE(take("10.0.0.1:101"));
}

TEST(HandshakeLimit, ASourceIsAMachineOrANetwork) {
  EXPECT_EQ(SourceOf("192.0.2.7:4711"), SourceOf("192.0.2.7:1"));
  EXPECT_NE(SourceOf("192.0.2.7:4711"), SourceOf("192.0.2.8:4711"));
  EXPECT_EQ(SourceOf("[2001:db8::1]:1"), SourceOf("[2001:db8::ffff:2]:9"));
  EXPECT_NE(SourceOf("[2001:db8::1]:1"), SourceOf("[2001:db8:0:1::1]:1"));
  EXPECT_NE(SourceOf("[::ffff:192.0.2.7]:1"), SourceOf("[::ffff:192.0.2.8]:1"));
  EXPECT_EQ(SourceOf("unix:/run/a"), SourceOf("unix:/run/b"));
}

TEST(LogFilter, SaysTheSameOnceAMinuteAndSomeInAll) {
  LogFilter filter;
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_TRUE(filter.Passes("a", now));
  EXPECT_FALSE(filter.Passes("a", now + LogFilter::kAgainAfter / 2));
  EXPECT_TRUE(filter.Passes("a", now + LogFilter::kAgainAfter));
  size_t passed = 0;
  for (int i = 0; i < 1000; ++i)
    passed += filter.Passes(std::to_string(i), now + LogFilter::kAgainAfter);
  EXPECT_EQ(passed, LogFilter::kMostAMinute - 1);
}

}  // namespace
}  // namespace skep
