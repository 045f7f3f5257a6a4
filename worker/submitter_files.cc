#include "worker/submitter_files.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "jobs/api/fleet.pb.h"

namespace skep {
namespace {

// Large enough that a call's latency hardly counts, small beside the channel's 64 MiB
// limit and its write buffers.
constexpr uint64_t kPieceBytes = 1 << 20;
constexpr absl::Duration kCallTimeout = absl::Seconds(20);

// Calls of the submitter's FileService, tried again while it cannot be reached.
class FileCaller {
 public:
  FileCaller(PeerChannels& peers, const RetryOptions& retry, const JobContext& job,
             std::stop_token stop)
      : peers_(peers),
        retry_(retry),
        address_(job.submitter_address()),
        host_(job.submitter_host()),
        token_(job.output().token()),
        stop_(std::move(stop)) {}

  template <typename Response>
  absl::StatusOr<Reply<Response>> Call(const char* method,
                                       const google::protobuf::Message& request,
                                       const std::string& attachment,
                                       const std::string& path) const {
    auto reply = Retry(retry_, stop_, [&]() -> absl::StatusOr<Reply<Response>> {
      SKEP_ASSIGN_OR_RETURN(std::shared_ptr<Channel> channel, peers_.To(address_));
      CallOptions options{kCallTimeout, attachment};
      return BlockingCall<Response>(*channel, Method<FileService>(method), request,
                                    std::move(options));
    });
    if (reply.ok()) return reply;
    const std::string whose =
        StrCat(path, " of the submitter ", host_, " (", address_, ")");
    if (!IsTransient(reply.status()) || stop_.stop_requested()) {
      return Annotate(reply.status(), whose);
    }
    // Counts against the task: as a loss it would keep a fleet busy for half an hour
    // after its submitter was killed.
    return absl::UnknownError(ToAbsl(StrCat(
        whose, ": no success in ", absl::FormatDuration(retry_.give_up_after),
        "; has the submitter ended? The last error: ", Message(reply.status()))));
  }

  // One try, without waiting.
  template <typename Response>
  void Start(const char* method, const google::protobuf::Message& request,
             absl::AnyInvocable<void(absl::StatusOr<Reply<Response>>)> done) const {
    absl::StatusOr<std::shared_ptr<Channel>> channel = peers_.To(address_);
    if (!channel.ok()) {
      done(channel.status());
      return;
    }
    CallOptions options;
    options.timeout = kCallTimeout;
    skep::Call<Response>(**channel, Method<FileService>(method), request,
                         std::move(options), std::move(done));
  }

  const std::string& token() const { return token_; }

 private:
  PeerChannels& peers_;
  const RetryOptions retry_;
  const std::string address_, host_, token_;
  const std::stop_token stop_;
};

// A piece of a file that is on its way. Shared with the call, which may end later than
// the file's reader.
struct Coming {
  explicit Coming(uint64_t offset) : offset(offset) {}

  const uint64_t offset;
  Mutex mutex;
  CondVar wake;
  bool done ABSL_GUARDED_BY(mutex) = false;
  absl::StatusOr<Reply<FileReadReply>> reply ABSL_GUARDED_BY(mutex) =
      Reply<FileReadReply>();
};

// Reads in pieces, keeps the last one (block readers ask for a little at a time), and
// while it is used has the next one sent.
class RemoteReadable final : public ReadableFile {
 public:
  RemoteReadable(std::shared_ptr<const FileCaller> caller, std::string path)
      : caller_(std::move(caller)), path_(std::move(path)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size,
                                char* out) const override {
    MutexLock lock(mutex_);
    size_t done = 0;
    while (done < size) {
      const uint64_t at = offset + done;
      if (at < piece_offset_ || at >= piece_offset_ + piece_.size()) {
        if (file_size_known_ && at >= file_size_) break;
        SKEP_RETURN_IF_ERROR(Load(at));
        if (piece_.empty()) break;
      }
      const size_t skip = at - piece_offset_;
      const size_t n = std::min(size - done, piece_.size() - skip);
      std::memcpy(out + done, piece_.data() + skip, n);
      done += n;
    }
    return done;
  }

 private:
  FileReadRequest RequestFor(uint64_t offset) const {
    FileReadRequest request;
    request.set_token(caller_->token());
    request.set_path(path_);
    request.set_offset(offset);
    request.set_size(kPieceBytes);
    return request;
  }

  absl::Status Load(uint64_t offset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::optional<Reply<FileReadReply>> reply = TakeComing(offset);
    if (!reply) {
      SKEP_ASSIGN_OR_RETURN(
          reply, caller_->Call<FileReadReply>("Read", RequestFor(offset), "", path_));
    }
    const bool sequential = offset == piece_offset_ + piece_.size();
    file_size_known_ = true;
    file_size_ = reply->message.file_size();
    piece_offset_ = offset;
    piece_ = std::move(reply->attachment);
    if (piece_.empty() && offset < file_size_) {
      return DataLoss(path_, ": the submitter sent nothing at offset ", offset, " of ",
                      file_size_);
    }
    if (sequential && offset + piece_.size() < file_size_)
      AskFor(offset + piece_.size());
    return absl::OkStatus();
  }

