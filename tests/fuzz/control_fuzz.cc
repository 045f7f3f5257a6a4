#include <memory>

#include "glog/logging.h"
#include "rpc/channel_testing.h"
#include "rpc/control.pb.h"
#include "rpc/server.h"
#include "rpc/sim_transport.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"

namespace skep {
namespace {

// Ids that something has, that nothing has, and those at the ends.
uint64_t AnyId(FuzzInput& input) {
  const uint8_t what = input.Byte();
  switch (what % 6) {
    case 0:
      return 0;
    case 1:
      return ~uint64_t{0};
    case 2:
      return input.Long();
    case 3:
      return uint64_t{0xffff'ffff} << 32 | input.Byte();
    default:
      // Generation, slot: such as a table of calls gives out.
      return uint64_t{1 + what / 6u % 4} << 32 | input.Byte() % 8;
  }
}

std::string ControlFrame(FuzzInput& input) {
  constexpr const char* kMethods[] = {"Hello", "Cancel", "GoAway",
                                      "Ping",  "",       "Nothing"};
  const uint8_t what = input.Byte();
  const std::string method = kMethods[what % 6];
  const bool reply = what / 6 % 4 == 3;
  Envelope envelope;
  envelope.type = reply ? MessageType::kResponse : MessageType::kRequest;
  envelope.id = AnyId(input);
  if (!reply) {
    envelope.service = "skep.Control";
    envelope.Set(Envelope::kService);
    envelope.method = method;
    envelope.Set(Envelope::kMethod);
  }
  if (what >= 128) {
    envelope.flags = input.Byte();
    envelope.Set(Envelope::kFlags);
  }
  // Hello has the id of its envelope, or says that somebody stands in between.
  ControlHello hello;
  ControlCancel cancel;
  ControlGoAway go_away;
  const google::protobuf::Message* body = &hello;
  if (method == "Hello" || reply) {
    const uint8_t has = input.Byte();
    hello.set_id(has % 4 == 3 ? AnyId(input) : envelope.id);
    if (has % 8 >= 4) hello.set_version(input.Byte());
    if (has % 16 >= 8) hello.set_fleet(has % 32 >= 16 ? "ours" : "another");
  } else if (method == "Cancel") {
    cancel.set_id(AnyId(input));
    body = &cancel;
  } else if (method == "GoAway") {
    go_away.set_last_accepted_id(AnyId(input));
    body = &go_away;
  } else {
    envelope.request = input.Block();
    envelope.Set(Envelope::kRequest);
    body = nullptr;
  }
  return EncodeWhole(envelope, body);
}

// Sends control frames, and now and then a request or a reply.
class ControlPeer {
 public:
  explicit ControlPeer(ManualExecutor& executor) : executor_(executor) {}

  void Take(std::unique_ptr<Stream> stream) {
    raw_ = std::make_unique<RawPeer>(std::move(stream));
  }
  void Act(FuzzInput& input) {
    const uint8_t what = input.Byte();
    const bool there = raw_ != nullptr && !raw_->closed.has_value();
    if (what % 8 == 0) {
      executor_.RunFor(absl::Microseconds(input.Short()));
    } else if (what % 8 == 1 && there) {
      raw_->Write(EchoRequestFrame(AnyId(input), what >= 128 ? "hold it" : "now"));
    } else if (what % 8 == 2 && there) {
      raw_->Write(EchoReplyFrame(AnyId(input), "a reply"));
    } else if (what == 3 && there) {
      raw_->stream().CloseWhenDrained();
    } else if (there) {
      raw_->Write(ControlFrame(input));
    }
  }

 private:
  ManualExecutor& executor_;
  std::unique_ptr<RawPeer> raw_;
};

}  // namespace

// Hello, cancel, go-away and ping in any order and with any ids: to a server, which
// serves others all the same, and to a client, whose calls all end.
void FuzzControl(std::string_view bytes) {
  FuzzInput input(bytes);
  const uint8_t how = input.Byte();
  SimulatedClock clock;
  ManualExecutor executor(clock);
  SimNetwork network(executor, how);
  EchoService echo;
  ServiceTable services;
  services.Add(&echo);
  const Address at = Address::Tcp("s", 1), hostile_at = Address::Tcp("h", 2);
  ServerOptions options;
  if (how % 4 >= 2) options.fleet = "ours";
  const auto server = Server::Listen(network.host("s"), at, services, options);
  CHECK(server.ok()) << server.status();
  const bool to_client = how % 2 == 1;
  ControlPeer peer(executor);
  const auto listener = network.host("h").Listen(
      hostile_at,
      [&peer](std::unique_ptr<Stream> stream) { peer.Take(std::move(stream)); });
  CHECK(listener.ok()) << listener.status();
  if (!to_client) {
    network.host("h").Connect(at, absl::Seconds(1),
                              [&peer](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                                CHECK(stream.ok()) << stream.status();
                                peer.Take(*std::move(stream));
                              });
  }
  ConnectOptions connect;
  connect.services = &services;
  connect.fleet = options.fleet;
  connect.seed = 1;
  const auto channel =
      Connect(network.host("c"), to_client ? hostile_at : at, std::move(connect));
  int begun = 0, ended = 0;
  absl::Status last;
  const auto call = [&] {
    ++begun;
    echo::EchoRequest request;
    request.set_payload("still there?");
    Call<echo::EchoResponse>(*channel, Method<echo::EchoService>("Echo"), request,
                             {.timeout = absl::Seconds(2)}, [&](const auto& reply) {
                               ++ended;
                               last = reply.status();
                             });
  };
  executor.RunFor(absl::Milliseconds(10));
  for (int i = 0; !input.empty(); ++i) {
    if (i % 4 == 0) call();
    peer.Act(input);
  }
  executor.RunFor(absl::Seconds(3));
  call();
  executor.RunFor(absl::Seconds(3));
  CHECK_EQ(begun, ended);
  CHECK_EQ(channel->pending(), 0);
  if (!to_client) CHECK(last.ok()) << last;
  echo.ReleaseAll();
  executor.RunFor(absl::Seconds(1));
}

}  // namespace skep
