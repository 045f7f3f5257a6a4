#include "rpc/http/http_server.h"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/mutex.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr size_t kMaxRequestBytes = 8 << 10;
// More are closed as they come: descriptors are shared with what the pages are about.
constexpr int kMaxConnections = 1000;
constexpr absl::Duration kIdleTimeout = absl::Minutes(1);
// From a request's first byte to its last: else a byte now and then would keep one of
// few connections for ever.
constexpr absl::Duration kHeadTimeout = absl::Seconds(10);

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Error";
  }
}

HttpResponse ErrorResponse(int status) {
  HttpResponse response;
  response.status = status;
  response.body = StrCat(status, " ", ReasonOf(status), "\n");
  return response;
}

// One request's head, up to the empty line.
struct Request {
  std::string_view method;
  std::string_view path;
  std::string_view query;
  bool keep_alive = true;
  bool well_formed = false;
};

Request ParseHead(std::string_view head) {
  Request request;
  const size_t line_end = head.find("\r\n");
  const std::string_view line = head.substr(0, line_end);
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last <= first) return request;
  request.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (target.empty() || target[0] != '/' || !version.starts_with("HTTP/1.")) {
    return request;
  }
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  request.keep_alive =
      version == "HTTP/1.1" &&
      !absl::StrContains(absl::AsciiStrToLower(ToAbsl(head)), "\r\nconnection: close");
  request.well_formed = true;
  return request;
}

}  // namespace

struct HttpServer::Pages {
  HttpResponse Get(std::string_view path, std::string_view query) {
    MutexLock lock(mutex);
    const auto page = map.find(path);
    return page == map.end() ? ErrorResponse(404) : page->second(std::string(query));
  }

  Mutex mutex;
  HttpPages map ABSL_GUARDED_BY(mutex);
  std::atomic<int> connections = 0;
};

// One connection; owns itself until it is closed.
class HttpSession final : public StreamHandler,
                          public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::unique_ptr<Stream> stream, std::shared_ptr<HttpServer::Pages> pages)
      : stream_(std::move(stream)), pages_(std::move(pages)) {
    ++pages_->connections;
  }
  ~HttpSession() override { --pages_->connections; }

  void Start() {
    self_ = shared_from_this();
    CloseIn(kIdleTimeout);
    stream_->Start(this);
  }

  size_t OnData(std::string_view bytes) override {
    size_t consumed = 0;
    while (!closing_ && stream_->unsent() <= kStreamHighWater) {
      const std::string_view rest = bytes.substr(consumed);
      const size_t end = rest.find("\r\n\r\n");
      if (std::min(end, rest.size()) > kMaxRequestBytes) {
        Respond(ErrorResponse(431), true, false);
        break;
      }
      if (end == std::string_view::npos) {
        if (!rest.empty() && !std::exchange(in_head_, true)) CloseIn(kHeadTimeout);
        break;
      }
      Handle(ParseHead(rest.substr(0, end)));
      consumed += end + 4;
      in_head_ = false;
      CloseIn(kIdleTimeout);
    }
    // Answers to pipelined requests wait until the client has read those before; only
    // over this mark is OnDrained promised.
    if (!closing_ && stream_->unsent() > kStreamHighWater) stream_->SetReading(false);
    return closing_ ? bytes.size() : consumed;
  }

  void OnDrained() override { stream_->SetReading(true); }

  void OnClosed(const absl::Status& /*reason*/) override {
    stream_->executor().Cancel(close_timer_);
    const std::shared_ptr<HttpSession> last = std::move(self_);
  }

 private:
  void Handle(const Request& request) {
    if (!request.well_formed) return Respond(ErrorResponse(400), true, false);
    const bool head_only = request.method == "HEAD";
    if (request.method != "GET" && !head_only) {
      return Respond(ErrorResponse(405), true, false);
    }
    Respond(pages_->Get(request.path, request.query), !request.keep_alive, head_only);
  }

  void Respond(const HttpResponse& response, bool close, bool head_only) {
    std::string out = StrCat(
        "HTTP/1.1 ", response.status, " ", ReasonOf(response.status),
        "\r\nContent-Type: ", response.content_type,
        "\r\nContent-Length: ", response.body.size(), "\r\nCache-Control: no-store\r\n",
        close ? "Connection: close\r\n\r\n" : "\r\n");
    if (!head_only) out += response.body;
    stream_->Write(out);
    if (close) {
      closing_ = true;
      stream_->CloseWhenDrained();
    }
  }

  // Unless it is told again.
  void CloseIn(absl::Duration time) {
    Executor& executor = stream_->executor();
    executor.Cancel(close_timer_);
    close_timer_ = executor.PostAfter(time, [weak = weak_from_this(), time] {
      if (const auto self = weak.lock()) {
        self->stream_->Abort(
            DeadlineExceeded("no whole request in ", absl::FormatDuration(time)));
      }
    });
  }

  const std::unique_ptr<Stream> stream_;
  const std::shared_ptr<HttpServer::Pages> pages_;
  std::shared_ptr<HttpSession> self_;
  TimerId close_timer_;
  bool in_head_ = false;  // a part of a request has come
  bool closing_ = false;
};

HttpServer::HttpServer(std::shared_ptr<Pages> pages) : pages_(std::move(pages)) {}

HttpServer::~HttpServer() {
  listener_.reset();
  MutexLock lock(pages_->mutex);
  pages_->map.clear();
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(Transport& transport,
                                                               const Address& at,
                                                               HttpPages pages) {
  auto shared = std::make_shared<Pages>();
  {
    MutexLock lock(shared->mutex);
    shared->map = std::move(pages);
  }
  std::unique_ptr<HttpServer> server(new HttpServer(shared));
  SKEP_ASSIGN_OR_RETURN(
      server->listener_, transport.Listen(at, [shared](std::unique_ptr<Stream> stream) {
        if (shared->connections >= kMaxConnections) return;  // closes it
        std::make_shared<HttpSession>(std::move(stream), shared)->Start();
      }));
  return server;
}

}  // namespace skep
