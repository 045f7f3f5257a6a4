#include "rpc/tls/certificate.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/tls/credentials.h"
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
  EXPECT_HAS(LoadError(), "expired at");
  WriteMember(TestFleet("bees").Member("a"));
  EXPECT_HAS(LoadError(), "not signed by the authority of ca.pem");
  WriteMember(fleet_.authority());
  EXPECT_HAS(LoadError(), "names no member");
  WriteMember(fleet_.Member("a"));
  chmod((directory_ + "/key.pem").c_str(), 0640);
  EXPECT_HAS(LoadError(), "chmod 600");
}

}  // namespace
}  // namespace skep
