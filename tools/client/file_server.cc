#include "tools/client/file_server.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "rpc/controller.h"

namespace skep {
namespace {

// Whether a relative path stays below where it starts: "a/b", not "/a", "a/../b", "".
bool StaysBelow(std::string_view name) {
  if (name.empty() || name.find('\0') != name.npos) return false;
  while (true) {
    const size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == name.npos) return true;
    name.remove_prefix(slash + 1);
  }
}

absl::Status MakeParent(FileSystem& fs, const std::string& path) {
  return fs.MakeDirectory(path.substr(0, path.rfind('/')));
}

}  // namespace

FileServer::FileServer(FileSystem& fs, const JobSpec& spec)
    : fs_(fs), token_(spec.output().token()), directory_(spec.output().directory()) {
  for (const InputSplit& split : spec.splits()) readable_.insert(split.file().path());
}

uint64_t FileServer::bytes_read() const {
  MutexLock lock(mutex_);
  return bytes_read_;
}

uint64_t FileServer::bytes_written() const {
  MutexLock lock(mutex_);
  return bytes_written_;
}

void FileServer::Read(google::protobuf::RpcController* controller,
                      const FileReadRequest* request, FileReadReply* reply,
                      google::protobuf::Closure* done) {
  Controller& call = Controller::Of(controller);
  absl::StatusOr<std::string> bytes = DoRead(*request, reply);
  if (bytes.ok()) {
    call.mutable_response_attachment() = *std::move(bytes);
  } else {
    call.SetStatus(bytes.status());
  }
  done->Run();
}

void FileServer::Write(google::protobuf::RpcController* controller,
                       const FileWriteRequest* request, Empty* reply,
                       google::protobuf::Closure* done) {
  Controller& call = Controller::Of(controller);
  call.SetStatus(DoWrite(*request, call.request_attachment()));
  done->Run();
}

void FileServer::Rename(google::protobuf::RpcController* controller,
                        const FileRenameRequest* request, Empty* reply,
                        google::protobuf::Closure* done) {
  Controller::Of(controller).SetStatus(DoRename(*request));
  done->Run();
}

void FileServer::Remove(google::protobuf::RpcController* controller,
                        const FileRemoveRequest* request, Empty* reply,
                        google::protobuf::Closure* done) {
  Controller::Of(controller).SetStatus(DoRemove(*request));
  done->Run();
}

absl::Status FileServer::CheckToken(const std::string& token) const {
  // Every byte is looked at, so that the time taken tells nothing.
  if (token_.empty() || token.size() != token_.size()) {
    return PermissionDenied("file service: that is not this job's token");
  }
  int difference = 0;
  for (size_t i = 0; i < token.size(); ++i) difference |= token[i] ^ token_[i];
  if (difference != 0) {
    return PermissionDenied("file service: that is not this job's token");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> FileServer::OutputPath(const std::string& name) const {
  if (directory_.empty()) {
    return PermissionDenied("file service: this job writes no files, so not ", name);
  }
  if (!StaysBelow(name)) {
    return PermissionDenied("file service: '", name, "' is not below the job's output");
  }
  return JoinPath(directory_, name);
}

absl::StatusOr<std::string> FileServer::DoRead(const FileReadRequest& request,
                                               FileReadReply* reply) {
  SKEP_RETURN_IF_ERROR(CheckToken(request.token()));
  const std::string& path = request.path();
  if (!readable_.contains(path)) {
    return PermissionDenied("file service: ", path, " is not an input of this job");
  }
  SKEP_ASSIGN_OR_RETURN(const FileInfo info, fs_.Stat(path));
  SKEP_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, fs_.OpenToRead(path));
  reply->set_file_size(info.size);
  std::string bytes(std::min(request.size(), kMaxReadBytes), '\0');
  SKEP_ASSIGN_OR_RETURN(const size_t got,
                        file->ReadAt(request.offset(), bytes.size(), bytes.data()));
  bytes.resize(got);
  MutexLock lock(mutex_);
  bytes_read_ += got;
  return bytes;
}

absl::Status FileServer::DoWrite(const FileWriteRequest& request,
                                 const std::string& bytes) {
  SKEP_RETURN_IF_ERROR(CheckToken(request.token()));
  SKEP_ASSIGN_OR_RETURN(const std::string path, OutputPath(request.name()));
  MutexLock lock(mutex_);
  auto if_exists = FileSystem::IfExists::kTruncate;
  if (request.offset() == 0) {
    SKEP_RETURN_IF_ERROR(MakeParent(fs_, path));
  } else {
    SKEP_ASSIGN_OR_RETURN(const FileInfo info, fs_.Stat(path));
    // Sent again because the reply was lost.
    if (request.offset() + bytes.size() == info.size) return absl::OkStatus();
    if (request.offset() != info.size) {
      return FailedPrecondition("file service: ", request.name(), " has ", info.size,
                                " bytes, so nothing can be appended at ",
                                request.offset());
    }
    if_exists = FileSystem::IfExists::kAppend;
  }
  SKEP_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file,
                        fs_.OpenToWrite(path, if_exists));
  absl::Status written = file->Append(bytes);
  if (written.ok()) written = file->Close();
  // The disk is full: the user must act, and a worker that tried again would only hear
  // of a file that has grown by what did fit.
  if (absl::IsResourceExhausted(written)) return FailedPrecondition(Message(written));
  SKEP_RETURN_IF_ERROR(written);
  bytes_written_ += bytes.size();
  return absl::OkStatus();
}

absl::Status FileServer::DoRename(const FileRenameRequest& request) {
  SKEP_RETURN_IF_ERROR(CheckToken(request.token()));
  SKEP_ASSIGN_OR_RETURN(const std::string from, OutputPath(request.from()));
  SKEP_ASSIGN_OR_RETURN(const std::string to, OutputPath(request.to()));
  MutexLock lock(mutex_);
  // Asked again because the reply was lost.
  if (absl::IsNotFound(fs_.Stat(from).status()) && fs_.Stat(to).ok()) {
    return absl::OkStatus();
  }
  SKEP_RETURN_IF_ERROR(MakeParent(fs_, to));
  return fs_.Rename(from, to);
}

absl::Status FileServer::DoRemove(const FileRemoveRequest& request) {
  SKEP_RETURN_IF_ERROR(CheckToken(request.token()));
  SKEP_ASSIGN_OR_RETURN(const std::string path, OutputPath(request.name()));
  MutexLock lock(mutex_);
  return fs_.RemoveAll(path);
}

}  // namespace skep
