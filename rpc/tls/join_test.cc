// Tokens, and joining by them. Integration: loopback sockets.

#include "rpc/tls/join.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "rpc/tcp_transport.h"
#include "rpc/tls/folder_lock.h"
#include "rpc/tls/test_fleet.h"

namespace skep {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);

Authority AuthorityOf(const TestFleet& fleet) {
  return *Authority::FromPem(fleet.authority());
}

TEST(JoinToken, IsGoodUntilItExpires) {
  const Authority authority = AuthorityOf(TestFleet("bees"));
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const auto token = JoinToken::Parse(authority.MakeToken(absl::Minutes(10), now));
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->fingerprint, authority.fingerprint());
  EXPECT_EQ(token->expiry, now + absl::Minutes(10));
  EXPECT_TRUE(authority.CheckSecret(token->secret, now).ok());
  EXPECT_TRUE(authority.CheckSecret(token->secret, now + absl::Seconds(599)).ok());
  const absl::Status late =
      authority.CheckSecret(token->secret, now + absl::Minutes(10));
  EXPECT_EQ(late.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(late.ToString().find("expired at"), std::string::npos) << late;
}

TEST(JoinToken, NoCharacterOfItCanBeChanged) {
  const Authority authority = AuthorityOf(TestFleet("bees"));
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const std::string text = authority.MakeToken(absl::Minutes(10), now);
  const std::string secret = JoinToken::Parse(text)->secret;
  for (size_t i = 0; i < secret.size(); ++i) {
    std::string forged = secret;
    forged[i] = forged[i] == '9' ? '8' : '9';
    EXPECT_FALSE(authority.CheckSecret(forged, now).ok()) << i;
    EXPECT_FALSE(authority.CheckSecret(secret.substr(0, i), now).ok()) << i;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(JoinToken::Parse(text.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(AuthorityOf(TestFleet("bees")).CheckSecret(secret, now).ok());
}

TEST(Authority, KeepsItsKeyToItself) {
  const std::string directory =
      testing::TempDir() + "/authority" + std::to_string(getpid());
  EXPECT_EQ(Authority::Open(directory).status().code(), absl::StatusCode::kNotFound);
  const auto made = Authority::Create(directory, "bees", absl::Hours(1), absl::Now());
  ASSERT_TRUE(made.ok()) << made.status();
  struct stat info;
  ASSERT_EQ(stat((directory + "/ca-key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(
      Authority::Create(directory, "bees", absl::Hours(1), absl::Now()).status().code(),
      absl::StatusCode::kAlreadyExists);
  const auto opened = Authority::Open(directory);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->fingerprint(), made->fingerprint());
  // Nor does it share its folder, where a member's ca.pem would replace its own.
  EXPECT_EQ(WriteMember(directory, {.authority = "another's"}).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(Authority::Open(directory).ok());
  const std::string members = directory + "-member";
  ASSERT_TRUE(WriteMember(members, {.authority = "an authority's"}).ok());
  EXPECT_EQ(
      Authority::Create(members, "bees", absl::Hours(1), absl::Now()).status().code(),
      absl::StatusCode::kAlreadyExists);
  const absl::Time now = absl::Now();
  const auto token = JoinToken::Parse(made->MakeToken(absl::Minutes(1), now));
  EXPECT_TRUE(opened->CheckSecret(token->secret, now).ok());
  chmod((directory + "/ca-key.pem").c_str(), 0644);
  EXPECT_EQ(Authority::Open(directory).status().code(),
            absl::StatusCode::kPermissionDenied);
}

// What an authority remembers, in a folder of its own.
class RecordsTest : public testing::Test {
 protected:
  // A member of that name, as `skep cert issue` makes them.
  Membership Issue(const std::string& name, absl::Duration valid_for = absl::Hours(9)) {
    Membership member;
    member.authority = authority_->certificate();
    member.own.key = *MakePrivateKey();
    member.own.certificate =
        *authority_->Sign(*MakeSigningRequest(member.own.key), name,
                          {"host.example.org"}, valid_for, absl::Now());
    return member;
  }
  static std::string SerialOf(const Membership& member) {
    return DescribeCertificate(member.own.certificate)->serial;
  }
  absl::StatusOr<std::string> Renew(const Membership& member, const std::string& key) {
    return authority_->Renew(*MakeSigningRequest(key), member.own.certificate,
                             absl::Hours(100), absl::Now());
  }

  const std::string directory_ =
      testing::TempDir() + "/records" + std::to_string(getpid()) +
      testing::UnitTest::GetInstance()->current_test_info()->name();
  const absl::StatusOr<Authority> authority_ =
      Authority::Create(directory_, "bees", absl::Hours(1000), absl::Now());
};

TEST_F(RecordsTest, RevokesByNameAndBySerial) {
  const std::string a1 = SerialOf(Issue("a")), a2 = SerialOf(Issue("a"));
  const std::string old = SerialOf(Issue("a", absl::Seconds(-1)));
  const std::string b = SerialOf(Issue("b")), c = SerialOf(Issue("c"));
  EXPECT_EQ(authority_->Issued()->size(), 5u);
  EXPECT_EQ(*authority_->RevokedPem(), "");
  EXPECT_EQ(authority_->Revoke("nobody", absl::Now()).status().code(),
            absl::StatusCode::kNotFound);

  EXPECT_EQ(authority_->Revoke("a", absl::Now())->size(), 2u);
  EXPECT_EQ(authority_->Revoke("a", absl::Now())->size(), 0u) << "they are already";
  EXPECT_EQ(authority_->Revoke(b, absl::Now())->size(), 1u);
  // Of one that was made before anything was written down.
  EXPECT_EQ(authority_->Revoke("0123456789abcdef0123", absl::Now())->size(), 1u);
  const auto list = Authority::Open(directory_)->Revoked();
  ASSERT_TRUE(list.ok()) << list.status();
  for (const std::string& serial : {a1, a2, b}) EXPECT_TRUE(list->Contains(serial));
  for (const std::string& serial : {old, c}) EXPECT_FALSE(list->Contains(serial));
  EXPECT_EQ(list->size(), 4u);
}

// Whoever has the key of one of a member's certificates has the others, too.
TEST_F(RecordsTest, ASerialNumberStandsForItsMember) {
  const Membership first = Issue("a");
  const std::string renewed = DescribeCertificate(*Renew(first, first.own.key))->serial;
  const std::string b1 = SerialOf(Issue("b")), b2 = SerialOf(Issue("b"));
  EXPECT_EQ(authority_->Revoke(SerialOf(first), absl::Now())->size(), 2u);
  EXPECT_TRUE(authority_->Revoked()->Contains(renewed));
  EXPECT_EQ(authority_->Revoke(b1, absl::Now(), /*only=*/true)->size(), 1u);
  EXPECT_FALSE(authority_->Revoked()->Contains(b2));
}

TEST_F(RecordsTest, ARenewalLastsAsLongAsWhatWasThereBefore) {
  const auto end_of = [](const absl::StatusOr<std::string>& certificate) {
    return DescribeCertificate(*certificate)->not_after;
  };
  const auto renew = [&](const Membership& member, std::optional<absl::Duration> want) {
    return authority_->Renew(*MakeSigningRequest(member.own.key),
                             member.own.certificate, want, absl::Now());
  };
  const Membership a = Issue("a", absl::Hours(700));
  const absl::Time same = end_of(renew(a, std::nullopt));
  EXPECT_LT(absl::AbsDuration(same - absl::Now() - absl::Hours(700)), absl::Minutes(5));
  EXPECT_LT(end_of(renew(a, absl::Hours(3))), absl::Now() + absl::Hours(4));
  // Nobody would believe it after its authority's end.
  const absl::Time last = DescribeCertificate(authority_->certificate())->not_after;
  EXPECT_EQ(end_of(renew(a, absl::Hours(9000))), last);
  EXPECT_EQ(
      authority_->Sign(*MakeSigningRequest(a.own.key), "late", {}, absl::Hours(1), last)
          .status()
          .code(),
      absl::StatusCode::kFailedPrecondition);
}

// While a fleet goes over from one authority to another, each has a list.
TEST_F(RecordsTest, OneAuthoritysListTakesNothingFromAnothers) {
  const auto other =
      Authority::Create(directory_ + "-other", "bees", absl::Hours(1000), absl::Now());
  ASSERT_TRUE(other.ok()) << other.status();
  Membership member = Issue("a");
  const std::string bundle = authority_->certificate() + other->certificate();
  member.authority = bundle;
  const std::string folder = directory_ + "-member";
  ASSERT_TRUE(WriteMember(folder, member).ok());
  const auto known = [&] { return (*TlsCredentials::Load(folder))->revoked().size(); };
  ASSERT_TRUE(authority_->Revoke("0000000000000001", absl::Now()).ok());
  const std::string old_list = *authority_->RevokedPem();
  ASSERT_TRUE(authority_->Revoke("0000000000000002", absl::Now()).ok());
  ASSERT_TRUE(UpdateRevoked(folder, *authority_->RevokedPem()).ok());
  EXPECT_EQ(known(), 2u);
  ASSERT_TRUE(other->Revoke("0000000000000003", absl::Now()).ok());
  ASSERT_TRUE(UpdateRevoked(folder, *other->RevokedPem()).ok());
  EXPECT_EQ(known(), 3u) << "both lists count";
  ASSERT_TRUE(UpdateRevoked(folder, old_list).ok());
  EXPECT_EQ(known(), 3u) << "and none is taken back";
}

TEST_F(RecordsTest, RenewsForTheHolderOfTheKeyAlone) {
  const Membership a = Issue("a");
  const auto renewed = Renew(a, a.own.key);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  const auto info = DescribeCertificate(*renewed);
  EXPECT_EQ(info->identity.ToString(), "skep://bees/a");
  EXPECT_EQ(info->hosts, DescribeCertificate(a.own.certificate)->hosts);
  EXPECT_NE(info->serial, SerialOf(a));
  EXPECT_GT(info->not_after, absl::Now() + absl::Hours(99));
  EXPECT_TRUE(CheckKeyFits(*renewed, a.own.key).ok());
  EXPECT_EQ(authority_->Issued()->back().serial, info->serial);

  const auto refused = [&](const absl::StatusOr<std::string>& answer,
                           const std::string& why) {
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_NE(answer.status().ToString().find(why), std::string::npos)
        << answer.status();
  };
  refused(Renew(a, *MakePrivateKey()), "not by the certificate's key");
  const Membership old = Issue("a", absl::Seconds(-1));
  refused(Renew(old, old.own.key), "not valid now");
  const CertifiedKey strange = TestFleet("bees").Member("a");
  refused(Renew({.own = strange}, strange.key), "not one of this fleet's authority");
  refused(Renew({.own = {.certificate = authority_->certificate()}}, a.own.key),
          "not one of this fleet's authority");
  ASSERT_TRUE(authority_->Revoke(SerialOf(a), absl::Now()).ok());
  refused(Renew(a, a.own.key), "is revoked");
}

TEST_F(RecordsTest, ALockThatAnotherKeepsIsNotWaitedForForEver) {
  const std::string path = directory_ + "/lock";
  {
    const auto held = FolderLock::Take(path);
    ASSERT_TRUE(held.ok()) << held.status();
    const auto second = FolderLock::Take(path, absl::Milliseconds(20));
    EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_NE(second.status().ToString().find(path + " has been locked"),
              std::string::npos)
        << second.status();
  }
  EXPECT_TRUE(FolderLock::Take(path, absl::ZeroDuration()).ok());
}

TEST_F(RecordsTest, WhoRevokeAtOnceLoseNothingOfEachOther) {
  std::vector<std::string> serials;
  for (int i = 0; i < 20; ++i) serials.push_back(SerialOf(Issue(StrCat("m", i))));
  const auto revoke = [&](size_t first) {
    for (size_t i = first; i < serials.size(); i += 2) {
      EXPECT_TRUE(authority_->Revoke(serials[i], absl::Now()).ok());
    }
  };
  std::thread other(revoke, 1);
  revoke(0);
  other.join();
  const auto list = authority_->Revoked();
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->size(), serials.size());
}

TEST_F(RecordsTest, NobodyRenewsAwayFromBeingRevoked) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = StrCat("m", i);
    const Membership member = Issue(name);
    std::thread other([&] { EXPECT_TRUE(authority_->Revoke(name, absl::Now()).ok()); });
    const auto renewed = Renew(member, member.own.key);
    other.join();
    // Before: then the new one is called back with the old. Or after: refused.
    if (!renewed.ok()) continue;
    EXPECT_TRUE(authority_->Revoked()->Contains(DescribeCertificate(*renewed)->serial))
        << i;
  }
}

TEST_F(RecordsTest, ALineThatWasCutHidesNoOther) {
  Issue("a");
  const std::string path = directory_ + "/" + Authority::kIssuedFile;
  std::ofstream(path, std::ios::app) << "0123456789abcdef01 b 17";  // no more came
  const std::string c = SerialOf(Issue("c"));
  std::ofstream(path, std::ios::app) << "0123456789abcdef01 d\n";
  const std::string e = SerialOf(Issue("e"));
  const auto issued = authority_->Issued();
  ASSERT_TRUE(issued.ok()) << issued.status();
  for (const std::string& serial : {c, e}) {
    EXPECT_EQ(std::count_if(issued->begin(), issued->end(),
                            [&](const auto& one) { return one.serial == serial; }),
              1);
  }
  EXPECT_TRUE(authority_->Revoke("c", absl::Now()).ok());
}

TEST_F(RecordsTest, AListThatCannotBeReadIsNotNone) {
  const Membership member = Issue("a");
  const std::string path = directory_ + "/revoked.pem";
  const auto expect_refused = [&](const std::string& what) {
    EXPECT_FALSE(authority_->RevokedPem().ok()) << what;
    EXPECT_FALSE(authority_->Revoked().ok()) << what;
    EXPECT_FALSE(Renew(member, member.own.key).ok()) << what;
    EXPECT_FALSE(authority_->Revoke("a", absl::Now()).ok()) << what;
  };
  std::ofstream(path).close();
  expect_refused("empty");
  unlink(path.c_str());
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  expect_refused("a folder");
  rmdir(path.c_str());
  ASSERT_EQ(symlink("/proc/self/mem", path.c_str()), 0);
  expect_refused("an error while it is read");
  unlink(path.c_str());
  ASSERT_EQ(symlink("gone", path.c_str()), 0);
  expect_refused("a link to nothing");
  unlink(path.c_str());
  EXPECT_TRUE(Renew(member, member.own.key).ok());

  const std::string issued = directory_ + "/" + Authority::kIssuedFile;
  unlink(issued.c_str());
  ASSERT_EQ(mkdir(issued.c_str(), 0700), 0);
  EXPECT_FALSE(authority_->Issued().ok());
  rmdir(issued.c_str());
}

class JoinTest : public testing::Test {
 protected:
  void Serve(const TestFleet& fleet, JoinServerOptions options = {}) {
    auto server = JoinServer::Listen(transport_, Address::Tcp("127.0.0.1", 0),
                                     AuthorityOf(fleet), fleet.Live("master"), options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  absl::StatusOr<Membership> Join(const std::string& token,
                                  const std::string& name = "worker-7") {
    return JoinFleet(transport_, server_->address(), token, name, kTimeout);
  }
  static std::string Token(const TestFleet& fleet,
                           absl::Duration valid_for = absl::Minutes(5)) {
    return AuthorityOf(fleet).MakeToken(valid_for, absl::Now());
  }

  TcpTransport transport_{1};
  ThreadPool pool_{"join", 1};
  const TestFleet fleet_{"bees"};
  std::unique_ptr<JoinServer> server_;
};

TEST_F(JoinTest, AMachineWithATokenBecomesAMember) {
  Serve(fleet_);
  const auto joined = Join(Token(fleet_));
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->authority, fleet_.authority().certificate);
  const auto credentials = TlsCredentials::FromPem(joined->authority, joined->own);
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  EXPECT_EQ((*credentials)->identity().ToString(), "skep://bees/worker-7");
}

TEST_F(JoinTest, AMemberRenewsItsCertificateAndGetsTheList) {
  const std::string directory =
      testing::TempDir() + "/join_renew" + std::to_string(getpid());
  const auto authority =
      Authority::Create(directory, "bees", absl::Hours(1000), absl::Now());
  ASSERT_TRUE(authority.ok()) << authority.status();
  Membership master;
  master.own.key = *MakePrivateKey();
  master.own.certificate = *authority->Sign(*MakeSigningRequest(master.own.key),
                                            "master", {}, absl::Hours(9), absl::Now());
  const auto shown = TlsCredentials::FromPem(authority->certificate(), master.own);
  ASSERT_TRUE(shown.ok()) << shown.status();
  auto server = JoinServer::Listen(
      transport_, Address::Tcp("127.0.0.1", 0), *Authority::Open(directory),
      std::make_shared<LiveCredentials>(*shown), {.pool = &pool_});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);

  const auto joined = Join(authority->MakeToken(absl::Minutes(5), absl::Now()));
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->revoked, "");
  const auto member = TlsCredentials::FromPem(joined->authority, joined->own);
  ASSERT_TRUE(member.ok()) << member.status();

  // An older list than the member's, of a folder that was restored, does not take its
  // place.
  ASSERT_TRUE(authority->Revoke("0123456789abcdef0123", absl::Now()).ok());
  const std::string older = *authority->RevokedPem();
  ASSERT_TRUE(authority->Revoke("89abcdef0123456789ab", absl::Now()).ok());
  const auto informed =
      TlsCredentials::FromPem(joined->authority, joined->own, *authority->RevokedPem());
  ASSERT_TRUE(informed.ok()) << informed.status();
  std::ofstream(directory + "/revoked.pem") << older;
  const auto again =
      RenewMembership(transport_, server_->address(), *informed, kTimeout);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->revoked, "");

  ASSERT_TRUE(authority->Revoke("master", absl::Now()).ok());
  // The server's own, as it happens: this member does not know it yet.
  const auto renewed =
      RenewMembership(transport_, server_->address(), *member, kTimeout);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->own.key, joined->own.key);
  EXPECT_NE(renewed->own.certificate, joined->own.certificate);
  const auto list = RevocationList::Parse(renewed->revoked, authority->certificate());
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->size(), 2u);

  ASSERT_TRUE(authority->Revoke("worker-7", absl::Now()).ok());
  EXPECT_EQ(RenewMembership(transport_, server_->address(), *member, kTimeout)
                .status()
                .code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(JoinTest, AnExpiredTokenIsRefused) {
  Serve(fleet_);
  const auto joined = Join(Token(fleet_, absl::Seconds(-1)));
  EXPECT_EQ(joined.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(joined.status().ToString().find("expired at"), std::string::npos)
      << joined.status();
}

TEST_F(JoinTest, AForgedSecretIsRefused) {
  Serve(fleet_);
  std::string token = Token(fleet_);
  token.back() = token.back() == '0' ? '1' : '0';
  EXPECT_EQ(Join(token).status().code(), absl::StatusCode::kPermissionDenied);
}

// The secret never leaves for a server that is not the token's.
TEST_F(JoinTest, AServerInTheMiddleIsRefused) {
  Serve(TestFleet("bees"));
  const auto joined = Join(Token(fleet_));
  EXPECT_EQ(joined.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(joined.status().ToString().find("unknown authority"), std::string::npos)
      << joined.status();
}

TEST_F(JoinTest, ABadNameIsRefused) {
  Serve(fleet_);
  EXPECT_EQ(Join(Token(fleet_), "a,URI:skep://bees/master").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(RequestLimit, EachHasItsOwnAndTheTableIsBounded) {
  RequestLimit limit({.burst = 2, .per_second = 0.5}, /*most=*/3);
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_EQ(limit.Take("a", now), absl::ZeroDuration());
  EXPECT_EQ(limit.Take("a", now), absl::ZeroDuration());
  EXPECT_EQ(limit.Take("a", now), absl::Seconds(2));
  EXPECT_EQ(limit.Take("b", now), absl::ZeroDuration()) << "b asked for nothing yet";
  EXPECT_EQ(limit.Take("a", now - absl::Hours(1)), absl::Seconds(2));
  now += absl::Seconds(2);
  EXPECT_EQ(limit.Take("a", now), absl::ZeroDuration());
  // Newcomers beyond the bound share; those who are known keep what they have.
  limit.Take("c", now);
  int granted = 0;
  for (int i = 0; i < 1000; ++i) {
    granted += limit.Take("flood" + std::to_string(i), now) == absl::ZeroDuration();
  }
  EXPECT_LE(granted, 5);
  EXPECT_EQ(limit.known(), 3u);
  EXPECT_EQ(limit.Take("c", now), absl::ZeroDuration());
  // Who was quiet for long is forgotten, and so there is room again.
  now += absl::Hours(1);
  EXPECT_EQ(limit.Take("d", now), absl::ZeroDuration());
  EXPECT_LE(limit.known(), 3u);
}

// A stranger with one certificate, or one token, uses up what is his own.
TEST_F(JoinTest, WhoAsksTooMuchKeepsNobodyFromRenewingOrJoining) {
  Serve(fleet_, {.of_source = {.burst = 100},
                 .of_token = {.burst = 1},
                 .of_member = {.burst = 1}});
  const auto renew = [this](const std::shared_ptr<const TlsCredentials>& member) {
    return RenewMembership(transport_, server_->address(), member, kTimeout).status();
  };
  const auto thief = fleet_.Credentials("thief");
  EXPECT_TRUE(renew(thief).ok());
  for (int i = 0; i < 5; ++i) {
    const absl::Status status = renew(thief);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_NE(status.ToString().find("skep://bees/thief"), std::string::npos) << status;
  }
  // Who shows another's certificate and lacks its key is not charged to that one.
  const auto honest = fleet_.Credentials("honest");
  CertifiedKey mixed = {.certificate = honest->own().certificate,
                        .key = thief->own().key};
  EXPECT_FALSE(TlsCredentials::FromPem(thief->authority(), mixed).ok());
  EXPECT_TRUE(renew(honest).ok());
  const std::string token = Token(fleet_);
  EXPECT_TRUE(Join(token).ok());
  EXPECT_EQ(Join(token).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Join(Token(fleet_)).ok()) << "another token";
}

TEST_F(JoinTest, TooManyAtOnceAreToldToWait) {
  Serve(fleet_, {.of_source = {.burst = 2}});
  const std::string token = Token(fleet_);
  EXPECT_TRUE(Join(token).ok());
  EXPECT_TRUE(Join(token).ok());
  EXPECT_EQ(Join(token).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(JoinTest, TheServerMustBeTheAuthoritys) {
  const auto server =
      JoinServer::Listen(transport_, Address::Tcp("127.0.0.1", 0), AuthorityOf(fleet_),
                         TestFleet("bees").Live("master"));
  EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace skep
