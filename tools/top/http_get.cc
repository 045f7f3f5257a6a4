#include "tools/top/http_get.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "base/strings.h"

namespace skep {
namespace {

constexpr size_t kMostBytes = 16 << 20;
constexpr std::string_view kVersion = "HTTP/1.";
constexpr char kHint[] =
    "name the address that the server or balancer was given as --stats, not the one "
    "where it is called";

// One exchange; ends with the connection.
class Exchange final : public StreamHandler {
 public:
  explicit Exchange(std::string request) : request_(std::move(request)) {}

  void Begin(absl::StatusOr<std::unique_ptr<Stream>> stream) {
    if (!stream.ok()) return Finish(stream.status());
    stream_ = *std::move(stream);
    stream_->Start(this);
    stream_->Write(request_);
  }
  void End() { stream_ = nullptr; }

  size_t OnData(std::string_view bytes) override {
    received_ += bytes;
    // Who does not speak HTTP may say something else and wait for ever.
    const size_t seen = std::min(received_.size(), kVersion.size());
    if (received_.compare(0, seen, kVersion, 0, seen) != 0) {
      stream_->Abort(Finished(ParseHttpResponse(received_).status()));
    } else if (received_.size() > kMostBytes) {
      stream_->Abort(DataLoss("the page is over ", kMostBytes, " bytes"));
    }
    return bytes.size();
  }
  void OnPeerClosed() override { Finish(absl::OkStatus()); }
  void OnClosed(const absl::Status& reason) override { Finish(reason); }

  // What came, or why nothing did.
  absl::StatusOr<std::string> Await(absl::Duration timeout) {
    const absl::Time end = Clock::Real().Now() + timeout;
    MutexLock lock(mutex_);
    while (!done_) {
      const absl::Duration left = end - Clock::Real().Now();
      if (left <= absl::ZeroDuration()) {
        return DeadlineExceeded("no page came within ", absl::FormatDuration(timeout),
                                ": ", kHint);
      }
      changed_.WaitFor(mutex_, left);
    }
    SKEP_RETURN_IF_ERROR(status_);
    return received_;
  }

 private:
  absl::Status Finished(absl::Status status) {
    Finish(status);
    return status;
  }
  void Finish(absl::Status status) {
    MutexLock lock(mutex_);
    if (done_) return;
    status_ = std::move(status);
    done_ = true;
    changed_.SignalAll();
  }

  const std::string request_;
  std::unique_ptr<Stream> stream_;
  std::string received_;  // on the executor until done_
  Mutex mutex_;
  CondVar changed_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::string> ParseHttpResponse(const std::string& response) {
  const size_t end = response.find("\r\n\r\n");
  if (!response.starts_with(kVersion)) {
    return Unavailable("what answers there serves no statistics page: ", kHint);
  }
  if (end == std::string::npos) return DataLoss("the page is cut short");
  const std::string line = response.substr(0, response.find("\r\n"));
  if (line.substr(8, 5) == " 404 ") return NotFound("there is no such page: ", line);
  if (line.substr(8, 5) != " 200 ") return Unavailable("the server answered ", line);
  return response.substr(end + 4);
}

absl::StatusOr<std::string> HttpGet(Transport& transport, const Address& address,
                                    const std::string& path, absl::Duration timeout) {
  // shared: the connection may come after we have given up.
  const auto exchange = std::make_shared<Exchange>(
      StrCat("GET ", path, " HTTP/1.1\r\nHost: ", address.ToString(),
             "\r\nConnection: close\r\n\r\n"));
  transport.Connect(address, timeout,
                    [exchange](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                      exchange->Begin(std::move(stream));
                    });
  const absl::StatusOr<std::string> response = exchange->Await(timeout);
  // Streams end on their executor; the transport has one.
  transport.executor().Post([exchange] { exchange->End(); });
  SKEP_RETURN_IF_ERROR(response.status());
  return ParseHttpResponse(*response);
}

}  // namespace skep
