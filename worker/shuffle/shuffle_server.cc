#include "worker/shuffle/shuffle_server.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "rpc/controller.h"
#include "worker/shuffle/map_output.h"

namespace skep {

void ShuffleServer::Fetch(google::protobuf::RpcController* controller,
                          const FetchRequest* request, FetchReply* response,
                          google::protobuf::Closure* done) {
  uint64_t total = 0;
  absl::StatusOr<std::string> bytes = Read(*request, &total);
  if (bytes.ok()) {
    response->set_total_bytes(total);
    Controller::Of(controller).mutable_response_attachment() = *std::move(bytes);
  } else {
    Controller::Of(controller).SetStatus(bytes.status());
  }
  done->Run();
}

absl::StatusOr<std::string> ShuffleServer::Read(const FetchRequest& request,
                                                uint64_t* total_bytes) {
  SKEP_ASSIGN_OR_RETURN(const std::shared_ptr<const Output> output,
                        Find(request.map()));
  if (request.partition() >= output->entries.size()) {
    return NotFound(AttemptName(request.map()), " has ", output->entries.size(),
                    " partitions, none numbered ", request.partition());
  }
  const PartitionEntry& entry = output->entries[request.partition()];
  if (request.offset() > entry.length) {
    return InvalidArgument("offset ", request.offset(), " is beyond the ", entry.length,
                           " bytes of partition ", request.partition());
  }
  *total_bytes = entry.length;
  const size_t size =
      std::min({request.max_bytes(), kMaxPieceBytes, entry.length - request.offset()});
  std::string bytes(size, '\0');
  SKEP_ASSIGN_OR_RETURN(
      const size_t n,
      output->file->ReadAt(entry.offset + request.offset(), size, bytes.data()));
  if (n < size) {
    return DataLoss("output of ", AttemptName(request.map()), ": the file ends ",
                    size - n, " bytes before its index says");
  }
  return bytes;
}

absl::StatusOr<std::shared_ptr<const ShuffleServer::Output>> ShuffleServer::Find(
    const AttemptId& id) {
  const AttemptRef key = RefOf(id);
  {
    MutexLock lock(mutex_);
    const auto it = open_.find(key);
    if (it != open_.end()) {
      it->second.last_use = ++uses_;
      return it->second.output;
    }
  }
  const std::string path = MapOutputPath(scratch_, id);
  auto output = std::make_shared<Output>();
  SKEP_ASSIGN_OR_RETURN(output->entries, ReadPartitionIndex(fs_, path + kIndexSuffix));
  SKEP_ASSIGN_OR_RETURN(output->file, fs_.OpenToRead(path));
  MutexLock lock(mutex_);
  if (open_.size() >= kMaxOpen) {
    open_.erase(std::min_element(open_.begin(), open_.end(), [](auto& a, auto& b) {
      return a.second.last_use < b.second.last_use;
    }));
  }
  open_[key] = {output, ++uses_};
  return output;
}

void ShuffleServer::ForgetJob(uint64_t job) {
  MutexLock lock(mutex_);
  std::erase_if(open_, [job](const auto& open) { return open.first.job == job; });
}

void ShuffleServer::Forget(const AttemptRef& key) {
  MutexLock lock(mutex_);
  open_.erase(key);
}

}  // namespace skep
