#include "rpc/tls/certificate.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/tls/credential_watcher.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/openssl.h"
#include "rpc/tls/pem.h"
#include "rpc/tls/revocation.h"
#include "rpc/tls/test_fleet.h"

namespace skep {
namespace {

TEST(Certificate, SaysWhatItWasMadeWith) {
  const TestFleet fleet("bees");
  const std::string key = *MakePrivateKey();
  CertificateSpec spec;
  spec.identity = {"bees", "worker-1"};
  spec.hosts = {"w1.example.org", "10.1.2.3", "::1"};
  spec.not_before = absl::FromUnixSeconds(1'700'000'000);
  spec.not_after = absl::FromUnixSeconds(1'800'000'000);
  const auto pem = SignRequest(fleet.authority(), *MakeSigningRequest(key), spec);
  ASSERT_TRUE(pem.ok()) << pem.status();
  const auto info = DescribeCertificate(*pem);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->identity, spec.identity);
  EXPECT_EQ(info->identity.ToString(), "skep://bees/worker-1");
  EXPECT_FALSE(info->is_authority);
  EXPECT_EQ(info->not_before, spec.not_before);
  EXPECT_EQ(info->not_after, spec.not_after);
  EXPECT_EQ(info->hosts,
            (std::vector<std::string>{"bees.skep", "w1.example.org", "10.1.2.3",
                                      "0000:0000:0000:0000:0000:0000:0000:0001"}));
  EXPECT_EQ(info->fingerprint.size(), 64u);
  EXPECT_TRUE(CheckKeyFits(*pem, key).ok());
  EXPECT_TRUE(CheckSignedBy(*pem, fleet.authority().certificate).ok());
  EXPECT_TRUE(DescribeCertificate(fleet.authority().certificate)->is_authority);
}

TEST(Certificate, NamesThatCouldMeanMoreAreRefused) {
  const TestFleet fleet("bees");
  const std::string request = *MakeSigningRequest(*MakePrivateKey());
  CertificateSpec spec;
  spec.not_before = absl::Now();
  spec.not_after = absl::Now() + absl::Hours(1);
  for (const char* const bad : {"", "a,URI:skep://bees/master", "a/b", "ä", "a b"}) {
    spec.identity = {"bees", bad};
    spec.hosts = {};
    EXPECT_EQ(SignRequest(fleet.authority(), request, spec).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bad;
    spec.identity = {"bees", "good"};
    spec.hosts = {bad};
    EXPECT_FALSE(SignRequest(fleet.authority(), request, spec).ok()) << bad;
  }
}

TEST(Certificate, WhatWouldNeverBeValidIsNotMade) {
  const TestFleet fleet("bees");
  const std::string request = *MakeSigningRequest(*MakePrivateKey());
  CertificateSpec spec;
  spec.identity = {"bees", "good"};
  spec.not_before = absl::Now();
  for (const absl::Duration validity :
       {-absl::Hours(1), absl::ZeroDuration(), absl::Hours(24.0 * 99'999'999),
        absl::InfiniteDuration()}) {
    spec.not_after = spec.not_before + validity;
    EXPECT_EQ(SignRequest(fleet.authority(), request, spec).status().code(),
              absl::StatusCode::kInvalidArgument)
        << validity;
  }
  spec.not_after = spec.not_before + absl::Hours(24 * 36500);
  EXPECT_TRUE(SignRequest(fleet.authority(), request, spec).ok());
}

TEST(Certificate, FleetsMayHaveLongNames) {
  const std::string fleet(63, 'f');
  const TestFleet long_one(fleet);
  EXPECT_EQ(DescribeCertificate(long_one.Member("w").certificate)->identity,
            (Identity{fleet, "w"}));
}

TEST(Certificate, ARequestMustBeSignedByItsOwnKey) {
  const TestFleet fleet("bees");
  std::string request = *MakeSigningRequest(*MakePrivateKey());
  CertificateSpec spec;
  spec.identity = {"bees", "good"};
  spec.not_after = absl::Now();
  ASSERT_TRUE(SignRequest(fleet.authority(), request, spec).ok());
  char& damaged = request[request.size() / 2];
  damaged = damaged == 'A' ? 'B' : 'A';
  EXPECT_FALSE(SignRequest(fleet.authority(), request, spec).ok());
  EXPECT_FALSE(SignRequest(fleet.authority(), "nonsense", spec).ok());
}

class LoadTest : public testing::Test {
 protected:
  LoadTest() { mkdir(directory_.c_str(), 0700); }
  void Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::ofstream(directory_ + "/" + name) << text;
    chmod((directory_ + "/" + name).c_str(), mode);
  }
  void WriteMember(const CertifiedKey& own) {
    Write("ca.pem", fleet_.authority().certificate);
    Write("cert.pem", own.certificate);
    Write("key.pem", own.key);
  }
  std::string LoadError() {
    return std::string(Message(TlsCredentials::Load(directory_).status()));
  }

  const TestFleet fleet_{"bees"};
  const std::string directory_ = testing::TempDir() + "/tls_load";
};

#define EXPECT_HAS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << "it is: " << (text)

TEST_F(LoadTest, WhatIsWrongIsSaid) {
  EXPECT_HAS(LoadError(), "ca.pem: a member's folder holds");
  WriteMember(fleet_.Member("a"));
  const auto good = TlsCredentials::Load(directory_);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ((*good)->identity().ToString(), "skep://bees/a");

  Write("key.pem", fleet_.Member("b").key);
  EXPECT_HAS(LoadError(), "not that of the certificate");
  WriteMember(fleet_.Member("a", absl::Hours(-1), absl::Hours(-2)));
  EXPECT_HAS(LoadError(), "was good until");
  WriteMember(fleet_.Member("a", absl::Hours(9), absl::Hours(2)));
  EXPECT_HAS(LoadError(), "compare the clocks");
  WriteMember(TestFleet("bees").Member("a"));
  EXPECT_HAS(LoadError(), "not signed by the authority of ca.pem");
  WriteMember(fleet_.authority());
  EXPECT_HAS(LoadError(), "names no member");
  WriteMember(fleet_.Member("a"));
  chmod((directory_ + "/key.pem").c_str(), 0640);
  EXPECT_HAS(LoadError(), "chmod 600");
}

TEST_F(LoadTest, AListThatCannotBeReadIsNotNone) {
  WriteMember(fleet_.Member("a"));
  ASSERT_EQ(LoadError(), "");
  const std::string path = directory_ + "/revoked.pem";
  Write("revoked.pem", "");
  EXPECT_HAS(LoadError(), "revoked.pem is empty");
  unlink(path.c_str());
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  EXPECT_HAS(LoadError(), "cannot read");
  rmdir(path.c_str());
  ASSERT_EQ(symlink("gone", path.c_str()), 0);
  EXPECT_HAS(LoadError(), "cannot read");
  unlink(path.c_str());
}

// Each error names the file, and what to do.
TEST_F(LoadTest, DamagedFilesAreNamed) {
  const CertifiedKey own = fleet_.Member("a");
  for (const std::string file : {"ca.pem", "cert.pem", "key.pem"}) {
    WriteMember(own);
    ASSERT_TRUE(TlsCredentials::Load(directory_).ok());
    const std::string whole = file == "ca.pem"    ? fleet_.authority().certificate
                              : file == "key.pem" ? own.key
                                                  : own.certificate;
    for (const size_t kept : {size_t{0}, size_t{10}, whole.size() / 2}) {
      Write(file, whole.substr(0, kept));
      EXPECT_HAS(LoadError(), directory_ + "/" + file);
      EXPECT_HAS(LoadError(), "skep cert issue");
    }
  }
  WriteMember(own);
  Write("revoked.pem", "nonsense");
  EXPECT_HAS(LoadError(), directory_ + "/revoked.pem");
  unlink((directory_ + "/revoked.pem").c_str());
  Write("ca-key.pem", fleet_.authority().key);
  EXPECT_TRUE(TlsCredentials::Load(directory_).ok());
  unlink((directory_ + "/cert.pem").c_str());
  EXPECT_HAS(LoadError(), "is an authority's folder and no member's");
  unlink((directory_ + "/ca-key.pem").c_str());
}

// --- Revocation
// ------------------------------------------------------------------------

uint64_t NumberOf(const RevocationList& list, const TestFleet& authority) {
  const auto certificate = ParseCertificate(authority.authority().certificate);
  return list.number(KeyDigest(certificate->get()));
}

TEST(RevocationList, HoldsWhatTheAuthorityHasSigned) {
  const TestFleet fleet("bees");
  const std::string serial = DescribeCertificate(fleet.Member("a").certificate)->serial;
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  RevocationList list;
  list.Add(serial, now);
  const auto pem = list.Sign(fleet.authority(), now);
  ASSERT_TRUE(pem.ok()) << pem.status();
  const auto read = RevocationList::Parse(*pem, fleet.authority().certificate);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), 1u);
  EXPECT_TRUE(read->Contains(serial));
  EXPECT_EQ(read->entries().at(serial), now);
  EXPECT_FALSE(
      read->Contains(DescribeCertificate(fleet.Member("a").certificate)->serial));
  EXPECT_EQ(NumberOf(*read, fleet), 1u);
  EXPECT_EQ(NumberOf(*RevocationList::Parse(*read->Sign(fleet.authority(), now),
                                            fleet.authority().certificate),
                     fleet),
            2u);
}

TEST(RevocationList, AForgedOrDamagedOneIsRefused) {
  const TestFleet fleet("bees");
  const TestFleet impostors("bees");
  RevocationList list;
  list.Add("0a1b2c3d4e5f60718293a4b5c6d7e8f901020304", absl::Now());
  const std::string forged = *list.Sign(impostors.authority(), absl::Now());
  EXPECT_EQ(
      RevocationList::Parse(forged, fleet.authority().certificate).status().code(),
      absl::StatusCode::kFailedPrecondition);
  const std::string good = *list.Sign(fleet.authority(), absl::Now());
  for (size_t i = 0; i < good.size(); i += 7) {
    std::string damaged = good;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    if (damaged == good) continue;
    const auto read = RevocationList::Parse(damaged, fleet.authority().certificate);
    // A line break may be anywhere: what is then read is what was signed.
    EXPECT_TRUE(!read.ok() || read->size() == 1) << i;
    if (i + 2 > good.size()) continue;  // but for the last line break it is whole
    EXPECT_FALSE(
        RevocationList::Parse(good.substr(0, i), fleet.authority().certificate).ok());
  }
}

// --- A folder that changes
// -------------------------------------------------------------

class WatcherTest : public LoadTest {
 protected:
  // Whatever the file system's clock does: another size, or another inode.
  void Put(const std::string& name, const std::string& text) {
    Write(name + ".new", text);
    ASSERT_EQ(rename((directory_ + "/" + name + ".new").c_str(),
                     (directory_ + "/" + name).c_str()),
              0);
  }
  std::string ListOf(const std::vector<CertifiedKey>& revoked, uint64_t number = 1) {
    std::string pem;
    for (uint64_t i = 0; i < number; ++i) {
      RevocationList list =
          pem.empty() ? RevocationList()
                      : *RevocationList::Parse(pem, fleet_.authority().certificate);
      for (const CertifiedKey& one : revoked) {
        list.Add(DescribeCertificate(one.certificate)->serial, absl::Now());
      }
      pem = *list.Sign(fleet_.authority(), absl::Now());
    }
    return pem;
  }
};

TEST_F(WatcherTest, TakesUpWhatIsGoodAndKeepsWhatItHasElse) {
  unlink((directory_ + "/revoked.pem").c_str());
  const CertifiedKey first = fleet_.Member("a", absl::Hours(10));
  WriteMember(first);
  const auto watcher = CredentialWatcher::Open(directory_, absl::Now());
  ASSERT_TRUE(watcher.ok()) << watcher.status();
  LiveCredentials& live = *(*watcher)->credentials();
  const auto at_first = live.Get();
  (*watcher)->Check(absl::Now());
  EXPECT_EQ(live.Get(), at_first) << "nothing has changed";
  EXPECT_EQ(live.generation(), 0u);

  // Half of an edit: the certificate of another key.
  const CertifiedKey second = fleet_.Member("a", absl::Hours(20));
  Put("cert.pem", second.certificate);
  (*watcher)->Check(absl::Now());
  EXPECT_EQ(live.Get(), at_first);
  Put("key.pem", second.key);
  (*watcher)->Check(absl::Now());
  ASSERT_NE(live.Get(), at_first);
  EXPECT_EQ(live.Get()->own().certificate, second.certificate);
  EXPECT_EQ(live.generation(), 1u);

  for (const std::string& bad :
       {std::string("nonsense"), std::string(),
        fleet_.Member("a", absl::Hours(-1), absl::Hours(-2)).certificate}) {
    Put("cert.pem", bad);
    (*watcher)->Check(absl::Now());
    EXPECT_EQ(live.Get()->own().certificate, second.certificate) << bad;
  }
  // Another's folder, copied over ours by mistake.
  WriteMember(fleet_.Member("another"));
  (*watcher)->Check(absl::Now());
  EXPECT_EQ(live.Get()->identity().name, "a");
}

TEST_F(WatcherTest, AListIsNeverTakenBack) {
  unlink((directory_ + "/revoked.pem").c_str());
  const CertifiedKey thief = fleet_.Member("thief");
  WriteMember(fleet_.Member("a"));
  const auto watcher = CredentialWatcher::Open(directory_, absl::Now());
  ASSERT_TRUE(watcher.ok()) << watcher.status();
  const auto revoked = [&] { return (*watcher)->credentials()->Get()->revoked(); };
  EXPECT_EQ(revoked().size(), 0u);
  Put("revoked.pem", ListOf({thief}, 2));
  (*watcher)->Check(absl::Now());
  EXPECT_TRUE(revoked().Contains(DescribeCertificate(thief.certificate)->serial));
  Put("revoked.pem", ListOf({}, 1));  // an older one
  (*watcher)->Check(absl::Now());
  EXPECT_EQ(revoked().size(), 1u);
  unlink((directory_ + "/revoked.pem").c_str());
  (*watcher)->Check(absl::Now());
  EXPECT_EQ(revoked().size(), 1u);
  Put("revoked.pem", ListOf({}, 3));
  (*watcher)->Check(absl::Now());
  EXPECT_EQ(revoked().size(), 0u);
}

// Each authority of a bundle counts its own lists: a newer one of the one does not
// stand for that of the other.
TEST_F(WatcherTest, AListOfOneAuthorityIsNotTakenBackForAnothers) {
  unlink((directory_ + "/revoked.pem").c_str());
  const TestFleet next("bees");
  const CertifiedKey thief = fleet_.Member("thief");
  WriteMember(fleet_.Member("a"));
  Write("ca.pem", fleet_.authority().certificate + next.authority().certificate);
  const std::string old_list = ListOf({thief}, 2);
  Put("revoked.pem", old_list);
  const auto watcher = CredentialWatcher::Open(directory_, absl::Now());
  ASSERT_TRUE(watcher.ok()) << watcher.status();
  const auto revoked = [&] { return (*watcher)->credentials()->Get()->revoked(); };
  const CertifiedKey other = next.Member("other");
  std::string nexts;
  for (int number = 1; number <= 3; ++number) {
    RevocationList list =
        nexts.empty() ? RevocationList()
                      : *RevocationList::Parse(nexts, next.authority().certificate);
    list.Add(DescribeCertificate(other.certificate)->serial, absl::Now());
    nexts = *list.Sign(next.authority(), absl::Now());
  }
  Put("revoked.pem", nexts);  // number 3, and the other's number 2 has gone
  (*watcher)->Check(absl::Now());
  EXPECT_TRUE(revoked().Contains(DescribeCertificate(thief.certificate)->serial));
  EXPECT_EQ(revoked().size(), 1u);
  Put("revoked.pem", old_list + nexts);
  (*watcher)->Check(absl::Now());
  EXPECT_EQ(revoked().size(), 2u);
  EXPECT_EQ(NumberOf(revoked(), fleet_), 2u);
  EXPECT_EQ(NumberOf(revoked(), next), 3u);
  // An authority that is believed no more takes its list along.
  WriteMember(next.Member("a"));
  Write("ca.pem", next.authority().certificate);
  Put("revoked.pem", nexts);
  (*watcher)->Check(absl::Now());
  EXPECT_EQ(revoked().size(), 1u);
  unlink((directory_ + "/revoked.pem").c_str());
}

TEST_F(WatcherTest, WhoIsRevokedDoesNotStart) {
  const CertifiedKey own = fleet_.Member("a");
  WriteMember(own);
  Put("revoked.pem", ListOf({own}));
  EXPECT_HAS(LoadError(), "is revoked");
  unlink((directory_ + "/revoked.pem").c_str());
}

}  // namespace
}  // namespace skep
