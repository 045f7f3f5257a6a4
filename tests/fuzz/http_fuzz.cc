#include <memory>
#include <string>

#include "glog/logging.h"
#include "rpc/http/http_server.h"
#include "rpc/sim_transport.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"

namespace skep {
namespace {

// Writes, and keeps what it reads.
class Client final : public StreamHandler {
 public:
  void Take(std::unique_ptr<Stream> stream) {
    stream_ = std::move(stream);
    stream_->Start(this);
  }
  void Write(std::string_view bytes) {
    if (stream_ != nullptr) stream_->Write(bytes);
  }
  std::string received;

 private:
  size_t OnData(std::string_view bytes) override {
    received += bytes;
    return bytes.size();
  }
  void OnClosed(const absl::Status&) override { stream_ = nullptr; }
  std::unique_ptr<Stream> stream_;
};

}  // namespace

void FuzzHttp(std::string_view bytes) {
  SimulatedClock clock;
  ManualExecutor executor(clock);
  SimNetwork network(executor, /*seed=*/1);
  HttpPages pages;
  pages["/"] = [](const std::string& query) { return HttpResponse{.body = query}; };
  const Address at = Address::Tcp("s", 80);
  auto server = HttpServer::Listen(network.host("s"), at, std::move(pages));
  CHECK(server.ok()) << server.status();
  Client hostile, honest;
  for (Client* const client : {&hostile, &honest}) {
    network.host("c").Connect(at, absl::Seconds(1),
                              [client](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                                CHECK(stream.ok()) << stream.status();
                                client->Take(*std::move(stream));
                              });
  }
  executor.RunFor(absl::Milliseconds(10));
  hostile.Write(bytes);
  executor.RunFor(absl::Milliseconds(100));
  CHECK(hostile.received.empty() || hostile.received.starts_with("HTTP/1.1 "));
  honest.Write("GET /?hello HTTP/1.1\r\nHost: s\r\n\r\n");
  executor.RunFor(absl::Milliseconds(100));
  CHECK(honest.received.starts_with("HTTP/1.1 200 ")) << honest.received;
  CHECK(honest.received.ends_with("hello")) << honest.received;
  executor.RunFor(absl::Minutes(2));
}

}  // namespace skep
