// What tests of TLS over the simulated network share: members of a fleet, and one
// attempt to connect.

#ifndef SKEP_RPC_TLS_HANDSHAKE_TESTING_H_
#define SKEP_RPC_TLS_HANDSHAKE_TESTING_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/sim_test_bed.h"
#include "rpc/tls/test_fleet.h"
#include "rpc/tls/tls_transport.h"

namespace skep {

inline const TestFleet& Fleet() {
  static const TestFleet* const fleet = new TestFleet("bees");
  return *fleet;
}

inline std::shared_ptr<const TlsCredentials> Member(const std::string& name) {
  static auto* const made =
      new std::map<std::string, std::shared_ptr<const TlsCredentials>>;
  auto& credentials = (*made)[name];
  if (credentials == nullptr) credentials = Fleet().Credentials(name);
  return credentials;
}

// One attempt of a client to reach a server, each with credentials of its own or, null,
// without TLS.
class HandshakeTest : public testing::Test {
 protected:
  using Credentials = std::shared_ptr<const TlsCredentials>;

  void Run(const Credentials& server, const Credentials& client,
           absl::Duration how_long = absl::Seconds(30)) {
    if (server != nullptr) {
      server_live_ = std::make_shared<LiveCredentials>(server);
      server_tls_.emplace(bed_.server(), server_live_, admit_);
    }
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

  // Connects with TLS to a server that knows none and answers what comes by `answer`.
  void ConnectToPlain(std::function<void(Stream&)> answer) {
    auto listener = bed_.server().Listen(
        Address::Tcp("server", 7001), [this, answer](std::unique_ptr<Stream> stream) {
          server_ = std::make_unique<TestPeer>(bed_, std::move(stream));
          server_->on_data = [answer](TestPeer& peer, std::string_view bytes) {
            answer(peer.stream());
            return bytes.size();
          };
          server_->Start();
        });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    client_tls_.emplace(bed_.client(), Member("worker-1"));
    client_tls_->Connect(Address::Tcp("server", 7001), absl::Seconds(20),
                         [this](auto stream) { status_ = stream.status(); });
    bed_.executor().RunFor(absl::Seconds(30));
  }

  // What the connecting end was told.
  std::string ClientSays() const {
    return status_.has_value() ? status_->ToString() : "nothing";
  }
  std::string ServerSays() const {
    return server_ == nullptr ? "no connection" : server_->reason.ToString();
  }

  SimBed bed_{7};
  Admit admit_ = Admit::kMembers;
  std::shared_ptr<LiveCredentials> server_live_;  // of Run
  std::optional<TlsTransport> server_tls_;
  std::optional<TlsTransport> client_tls_;
  std::unique_ptr<Listener> listener_;
  std::optional<absl::Status> status_;
  std::unique_ptr<TestPeer> server_;
  std::unique_ptr<TestPeer> client_;
};

#define EXPECT_HAS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << "it is: " << (text)

}  // namespace skep

#endif  // SKEP_RPC_TLS_HANDSHAKE_TESTING_H_