  void AskFor(uint64_t offset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    coming_ = std::make_shared<Coming>(offset);
    caller_->Start<FileReadReply>(
        "Read", RequestFor(offset),
        [coming = coming_](absl::StatusOr<Reply<FileReadReply>> reply) {
          MutexLock lock(coming->mutex);
          coming->reply = std::move(reply);
          coming->done = true;
          coming->wake.SignalAll();
        });
  }

  // The piece that was asked for, if it is this one and arrives well: an error is left
  // to a call that tries again.
  std::optional<Reply<FileReadReply>> TakeComing(uint64_t offset) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::shared_ptr<Coming> coming = std::exchange(coming_, nullptr);
    if (coming == nullptr || coming->offset != offset) return std::nullopt;
    MutexLock lock(coming->mutex);
    // Ends with the call's deadline at the latest.
    while (!coming->done) coming->wake.Wait(coming->mutex);
    if (!coming->reply.ok()) return std::nullopt;
    return *std::move(coming->reply);
  }

  const std::shared_ptr<const FileCaller> caller_;
  const std::string path_;
  mutable Mutex mutex_;
  mutable bool file_size_known_ ABSL_GUARDED_BY(mutex_) = false;
  mutable uint64_t file_size_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable uint64_t piece_offset_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable std::string piece_ ABSL_GUARDED_BY(mutex_);
  mutable std::shared_ptr<Coming> coming_ ABSL_GUARDED_BY(mutex_);
};

// Collects what is appended into pieces and sends them in order.
class RemoteWritable final : public WritableFile {
 public:
  RemoteWritable(std::shared_ptr<const FileCaller> caller, std::string name)
      : caller_(std::move(caller)), name_(std::move(name)) {}

  absl::Status Append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const size_t n = std::min<size_t>(bytes.size(), kPieceBytes - buffer_.size());
      buffer_.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      if (buffer_.size() == kPieceBytes) SKEP_RETURN_IF_ERROR(Send());
    }
    return absl::OkStatus();
  }

  // The submitter's file service does not offer more than having written.
  absl::Status Sync() override { return buffer_.empty() ? absl::OkStatus() : Send(); }

  absl::Status Close() override {
    // The first write creates the file, also when there is nothing to write.
    if (buffer_.empty() && offset_ > 0) return absl::OkStatus();
    if (created_empty_) return absl::OkStatus();
    const bool empty = buffer_.empty();
    SKEP_RETURN_IF_ERROR(Send());
    created_empty_ = empty;
    return absl::OkStatus();
  }

 private:
  absl::Status Send() {
    FileWriteRequest request;
    request.set_token(caller_->token());
    request.set_name(name_);
    request.set_offset(offset_);
    SKEP_RETURN_IF_ERROR(
        caller_->Call<Empty>("Write", request, buffer_, name_).status());
    offset_ += buffer_.size();
    buffer_.clear();
    return absl::OkStatus();
  }

  const std::shared_ptr<const FileCaller> caller_;
  const std::string name_;
  std::string buffer_;
  uint64_t offset_ = 0;
  bool created_empty_ = false;
};

class RemoteOutput final : public OutputStore {
 public:
  explicit RemoteOutput(std::shared_ptr<const FileCaller> caller)
      : caller_(std::move(caller)) {}

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(
      const std::string& name) override {
    return std::make_unique<RemoteWritable>(caller_, name);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    FileRenameRequest request;
    request.set_token(caller_->token());
    request.set_from(from);
    request.set_to(to);
    return caller_->Call<Empty>("Rename", request, "", from).status();
  }

  absl::Status Remove(const std::string& name) override {
    FileRemoveRequest request;
    request.set_token(caller_->token());
    request.set_name(name);
    return caller_->Call<Empty>("Remove", request, "", name).status();
  }

 private:
  // Shared with the files it has created, which may outlive it.
  const std::shared_ptr<const FileCaller> caller_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ReadableFile>> RemoteSubmitterFiles::OpenToRead(
    const JobContext& job, const InputFile& file, std::stop_token stop) {
  return std::make_unique<RemoteReadable>(
      std::make_shared<FileCaller>(peers_, retry_, job, std::move(stop)), file.path());
}

std::unique_ptr<OutputStore> RemoteSubmitterFiles::Output(const JobContext& job,
                                                          std::stop_token stop) {
  return std::make_unique<RemoteOutput>(
      std::make_shared<FileCaller>(peers_, retry_, job, std::move(stop)));
}

}  // namespace skep
