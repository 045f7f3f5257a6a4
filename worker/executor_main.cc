#include "worker/executor_main.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "glog/logging.h"
#include "rpc/server.h"
#include "rpc/tcp_transport.h"
#include "worker/attempt.h"
#include "worker/executor.pb.h"
#include "worker/peer_channels.h"
#include "worker/retry.h"
#include "worker/shuffle/shuffle_client.h"
#include "worker/submitter_files.h"
#include "worker/task_runner.h"

namespace skep {
namespace {

// As long as a task waits for the master's word on its commit (part_file.cc).
constexpr absl::Duration kCommitTimeout = absl::Seconds(90);

// Passes commit requests on to the worker.
class UpstreamCommitter final : public Committer {
 public:
  explicit UpstreamCommitter(std::shared_ptr<Channel> channel)
      : channel_(std::move(channel)) {}

  void RequestCommit(const AttemptId& id, Done done) override {
    CommitRequest request;
    *request.mutable_id() = id;
    CallOptions options;
    options.timeout = kCommitTimeout;
    Call<CommitReply>(
        *channel_, Method<SupervisorService>("RequestCommit"), request,
        std::move(options),
        [done = std::move(done)](absl::StatusOr<Reply<CommitReply>> reply) mutable {
          if (reply.ok()) {
            done(reply->message.granted());
          } else {
            done(reply.status());
          }
        });
  }

 private:
  const std::shared_ptr<Channel> channel_;
};

void SendProgress(Channel& channel, const AttemptId& id, float fraction) {
  AttemptProgress progress;
  *progress.mutable_id() = id;
  progress.set_fraction(fraction);
  Call<Empty>(channel, Method<SupervisorService>("Progress"), progress, {},
              [](const absl::StatusOr<Reply<Empty>>&) {});
}

class ExecutorServer final : public ExecutorService {
 public:
  ExecutorServer(Transport& transport, const JobTable& jobs)
      : jobs_(jobs), peers_(transport), shuffle_(peers_), submitter_(peers_) {}

  void Run(google::protobuf::RpcController* controller,
           const ExecutorRunRequest* request, TaskResult* response,
           google::protobuf::Closure* done) override {
    std::stop_source stop;
    {
      MutexLock lock(mutex_);
      running_ = RefOf(request->spec().id());
      stop_ = stop;
    }
    const bool scheduled =
        thread_.Schedule([this, controller, request, response, done, stop] {
          RunAttempt(Controller::Of(controller).peer(), *request, stop, response);
          done->Run();
        });
    // The supervisor runs one attempt at a time, so the queue cannot be full.
    CHECK(scheduled);
  }

  void Cancel(google::protobuf::RpcController*, const AttemptId* request, Empty*,
              google::protobuf::Closure* done) override {
    std::stop_source stop(std::nostopstate);
    {
      MutexLock lock(mutex_);
      if (running_ == RefOf(*request)) stop = stop_;
    }
    stop.request_stop();
    done->Run();
  }

 private:
  void RunAttempt(const std::shared_ptr<Channel>& supervisor,
                  const ExecutorRunRequest& request, const std::stop_source& stop,
                  TaskResult* result) {
    UpstreamCommitter committer(supervisor);
    const TaskEnvironment environment{.local = FileSystem::Real(),
                                      .scratch = request.scratch(),
                                      .host = request.host(),
                                      .jobs = jobs_,
                                      .shuffle = shuffle_,
                                      .submitter = submitter_,
                                      .committer = committer};
    const AttemptControl control{stop.get_token(), [&](float fraction) {
                                   SendProgress(*supervisor, request.spec().id(),
                                                fraction);
                                 }};
    *result = RunTask(request.spec(), environment, control);
  }

  const JobTable& jobs_;
  PeerChannels peers_;
  ShuffleClient shuffle_;
  RemoteSubmitterFiles submitter_;
  Mutex mutex_;
  AttemptRef running_ ABSL_GUARDED_BY(mutex_);
  std::stop_source stop_ ABSL_GUARDED_BY(mutex_);
  ThreadPool thread_{"skep-task", 1};
};

}  // namespace

void ExecutorMain(int fd, TcpTransport& sockets, Transport& peers,
                  const JobTable& jobs) {
  // Again, since exec of a binary with privileges would have cleared it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ExecutorServer server(peers, jobs);
  ServiceTable services;
  services.Add(&server);

  Mutex mutex;
  CondVar wake;
  bool closed = false;
  ConnectOptions options;
  options.services = &services;
  options.reconnect = false;
  options.on_state = [&](bool connected) {
    if (connected) return;
    MutexLock lock(mutex);
    closed = true;
    wake.SignalAll();
  };
  const std::shared_ptr<Channel> channel =
      ChannelOver(sockets.StreamOverFd(fd), std::move(options));
  {
    MutexLock lock(mutex);
    while (!closed) wake.Wait(mutex);
  }
  // Nobody waits for what still runs here, and it may never end by itself.
  _exit(0);
}

}  // namespace skep
