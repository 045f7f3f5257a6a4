#include "tools/probe.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <latch>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "base/strings.h"
#include "rpc/tls_record.h"

namespace skep {
namespace {

// HTTP/2's preface: gRPC's door reads it, everything else of ours refuses it at once.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// For the answer of who was there in the last moment.
constexpr absl::Duration kPatience = absl::Seconds(1);
// For a server that begins: how long, and how often it is looked for.
constexpr absl::Duration kStartPatience = absl::Seconds(1);
constexpr absl::Duration kStartPause = absl::Milliseconds(50);

// One probe, kept alive by its connection and by who waits.
class Probe final : public StreamHandler, public std::enable_shared_from_this<Probe> {
 public:
  Probe(const Address& to, bool plain_text) : to_(to), plain_text_(plain_text) {}

  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
    if (!stream.ok()) return End(stream.status());
    if (!plain_text_) return End(absl::OkStatus());
    self_ = shared_from_this();
    stream_ = *std::move(stream);
    stream_->Start(this);
    stream_->Write(kPreface);
  }

  size_t OnData(std::string_view bytes) override {
    End(BeginsTlsAlert(bytes)
            ? Unavailable(to_, " speaks TLS alone: give --tls DIR, a folder of its ",
                          "fleet (`skep cert` makes one)")
            : absl::OkStatus());
    stream_->Abort(absl::CancelledError("the probe has ended"));
    return bytes.size();
  }
  // Who does not like the preface says no more.
  void OnPeerClosed() override { stream_->CloseWhenDrained(absl::ZeroDuration()); }
  void OnClosed(const absl::Status&) override {
    End(absl::OkStatus());
    stream_->executor().Post([self = std::move(self_)] {});
  }

  absl::Status Wait(absl::Duration timeout) {
    const absl::Time until = absl::Now() + timeout;
    MutexLock lock(mutex_);
    while (!result_.has_value()) {
      const absl::Duration left = until - absl::Now();
      // There, and silent: nothing speaks against it.
      if (left <= absl::ZeroDuration()) return absl::OkStatus();
      ended_.WaitFor(mutex_, left);
    }
    return *result_;
  }

 private:
  void End(absl::Status result) {
    MutexLock lock(mutex_);
    if (!result_.has_value()) result_ = std::move(result);
    ended_.SignalAll();
  }

  const Address to_;
  const bool plain_text_;
  std::unique_ptr<Stream> stream_;
  std::shared_ptr<Probe> self_;  // while the stream may call
  Mutex mutex_;
  CondVar ended_;
  std::optional<absl::Status> result_ ABSL_GUARDED_BY(mutex_);
};

// What a port says, or a path, where nobody listens.
bool IsOfNobody(const absl::Status& status) {
  const auto says = [&](int error) {
    return Message(status).find(strerror(error)) != std::string_view::npos;
  };
  return absl::IsUnavailable(status) && (says(ECONNREFUSED) || says(ENOENT));
}

absl::Status ConnectOnce(Transport& transport, const Address& to,
                         absl::Duration timeout) {
  std::latch done(1);
  absl::Status status;
  transport.Connect(to, timeout, [&](absl::StatusOr<std::unique_ptr<Stream>> stream) {
    status = stream.status();
    done.count_down();
  });
  done.wait();
  return status;
}

}  // namespace

absl::Status ProbePeer(Transport& transport, const Address& to, bool plain_text,
                       absl::Duration timeout) {
  const auto probe = std::make_shared<Probe>(to, plain_text);
  transport.Connect(to, timeout, [probe](absl::StatusOr<std::unique_ptr<Stream>> s) {
    probe->OnConnected(std::move(s));
  });
  return probe->Wait(timeout + kPatience);
}

absl::Status AwaitListener(Transport& transport, const std::vector<Address>& servers,
                           std::string_view start) {
  const auto here = [](const Address& server) { return server.IsLoopback(); };
  if (!std::all_of(servers.begin(), servers.end(), here)) return absl::OkStatus();
  const absl::Time until = absl::Now() + kStartPatience;
  while (true) {
    for (const Address& server : servers) {
      if (!IsOfNobody(ConnectOnce(transport, server, kStartPatience))) {
        return absl::OkStatus();
      }
    }
    if (absl::Now() > until) break;
    absl::SleepFor(kStartPause);
  }
  std::string names;
  for (const Address& server : servers) {
    StrAppend(&names, names.empty() ? "" : " or ", server.ToString());
  }
  return Unavailable("nothing listens at ", names, ": start it with `", start, "`");
}

}  // namespace skep
