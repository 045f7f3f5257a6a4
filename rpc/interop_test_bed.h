// What tests against peers of other makes share: our server and a client by hand, or a
// server by hand and our channel, over the simulated network.

#ifndef SKEP_RPC_INTEROP_TEST_BED_H_
#define SKEP_RPC_INTEROP_TEST_BED_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "rpc/channel_test_bed.h"

namespace skep {

class InteropTestBed : public ChannelTestBed {
 protected:
  // A connection to our server by hand.
  std::unique_ptr<RawPeer> RawClient() {
    std::unique_ptr<RawPeer> client;
    network_.host("c").Connect(address_, absl::Seconds(5),
                               [&](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                                 ASSERT_TRUE(stream.ok()) << stream.status();
                                 client = std::make_unique<RawPeer>(*std::move(stream));
                               });
    Run();
    return client;
  }
  // A server by hand; raw_ is its one connection.
  std::shared_ptr<Channel> DialRawServer(ConnectOptions options = {}) {
    auto listener =
        network_.host("s").Listen(address_, [&](std::unique_ptr<Stream> stream) {
          raw_ = std::make_unique<RawPeer>(std::move(stream));
        });
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    options.seed = 3;
    auto channel = Connect(network_.host("c"), address_, std::move(options));
    Run();
    return channel;
  }
  // Reads the hello that a channel says first.
  uint64_t TakeHello() {
    const std::optional<Envelope> hello = raw_->Next();
    if (!hello.has_value()) {
      ADD_FAILURE() << "no hello";
      return 0;
    }
    EXPECT_EQ(hello->service, "skep.Control");
    EXPECT_EQ(hello->method, "Hello");
    return hello->id;
  }

  std::unique_ptr<Listener> listener_;
  std::unique_ptr<RawPeer> raw_;
};

}  // namespace skep

#endif  // SKEP_RPC_INTEROP_TEST_BED_H_
