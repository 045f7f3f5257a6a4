#include "master/master_server.h"

#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/random.h"
#include "base/status.h"
#include "glog/logging.h"
#include "master/job_service.h"
#include "master/stream_splice.h"
#include "rpc/server.h"
#include "rpc/tls/plain_text.h"
#include "rpc/tls/tls_transport.h"
#include "storage/file_lock.h"

namespace skep {
namespace {

// Listens for two protocols: hands HTTP/2 to the job server and makes streams of the
// rest.
class SharedPortTransport final : public Transport {
 public:
  SharedPortTransport(TcpTransport& transport, JobServer& jobs)
      : transport_(transport), jobs_(jobs) {}

  void Connect(const Address& to, absl::Duration timeout, Connected done) override {
    transport_.Connect(to, timeout, std::move(done));
  }

  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override {
    return transport_.ListenRaw(
        at, [this, accept = std::move(accept)](int fd, std::string_view bytes) mutable {
          if (bytes.starts_with('P')) {
            jobs_.Adopt(fd);
          } else {
            accept(transport_.StreamOverFd(fd));
          }
        });
  }

  Executor& executor() override { return transport_.executor(); }

 private:
  TcpTransport& transport_;
  JobServer& jobs_;
};

// Of a connection that is at its end.
class Discard final : public StreamHandler {
 public:
  size_t OnData(std::string_view bytes) override { return bytes.size(); }
  void OnPeerClosed() override {}
  void OnClosed(const absl::Status&) override {}
};

class MasterServerImpl final : public MasterServer {
 public:
  ~MasterServerImpl() override { Shutdown(absl::Seconds(1)); }

  absl::Status Start(TcpTransport& transport, MasterServerOptions options) {
    std::unique_ptr<Journal> journal;
    if (!options.journal_directory.empty()) {
      SKEP_RETURN_IF_ERROR(LockJournal(options.journal_directory));
      SKEP_ASSIGN_OR_RETURN(
          journal, Journal::Open(FileSystem::Real(), options.journal_directory));
    }
    options.master.seed = SystemRandom64();
    // Terms of masters without a journal must grow too.
    options.master.epoch =
        static_cast<uint64_t>(absl::ToUnixMillis(transport.executor().clock().Now()));
    SKEP_ASSIGN_OR_RETURN(master_,
                          Master::Start(transport.executor(), std::move(options.master),
                                        std::move(journal)));
    SKEP_ASSIGN_OR_RETURN(jobs_, JobServer::Start(*master_));
    services_.Add(master_.get());
    services_.AddReflection();
    ServerOptions serving;
    if (options.credentials != nullptr) {
      port_ = std::make_unique<TlsTransport>(transport, options.credentials);
      serving.other_protocol = [this, &transport](Stream& stream) {
        return HandToJobs(transport, stream);
      };
    } else {
      port_ = std::make_unique<SharedPortTransport>(transport, *jobs_);
    }
    SKEP_ASSIGN_OR_RETURN(
        server_, Server::Listen(*port_, options.listen, services_, std::move(serving)));
    return absl::OkStatus();
  }

  // gRPC takes sockets alone: it gets one end of a pair, and what TLS has decrypted
  // goes into the other.
  std::unique_ptr<StreamHandler> HandToJobs(TcpTransport& transport, Stream& stream) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
      LOG(ERROR) << "connection_dropped peer=" << stream.peer()
                 << " reason=" << ErrnoToStatus(errno, "socketpair for gRPC");
      stream.Abort(ResourceExhausted("no socket pair"));
      return std::make_unique<Discard>();
    }
    jobs_->Adopt(ends[0]);
    return SpliceStreams(stream, transport.StreamOverFd(ends[1]));
  }

  // Two masters would each replay what the other has written, and undo it.
  absl::Status LockJournal(const std::string& directory) {
    SKEP_RETURN_IF_ERROR(FileSystem::Real().MakeDirectory(directory));
    absl::StatusOr<FileLock> lock = FileLock::Take(JoinPath(directory, "lock"));
    if (absl::IsAlreadyExists(lock.status())) {
      return FailedPrecondition("another master keeps its journal in ", directory,
                                ": stop it, or name another directory");
    }
    SKEP_RETURN_IF_ERROR(lock.status());
    journal_lock_.emplace(*std::move(lock));
    return absl::OkStatus();
  }

  const Address& address() const override { return server_->address(); }
  Master& master() override { return *master_; }

  // The channels last: what the master answers as it stops goes out over them.
  void Shutdown(absl::Duration grace) override {
    if (std::exchange(shut_down_, true)) return;
    if (jobs_ != nullptr) jobs_->Shutdown(grace);
    if (master_ != nullptr) master_->Stop();
    if (server_ != nullptr) server_->Shutdown(grace);
  }

 private:
  std::optional<FileLock> journal_lock_;
  ServiceTable services_;
  std::shared_ptr<Master> master_;
  std::unique_ptr<JobServer> jobs_;
  std::unique_ptr<Transport> port_;
  std::unique_ptr<Server> server_;
  bool shut_down_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MasterServer>> MasterServer::Start(
    TcpTransport& transport, MasterServerOptions options) {
  if (options.credentials == nullptr && !options.plaintext) {
    SKEP_RETURN_IF_ERROR(MayListenInPlainText(options.listen));
  }
  auto server = std::make_unique<MasterServerImpl>();
  SKEP_RETURN_IF_ERROR(server->Start(transport, std::move(options)));
  return std::unique_ptr<MasterServer>(std::move(server));
}

}  // namespace skep
