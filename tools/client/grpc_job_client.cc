#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <atomic>
#include <utility>

#include "base/status.h"
#include "master/job_service.grpc.pb.h"
#include "rpc/tls/credentials.h"
#include "rpc/tls/live_credentials.h"
#include "tools/client/job_client.h"

namespace skep {
namespace {

// As the master's: a job's splits, a job's answer.
constexpr int kMaxMessageBytes = 64 << 20;
constexpr absl::Duration kRetryPause = absl::Milliseconds(200);

// gRPC checks a master's chain and its dates, and then asks this: whether it is of our
// fleet, and was not called back by the list that holds at that time.
class FleetVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit FleetVerifier(std::shared_ptr<const LiveCredentials> live)
      : live_(std::move(live)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/,
              grpc::Status* status) override {
    const grpc::string_ref pem = request->peer_cert();
    const absl::Status believed =
        live_->Get()->Believes(std::string_view(pem.data(), pem.size()));
    if (!believed.ok()) {
      *status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                             std::string(Message(believed)));
    }
    return true;  // here and now
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  const std::shared_ptr<const LiveCredentials> live_;
};

class GrpcJobClient final : public JobClient {
 public:
  GrpcJobClient(const std::string& address,
                const std::shared_ptr<const LiveCredentials>& live,
                std::function<absl::Status()> explain,
                std::function<absl::Status()> await)
      : address_(address),
        secure_(live != nullptr),
        explain_(std::move(explain)),
        await_(std::move(await)) {
    grpc::ChannelArguments arguments;
    // The name that every certificate of the fleet has: which machine it is on does not
    // matter (rpc/tls/README.md).
    if (live != nullptr) {
      arguments.SetSslTargetNameOverride(FleetHost(live->Get()->identity().fleet));
    }
    arguments.SetMaxSendMessageSize(kMaxMessageBytes);
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    // A fleet is never reached through a proxy for web pages.
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
    // A master whose machine has gone says nothing: without pings a Watch would wait
    // for ever. The master allows them (job_service.cc).
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    channel_ = grpc::CreateCustomChannel(address, ChannelCredentials(live), arguments);
    stub_ = JobService::NewStub(channel_);
  }

  absl::StatusOr<uint64_t> Submit(const JobSpec& spec) override {
    SubmitJobRequest request;
    *request.mutable_spec() = spec;
    SubmitJobReply reply;
    SKEP_RETURN_IF_ERROR(Call(&JobService::Stub::Submit, request, &reply));
    return reply.job();
  }

  absl::StatusOr<JobStatus> Status(uint64_t job) override {
    GetJobRequest request;
    request.set_job(job);
    JobStatus reply;
    SKEP_RETURN_IF_ERROR(Call(&JobService::Stub::Get, request, &reply));
    return reply;
  }

  absl::StatusOr<std::vector<JobStatus>> List() override {
    ListJobsReply reply;
    SKEP_RETURN_IF_ERROR(Call(&JobService::Stub::List, ListJobsRequest(), &reply));
    return std::vector<JobStatus>(reply.jobs().begin(), reply.jobs().end());
  }

  absl::StatusOr<std::vector<FinishedTask>> Outcomes(uint64_t job,
                                                     uint64_t from) override {
    OutcomesRequest request;
    request.set_job(job);
    request.set_from(from);
    OutcomesReply reply;
    SKEP_RETURN_IF_ERROR(Call(&JobService::Stub::Outcomes, request, &reply));
    return std::vector<FinishedTask>(reply.finished().begin(), reply.finished().end());
  }

  absl::StatusOr<std::vector<WorkerStatus>> Workers() override {
    ListWorkersReply reply;
    SKEP_RETURN_IF_ERROR(
        Call(&JobService::Stub::Workers, ListWorkersRequest(), &reply));
    return std::vector<WorkerStatus>(reply.workers().begin(), reply.workers().end());
  }

  absl::Status Cancel(uint64_t job, const std::string& reason) override {
    CancelJobRequest request;
    request.set_job(job);
    request.set_reason(reason);
    CancelJobReply reply;
    return Call(&JobService::Stub::Cancel, request, &reply);
  }

  absl::StatusOr<JobStatus> Watch(
      uint64_t job, const std::string& submission,
      const std::function<void(const JobStatus&)>& on_change,
      const std::function<void(const std::string&)>& on_trouble) override {
    absl::Time last_word = absl::Now();
    bool in_trouble = false;
    while (true) {
      JobStatus status;
      bool ours = true;
      const absl::Status ended = WatchOnce(
          job,
          [&](const JobStatus& now) {
            ours = now.submission() == submission;
            if (ours) on_change(now);
            if (ours) in_trouble = false;
            return ours;
          },
          &status, &last_word);
      if (!ours || absl::IsNotFound(ended)) return StartedAnew(job);
      if (ended.ok() && IsFinalState(status.state())) return status;
      if (absl::IsResourceExhausted(ended)) {  // others watch already: ask instead
        SKEP_ASSIGN_OR_RETURN(status, Status(job));
        if (status.submission() != submission) return StartedAnew(job);
        last_word = absl::Now();
        on_change(status);
        if (IsFinalState(status.state())) return status;
      } else if (!ended.ok() && !absl::IsUnavailable(ended)) {
        return ended;
      } else if (const absl::Status why = Explained(); IsRefusal(why)) {
        // It was told that we are revoked, say: trying again changes nothing.
        return Unavailable("the master at ", address_,
                           " has ended this session: ", Message(why), "; job ", job,
                           " may still run");
      } else if (!std::exchange(in_trouble, true)) {
        on_trouble(StrCat("lost the master at ", address_, "; trying again for ",
                          absl::ToInt64Seconds(kMasterPatience), " s"));
      }
      // Not only asked again and again: without a thread that waits in gRPC, nothing of
      // a new connection is read.
      const absl::Time patience = last_word + kMasterPatience;
      if (absl::Now() > patience ||
          !channel_->WaitForConnected(absl::ToChronoTime(patience))) {
        return Unavailable("lost the master at ", address_, " for ",
                           absl::ToInt64Seconds(kMasterPatience), " s; job ", job,
                           " may still run: ask again with skep status ", job,
                           " --master ", address_);
      }
      absl::SleepFor(kRetryPause);
    }
  }

