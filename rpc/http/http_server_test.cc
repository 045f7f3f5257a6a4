// Integration: loopback sockets.

#include "rpc/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "base/clock.h"
#include "base/executor.h"
#include "gtest/gtest.h"
#include "rpc/http/stats_server.h"
#include "rpc/sim_transport.h"
#include "rpc/tcp_transport.h"

namespace skep {
namespace {

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    HttpPages pages;
    pages["/hello"] = [](const std::string& query) {
      return HttpResponse{.body = "hello " + query + "\n"};
    };
    pages["/fill"] = [](const std::string& size) {
      return HttpResponse{.body = std::string(std::stoul(size), 'x')};
    };
    auto server =
        HttpServer::Listen(transport_, Address::Tcp("127.0.0.1", 0), std::move(pages));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // Sends `request` and reads until the server closes.
  std::string Exchange(const std::string& request) {
    return ExchangeWith(server_->address(), request);
  }
  static std::string ExchangeWith(const Address& address, const std::string& request) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    EXPECT_EQ(write(fd, request.data(), request.size()), ssize_t(request.size()));
    std::string received;
    char buffer[4096];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0) received.append(buffer, n);
    close(fd);
    return received;
  }

  TcpTransport transport_{1};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, ServesAPageWithItsQuery) {
  const std::string reply =
      Exchange("GET /hello?you HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\n")) << reply;
  EXPECT_TRUE(reply.ends_with("\r\n\r\nhello you\n")) << reply;
}

TEST_F(HttpServerTest, KeepsTheConnection) {
  const std::string reply = Exchange(
      "GET /hello?1 HTTP/1.1\r\n\r\nGET /hello?2 HTTP/1.1\r\nConnection: "
      "close\r\n\r\n");
  EXPECT_NE(reply.find("hello 1\n"), std::string::npos);
  EXPECT_TRUE(reply.ends_with("hello 2\n"));
}

// An answer that comes to just the bytes over which the server waits.
TEST_F(HttpServerTest, GoesOnAfterAnAnswerOfAnySize) {
  const size_t head =
      Exchange("HEAD /fill?1000000 HTTP/1.1\r\nConnection: close\r\n\r\n").size() -
      std::string("Connection: close\r\n").size();
  const std::string reply =
      Exchange("GET /fill?" + std::to_string(kStreamHighWater - head) +
               " HTTP/1.1\r\n\r\nGET /hello?2 HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(reply.ends_with("hello 2\n"));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  const std::string reply =
      Exchange("HEAD /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_NE(reply.find("Content-Length: 7"), std::string::npos);
  EXPECT_TRUE(reply.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, RefusesWhatItDoesNotServe) {
  const auto code = [&](const std::string& request) {
    return Exchange(request).substr(9, 3);
  };
  EXPECT_EQ(code("GET /no HTTP/1.0\r\n\r\n"), "404");
  EXPECT_EQ(code("POST /hello HTTP/1.1\r\n\r\n"), "405");
  EXPECT_EQ(code("nonsense\r\n\r\n"), "400");
  EXPECT_EQ(code("GET hello HTTP/1.1\r\n\r\n"), "400");
  EXPECT_EQ(code("GET /" + std::string(10'000, 'x')), "431");
  EXPECT_EQ(code("GET /hello?" + std::string(10'000, 'x') + " HTTP/1.1\r\n\r\n"), "431")
      << "also if all of it comes at once";
}

// A client by hand.
class Peer final : public StreamHandler {
 public:
  size_t OnData(std::string_view bytes) override {
    received += bytes;
    return bytes.size();
  }
  void OnClosed(const absl::Status&) override { closed = true; }

  std::string received;
  bool closed = false;
};

TEST(HttpServerTimeTest, ARequestHasTenSecondsInAll) {
  SimulatedClock clock;
  ManualExecutor executor(clock);
  SimNetwork network(executor, /*seed=*/1);
  const Address at = Address::Tcp("s", 80);
  HttpPages pages;
  pages["/"] = [](const std::string&) { return HttpResponse{.body = "page"}; };
  auto server = HttpServer::Listen(network.host("s"), at, std::move(pages));
  ASSERT_TRUE(server.ok()) << server.status();
  std::unique_ptr<Stream> stream;
  Peer peer;
  network.host("c").Connect(at, absl::Seconds(1), [&](auto connected) {
    ASSERT_TRUE(connected.ok());
    stream = *std::move(connected);
    stream->Start(&peer);
  });
  executor.RunFor(absl::Seconds(1));
  ASSERT_NE(stream, nullptr);
  // Slowly, but in time; then idle for most of a minute.
  for (const char c : std::string_view("GET / HTTP/1.1\r\n\r\n")) {
    stream->Write(std::string_view(&c, 1));
    executor.RunFor(absl::Milliseconds(400));
  }
  executor.RunFor(absl::Seconds(50));
  EXPECT_NE(peer.received.find("page"), std::string::npos);
  EXPECT_FALSE(peer.closed);
  for (int i = 0; i < 12; ++i) {
    stream->Write("G");
    executor.RunFor(absl::Seconds(1));
  }
  EXPECT_TRUE(peer.closed);
  stream = nullptr;
  executor.RunFor(absl::Seconds(1));
}

TEST_F(HttpServerTest, AStatsServerServesItsPagesAndMore) {
  std::atomic<int> taken = 0;
  const auto take = [&taken] {
    ++taken;
    StatsReport report;
    report.title = "a server";
    report.connections = 41;
    report.rows.push_back({.name = "s.M"});
    return report;
  };
  HttpPages more;
  more["/own"] = [](const std::string&) { return HttpResponse{.body = "my own\n"}; };
  auto stats = StatsServer::Listen(Address::Tcp("127.0.0.1", 0), Clock::Real(), take,
                                   std::move(more));
  ASSERT_TRUE(stats.ok()) << stats.status();
  const auto get = [&](const std::string& path) {
    return ExchangeWith((*stats)->address(),
                        "GET " + path + " HTTP/1.1\r\nConnection: close\r\n\r\n");
  };
  EXPECT_NE(get("/").find("<h1>a server</h1>"), std::string::npos);
  EXPECT_NE(get("/metrics").find("\nskep_connections 41\n"), std::string::npos);
  EXPECT_TRUE(get("/own").ends_with("my own\n"));
  EXPECT_EQ(get("/no").substr(9, 3), "404");
  stats->reset();
  const int before = taken;
  EXPECT_GE(before, 2);
  EXPECT_EQ(taken, before) << "nothing is sampled any more";
}

}  // namespace
}  // namespace skep
