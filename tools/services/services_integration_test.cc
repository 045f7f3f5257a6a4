// The family's services over real sockets, as its clients use them.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/services/median.pb.h"
#include "rpc/services/nqueens.pb.h"
#include "rpc/services/sudoku.pb.h"
#include "rpc/tcp_transport.h"
#include "tools/reflection/dynamic_service.h"
#include "tools/services/services.h"
#include "tools/services/sudoku_text.h"

namespace skep {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(30);
const char kPuzzle[] =
    "000000010400000000020000000000050407008000300001090000300400200050100000000806000";
const char kSolution[] =
    "693784512487512936125963874932651487568247391741398625319475268856129743274836159";

// A blocking socket to a loopback port.
class RawSocket {
 public:
  explicit RawSocket(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  ~RawSocket() { close(fd_); }

  void Send(const std::string& bytes) {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              ssize_t(bytes.size()));
  }
  // Reads until `size` bytes are there, the server closes (then `ended`), or nothing
  // comes for `quiet`.
  std::string Receive(size_t size, absl::Duration quiet) {
    std::string received;
    while (received.size() < size) {
      pollfd ready = {.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&ready, 1, int(absl::ToInt64Milliseconds(quiet))) <= 0) break;
      char buffer[4096];
      const ssize_t n = read(fd_, buffer, sizeof buffer);
      if (n <= 0) {
        ended = true;
        break;
      }
      received.append(buffer, n);
    }
    return received;
  }
  // Sends again and again until the server does not take it any more, at most `limit`
  // bytes; returns whether it came to that.
  bool SendUntilRefused(const std::string& bytes, size_t limit) {
    for (size_t sent = 0; sent < limit; sent += bytes.size()) {
      if (send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return true;
    }
    return false;
  }
  bool ended = false;

 private:
  const int fd_;
};

class Services : public testing::Test {
 protected:
  // A server of all four services; sudoku's text protocol beside them.
  void Start(int threads, SudokuTextOptions text = {}) {
    text.require_id = threads > 1;
    pool_ = std::make_unique<ThreadPool>("test", threads);
    text_ = std::make_unique<SudokuTextServer>(SudokuTextServer{
        .options = text, .pool = *pool_, .stats = stats_, .clock = Clock::Real()});
    for (const auto& service : services_)
      table_.Add(service.get(), ServiceTable::Run::kPool);
    table_.AddReflection();
    ServerOptions options;
    options.pool = pool_.get();
    options.other_protocol = [this](Stream& stream) {
      return MakeSudokuTextSession(stream, *text_);
    };
    auto server =
        Server::Listen(transport_, Address::Tcp("127.0.0.1", 0), table_, options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = Connect(transport_, server_->address());
  }
  ~Services() override {
    channel_.reset();
    if (server_ != nullptr) server_->Shutdown(absl::Seconds(5));
    server_.reset();
    pool_.reset();
  }

  template <typename Service, typename Response>
  absl::StatusOr<Response> Ask(const char* method,
                               const google::protobuf::Message& request) {
    const auto reply = BlockingCall<Response>(*channel_, Method<Service>(method),
                                              request, {.timeout = kTimeout});
    if (!reply.ok()) return reply.status();
    return reply->message;
  }

  SudokuStats stats_{Clock::Real()};
  TcpTransport transport_{1};
  std::vector<std::unique_ptr<google::protobuf::Service>> services_ = [this] {
    std::vector<std::unique_ptr<google::protobuf::Service>> services;
    services.push_back(MakeEchoService());
    services.push_back(MakeSudokuService(stats_, Clock::Real()));
    services.push_back(MakeNQueensService(Clock::Real()));
    services.push_back(MakeMedianService({6, 2, 3, 1, 5, 4}, 1));
    return services;
  }();
  ServiceTable table_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<SudokuTextServer> text_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Channel> channel_;
};

TEST_F(Services, Sudoku) {
  Start(2);
  sudoku::SudokuRequest request;
  request.set_checkerboard(kPuzzle);
  auto response = Ask<sudoku::SudokuService, sudoku::SudokuResponse>("Solve", request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->solved());
  EXPECT_EQ(response->checkerboard(), kSolution);
  request.set_checkerboard(std::string(81, '1'));
  response = Ask<sudoku::SudokuService, sudoku::SudokuResponse>("Solve", request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_FALSE(response->solved());
}

TEST_F(Services, NQueensAsAClientSumsIt) {
  Start(2);
  for (const int n : {8, 11}) {
    int64_t total = 0;
    for (int first = 0; first < (n + 1) / 2; ++first) {
      nqueens::SubProblemRequest request;
      request.set_nqueens(n);
      request.set_first_row(first);
      const auto response =
          Ask<nqueens::NQueensService, nqueens::SubProblemResponse>("Solve", request);
      ASSERT_TRUE(response.ok()) << response.status();
      total += response->count() * (n % 2 == 1 && first == n / 2 ? 1 : 2);
    }
    EXPECT_EQ(total, n == 8 ? 92 : 2680);
  }
  nqueens::SubProblemRequest request;
  request.set_nqueens(99);
  request.set_first_row(0);
  const auto refused =
      Ask<nqueens::NQueensService, nqueens::SubProblemResponse>("Solve", request);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(Services, MedianByBisection) {
  Start(2);
  const auto query = Ask<median::Sorter, median::QueryResponse>("Query", rpc2::Empty());
  ASSERT_TRUE(query.ok()) << query.status();
  EXPECT_EQ(query->count(), 6);
  EXPECT_EQ(query->min(), 1);
  EXPECT_EQ(query->max(), 6);
  EXPECT_EQ(query->sum(), 21);
  const int64_t k = (query->count() + 1) / 2;
  int64_t low = query->min(), high = query->max();
  while (low < high) {
    median::SearchRequest request;
    request.set_guess(low + (high - low) / 2);
    const auto found = Ask<median::Sorter, median::SearchResponse>("Search", request);
    ASSERT_TRUE(found.ok()) << found.status();
    if (found->smaller() + found->same() >= k) {
      high = request.guess();
    } else {
      low = request.guess() + 1;
    }
  }
  EXPECT_EQ(low, 3);
}

TEST_F(Services, MedianGenerates) {
  Start(2);
  median::GenerateRequest request;
  request.set_count(1000);
  request.set_min(-5);
  request.set_max(5);
  ASSERT_TRUE((Ask<median::Sorter, rpc2::Empty>("Generate", request)).ok());
  const auto query = Ask<median::Sorter, median::QueryResponse>("Query", rpc2::Empty());
  ASSERT_TRUE(query.ok()) << query.status();
  EXPECT_EQ(query->count(), 1000);
  EXPECT_EQ(query->min(), -5);
  EXPECT_EQ(query->max(), 4);
  request.set_max(-5);
  EXPECT_EQ((Ask<median::Sorter, rpc2::Empty>("Generate", request)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(Services, SayWhatTheyAre) {
  Start(1);
  const auto services = ListServices(*channel_, kTimeout);
  ASSERT_TRUE(services.ok()) << services.status();
  EXPECT_GE(services->size(), 4u);
  bool found = false;
  for (const ServiceListing& listing : *services) {
    if (listing.service != "echo.EchoService") continue;
    found = true;
    EXPECT_EQ(listing.methods,
              std::vector<std::string>{
                  "echo.EchoService.Echo (echo.EchoRequest) : echo.EchoResponse"});
  }
  EXPECT_TRUE(found);
  auto sorter = DynamicService::Fetch(*channel_, "median.Sorter", kTimeout);
  ASSERT_TRUE(sorter.ok()) << sorter.status();
  const auto reply = (*sorter)->Call(*channel_, "Search", R"({"guess": 3})", kTimeout);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_NE(reply->find("\"smaller\": \"2\""), std::string::npos) << *reply;
  EXPECT_EQ((*sorter)->Call(*channel_, "Nope", "{}", kTimeout).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ((*sorter)->Call(*channel_, "Search", "{}", kTimeout).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DynamicService::Fetch(*channel_, "no.Such", kTimeout).status().code(),
            absl::StatusCode::kNotFound);
}

// One row of what real servers were asked and answered.
struct TextCase {
  std::string name, sent, connection, received;
};
std::vector<TextCase> ReadCases() {
  std::ifstream in("tools/services/testdata/sudoku_text.tsv");
  EXPECT_TRUE(in.good());
  std::vector<TextCase> cases;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) continue;
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    TextCase row{.name = fields.at(0), .connection = fields.at(2)};
    EXPECT_TRUE(absl::CUnescape(fields.at(1), &row.sent)) << line;
    EXPECT_TRUE(absl::CUnescape(fields.at(3), &row.received)) << line;
    cases.push_back(row);
  }
  return cases;
}

TEST_F(Services, SudokuTextAnswersAsRealServersDo) {
  Start(1);
  const std::vector<TextCase> cases = ReadCases();
  EXPECT_GE(cases.size(), 17u);
  for (const TextCase& row : cases) {
    SCOPED_TRACE(row.name);
    RawSocket client(server_->address().port());
    client.Send(row.sent);
    const bool eof = row.connection == "EOF";
    // Where nothing more may come, a moment is waited for it.
    const std::string received = client.Receive(eof ? 1 << 20 : row.received.size() + 1,
                                                absl::Milliseconds(eof ? 10'000 : 200));
    EXPECT_EQ(received, row.received);
    EXPECT_EQ(client.ended, eof);
  }
}

TEST_F(Services, SudokuTextByteByByte) {
  Start(1);
  RawSocket client(server_->address().port());
  for (const char c : std::string("x:") + kPuzzle + "\r\n")
    client.Send(std::string(1, c));
  const std::string expected = std::string("x:") + kSolution + "\r\n";
  EXPECT_EQ(client.Receive(expected.size(), kTimeout), expected);
}

TEST_F(Services, SudokuTextWithSeveralThreadsWantsAnId) {
  Start(2);
  RawSocket client(server_->address().port());
  client.Send(std::string(kPuzzle) + "\r\n");
  EXPECT_EQ(client.Receive(1 << 20, kTimeout), "Bad Request!\r\n");
  EXPECT_TRUE(client.ended);
}

// Also one that is told only that the server is busy.
TEST_F(Services, SudokuTextShutsDownAClientThatNeverReads) {
  Start(1, {.max_queue = 0, .throttle_bytes = 1 << 20, .shutdown_bytes = 2 << 20});
  RawSocket client(server_->address().port());
  std::string requests;
  for (int i = 0; i < 1000; ++i) StrAppend(&requests, i, ":", kPuzzle, "\r\n");
  EXPECT_TRUE(client.SendUntilRefused(requests, 128 << 20));
}

TEST_F(Services, SudokuTextAnswersEveryPipelinedRequest) {
  Start(2);
  RawSocket client(server_->address().port());
  constexpr int kRequests = 2000;
  std::string sent;
  for (int i = 0; i < kRequests; ++i) StrAppend(&sent, i, ":", kPuzzle, "\r\n");
  client.Send(sent);
  std::string received;
  while (static_cast<int>(std::count(received.begin(), received.end(), '\n')) <
         kRequests) {
    const std::string more = client.Receive(1, kTimeout);
    ASSERT_FALSE(more.empty());
    received += more;
  }
  std::vector<bool> seen(kRequests);
  for (const absl::string_view line :
       absl::StrSplit(received, "\r\n", absl::SkipEmpty())) {
    const std::pair<std::string, std::string> reply = absl::StrSplit(line, ':');
    EXPECT_EQ(reply.second, kSolution);
    seen.at(std::stoi(reply.first)) = true;
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), kRequests);
  EXPECT_NE(stats_.Report(0).find("total_solved 2000\n"), std::string::npos);
}

}  // namespace
}  // namespace skep