 private:
  static std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
      const std::shared_ptr<const LiveCredentials>& live) {
    namespace tls = grpc::experimental;
    if (live == nullptr) return grpc::InsecureChannelCredentials();
    const auto now = live->Get();
    tls::TlsChannelCredentialsOptions options;
    options.set_certificate_provider(
        std::make_shared<tls::StaticDataCertificateProvider>(
            now->authority(), std::vector<tls::IdentityKeyCertPair>{
                                  {now->own().key, now->own().certificate}}));
    options.watch_root_certs();
    options.watch_identity_key_cert_pairs();
    options.set_certificate_verifier(
        tls::ExternalCertificateVerifier::Create<FleetVerifier>(live));
    // The verifier asks for more than the name that all of the fleet have.
    options.set_check_call_host(false);
    return tls::TlsCredentials(options);
  }

  static bool IsFinalState(JobState state) {
    return state == JOB_SUCCEEDED || state == JOB_FAILED || state == JOB_CANCELLED;
  }

  absl::Status StartedAnew(uint64_t job) const {
    return Aborted("the master at ", address_, " was started anew and has lost job ",
                   job, ": submit it again (a master with --journal keeps its jobs)");
  }

  // One stream: until it ends or breaks, or `on_change` has had enough.
  absl::Status WatchOnce(uint64_t job,
                         const std::function<bool(const JobStatus&)>& on_change,
                         JobStatus* status, absl::Time* last_word) {
    grpc::ClientContext context;
    WatchJobRequest request;
    request.set_job(job);
    const auto stream = stub_->Watch(&context, request);
    while (stream->Read(status)) {
      *last_word = absl::Now();
      if (!on_change(*status)) {
        context.TryCancel();
        break;
      }
    }
    return ToStatus(stream->Finish());
  }

  template <typename Request, typename Reply>
  absl::Status Call(grpc::Status (JobService::Stub::*method)(grpc::ClientContext*,
                                                             const Request&, Reply*),
                    const Request& request, Reply* reply) {
    if (await_ && !begun_.exchange(true)) SKEP_RETURN_IF_ERROR(await_());
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kCallTimeout));
    return ToStatus((stub_.get()->*method)(&context, request, reply));
  }

  absl::Status Explained() const { return explain_ ? explain_() : absl::OkStatus(); }

  // Whether it is there and will not have us (rpc/tls/tls_fault.cc).
  static bool IsRefusal(const absl::Status& why) {
    return Message(why).find("it refused ") != std::string_view::npos;
  }

  // In our words; gRPC's are of sockets and of OpenSSL.
  absl::Status Unreachable(absl::StatusCode code) const {
    const std::string what = StrCat("cannot reach the master at ", address_, ": ");
    const absl::Status why = Explained();
    // What it says of TLS says what to do as well.
    if (Message(why).find("TLS") != std::string_view::npos) {
      return Unavailable(what, Message(why));
    }
    if (!why.ok()) {
      return Unavailable(what, Message(why),
                         "; is `skep master` running there, and is --master right?");
    }
    if (code == absl::StatusCode::kDeadlineExceeded) {
      return Unavailable(what, "it takes connections and did not answer within ",
                         absl::FormatDuration(kCallTimeout), "; see its log");
    }
    return Unavailable(what,
                       "what listens there does not answer as a master does: is "
                       "--master right, and ",
                       secure_ ? "is its --tls of our fleet?" : "does it want --tls?");
  }

  // gRPC's codes are absl's.
  absl::Status ToStatus(const grpc::Status& status) const {
    if (status.ok()) return absl::OkStatus();
    const auto code = static_cast<absl::StatusCode>(status.error_code());
    if (code == absl::StatusCode::kUnavailable ||
        code == absl::StatusCode::kDeadlineExceeded) {
      return Unreachable(code);
    }
    return MakeStatus(code, status.error_message());
  }

  const std::string address_;
  const bool secure_;
  const std::function<absl::Status()> explain_;
  const std::function<absl::Status()> await_;
  std::atomic<bool> begun_ = false;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<JobService::Stub> stub_;
};

}  // namespace

std::unique_ptr<JobClient> MakeGrpcJobClient(
    const std::string& address, std::shared_ptr<const LiveCredentials> credentials,
    std::function<absl::Status()> explain, std::function<absl::Status()> await) {
  return std::make_unique<GrpcJobClient>(address, credentials, std::move(explain),
                                         std::move(await));
}

}  // namespace skep
