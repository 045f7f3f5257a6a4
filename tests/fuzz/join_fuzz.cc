#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "base/strings.h"
#include "glog/logging.h"
#include "rpc/channel_testing.h"
#include "rpc/server.h"
#include "rpc/sim_transport.h"
#include "rpc/tls/authority.h"
#include "rpc/tls/join.h"
#include "rpc/tls/join.pb.h"
#include "rpc/tls/test_fleet.h"
#include "rpc/tls/tls_transport.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"

namespace skep {
namespace {

const TestFleet& Fleet() {
  static const TestFleet* const fleet = new TestFleet("bees");
  return *fleet;
}

const Authority& TheAuthority() {
  static const Authority* const authority =
      new Authority(Authority::FromPem(Fleet().authority()).value());
  return *authority;
}

std::shared_ptr<LiveCredentials> Master() {
  static auto* const live =
      new std::shared_ptr<LiveCredentials>(Fleet().Live("master"));
  return *live;
}

// DER bytes in PEM's clothes: no fuzzer gets through base64 otherwise.
std::string Pem(const char* what, std::string_view der) {
  std::string text = StrCat("-----BEGIN ", what, "-----\n");
  const std::string code = absl::Base64Escape(ToAbsl(der));
  for (size_t at = 0; at < code.size(); at += 64) {
    StrAppend(&text, code.substr(at, 64), "\n");
  }
  return StrCat(text, "-----END ", what, "-----\n");
}

// Nobody becomes a member by texts that no member and no authority has made.
void FuzzTexts(FuzzInput& input) {
  const absl::Time now = absl::Now();
  const bool wrapped = input.Byte() % 2 == 0;
  const std::string first(input.Block()), second(input.Rest());
  const auto text = [wrapped](const char* what, const std::string& bytes) {
    return wrapped ? Pem(what, bytes) : bytes;
  };
  if (const auto token = JoinToken::Parse(first); token.ok()) {
    CHECK(!TheAuthority().CheckSecret(token->secret, now).ok());
  }
  CHECK(!TheAuthority().CheckSecret(second, now).ok());
  const std::string certificate = text("CERTIFICATE", first);
  const std::string request = text("CERTIFICATE REQUEST", second);
  CHECK(!CheckSignedBy(certificate, TheAuthority().certificate()).ok());
  CHECK(!TheAuthority().Renew(request, certificate, absl::Hours(1), now).ok());
  (void)DescribeCertificate(certificate);
  (void)TheAuthority().Sign(request, "somebody", {}, absl::Hours(1), now);
  CHECK(!RevocationList::Parse(text("X509 CRL", first), TheAuthority().certificate())
             .ok());
}

struct World {
  explicit World(uint64_t seed) : network(executor, seed) {}
  SimulatedClock clock;
  ManualExecutor executor{clock};
  SimNetwork network;
};

// Hello, cut and mixed as a stranger likes, at a port of members or of joiners: who is
// honest gets in beside it.
void FuzzHandshake(FuzzInput& input, bool joiners) {
  World world(input.Byte());
  TlsTransport serving(world.network.host("server"), Master(),
                       joiners ? Admit::kJoiners : Admit::kMembers);
  const Address at = Address::Tcp("server", 7000);
  std::vector<std::unique_ptr<RawPeer>> served;
  const auto listener = serving.Listen(at, [&](std::unique_ptr<Stream> stream) {
    served.push_back(std::make_unique<RawPeer>(std::move(stream)));
  });
  CHECK(listener.ok()) << listener.status();
  std::unique_ptr<RawPeer> stranger;
  world.network.host("stranger").Connect(at, absl::Seconds(1), [&](auto stream) {
    CHECK(stream.ok()) << stream.status();
    stranger = std::make_unique<RawPeer>(*std::move(stream));
  });
  world.executor.RunFor(absl::Milliseconds(10));
  while (!input.empty()) {
    const std::string_view said = input.Block();
    if (!stranger->closed.has_value()) stranger->Write(said);
    world.executor.RunFor(absl::Milliseconds(1 + input.Byte()));
  }
  static auto* const member =
      new std::shared_ptr<const TlsCredentials>(Fleet().Credentials("member"));
  TlsTransport connecting(world.network.host("client"), *member);
  std::optional<absl::Status> honest;
  std::unique_ptr<Stream> kept;
  connecting.Connect(at, absl::Seconds(5), [&](auto stream) {
    honest = stream.status();
    if (stream.ok()) kept = *std::move(stream);
  });
  world.executor.RunFor(kHandshakeTimeout + absl::Seconds(3));
  CHECK(honest.has_value() && honest->ok()) << *honest;
  // It has not become a peer, whatever it said.
  CHECK(stranger->eof || stranger->closed.has_value());
}

// The service behind it, asked under TLS by one who knows the authority and nothing
// else.
void FuzzEnroll(FuzzInput& input) {
  World world(input.Byte());
  const Address at = Address::Tcp("server", 7701);
  auto server =
      JoinServer::Listen(world.network.host("server"), at,
                         Authority::FromPem(Fleet().authority()).value(), Master());
  CHECK(server.ok()) << server.status();
  const auto joiner = TlsCredentials::ForJoining(TheAuthority().fingerprint());
  CHECK(joiner.ok()) << joiner.status();
  TlsTransport connecting(world.network.host("client"), *joiner);
  const auto channel = Connect(connecting, at, {});
  int begun = 0, ended = 0;
  const auto refused = [&](const auto& reply) {
    ++ended;
    CHECK(!reply.ok());
  };
  for (int i = 0; i < 4 && !input.empty(); ++i) {
    ++begun;
    const bool wrapped = input.Byte() % 2 == 0;
    const std::string_view a = input.Block(), b = input.Block();
    if (input.Byte() % 2 == 0) {
      JoinRequest request;
      request.set_secret(std::string(a));
      request.set_name(std::string(input.Block()));
      request.set_request(wrapped ? Pem("CERTIFICATE REQUEST", b) : std::string(b));
      Call<JoinReply>(*channel, Method<Join>("Enroll"), request, {}, refused);
    } else {
      RenewRequest request;
      request.set_certificate(wrapped ? Pem("CERTIFICATE", a) : std::string(a));
      request.set_request(wrapped ? Pem("CERTIFICATE REQUEST", b) : std::string(b));
      Call<JoinReply>(*channel, Method<Join>("Renew"), request, {}, refused);
    }
    world.executor.RunFor(absl::Milliseconds(20));
  }
  world.executor.RunFor(absl::Seconds(20));
  CHECK_EQ(begun, ended);
}

}  // namespace

void FuzzJoin(std::string_view bytes) {
  FuzzInput input(bytes);
  switch (input.Byte() % 4) {
    case 0:
      return FuzzTexts(input);
    case 1:
      return FuzzHandshake(input, false);
    case 2:
      return FuzzHandshake(input, true);
    default:
      return FuzzEnroll(input);
  }
}

}  // namespace skep
