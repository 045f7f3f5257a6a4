#include "tools/record/traffic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "base/strings.h"
#include "glog/logging.h"
#include "storage/byte_source.h"
#include "storage/run_reader.h"

namespace skep {
namespace {

constexpr std::string_view kMagic = "skep traffic ";
constexpr std::string_view kVersion = "1";
// How long a request may wait in memory while few come, and how long until it is in the
// file: what a killed server has lost.
constexpr absl::Duration kWriteInterval = absl::Milliseconds(200);
constexpr absl::Duration kFlushInterval = absl::Seconds(1);
// Beside a request's body: key, connection, lengths.
constexpr uint64_t kOverhead = 32;

std::string KeyOf(int64_t offset, uint64_t number) {
  std::string key;
  PutBig64(&key, static_cast<uint64_t>(offset));
  PutBig64(&key, number);
  return key;
}

// With the rights to it from the beginning; a mode set later leaves a moment.
absl::Status CreatePrivate(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoToStatus(errno, "create " + path);
  close(fd);
  return absl::OkStatus();
}

// A file's bytes from the front.
class FileSource final : public ByteSource {
 public:
  explicit FileSource(std::unique_ptr<ReadableFile> file) : file_(std::move(file)) {}
  absl::StatusOr<size_t> Read(char* out, size_t size) override {
    SKEP_ASSIGN_OR_RETURN(const size_t got, file_->ReadAt(offset_, size, out));
    offset_ += got;
    return got;
  }

 private:
  const std::unique_ptr<ReadableFile> file_;
  uint64_t offset_ = 0;
};

absl::Status ReadHeader(const Record& record, const std::string& path,
                        Recording* recording) {
  std::string_view value = record.value;
  if (!value.starts_with(kMagic)) {
    return InvalidArgument(path, " is no captured traffic");
  }
  value.remove_prefix(kMagic.size());
  if (!value.starts_with(kVersion)) {
    return InvalidArgument(path,
                           " is captured traffic of another version, which this "
                           "skep does not read");
  }
  value.remove_prefix(kVersion.size());
  uint64_t start = 0;
  if (!GetVarint(&value, &start)) {
    return InvalidArgument(path, " is no captured traffic: its header is too short");
  }
  recording->start = absl::FromUnixNanos(static_cast<int64_t>(start));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrafficWriter>> TrafficWriter::Open(
    const std::string& path, absl::Time now, Options options) {
  SKEP_RETURN_IF_ERROR(CreatePrivate(path));
  SKEP_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                        FileSystem::Real().OpenToWrite(path));
  std::unique_ptr<TrafficWriter> writer(
      new TrafficWriter(path, std::move(file), now, options));
  std::string header = StrCat(kMagic, kVersion);
  PutVarint(&header, static_cast<uint64_t>(absl::ToUnixNanos(now)));
  SKEP_RETURN_IF_ERROR(writer->run_.Add(KeyOf(0, 0), header));
  SKEP_RETURN_IF_ERROR(writer->Flush());
  writer->thread_ = std::thread([writer = writer.get()] { writer->Run(); });
  return writer;
}

TrafficWriter::TrafficWriter(std::string path, std::unique_ptr<WritableFile> file,
                             absl::Time start, Options options)
    : path_(std::move(path)),
      file_(std::move(file)),
      start_(start),
      options_(options),
      run_(*file_) {}

TrafficWriter::~TrafficWriter() {
  {
    MutexLock lock(mutex_);
    if (!std::exchange(ended_, true)) why_ = "the server was stopped";
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void TrafficWriter::Add(absl::Time now, uint64_t connection, std::string_view body) {
  MutexLock lock(mutex_);
  if (ended_) return;
  if (bytes_ + body.size() + kOverhead > options_.max_bytes) {
    ended_ = true;
    why_ = StrCat("the limit of ", options_.max_bytes, " bytes was reached");
    changed_.SignalAll();
    return;
  }
  if (waiting_bytes_ + body.size() > options_.max_waiting) {
    ++dropped_;
    return;
  }
  bytes_ += body.size() + kOverhead;
  waiting_bytes_ += body.size();
  ++requests_;
  waiting_.push_back(
      {absl::ToInt64Nanoseconds(now - start_), connection, std::string(body)});
}

void TrafficWriter::Drop() {
  MutexLock lock(mutex_);
  if (!ended_) ++dropped_;
}

uint64_t TrafficWriter::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

// Requests of several loops come a little out of order; their times are made to ascend.
absl::Status TrafficWriter::Put(int64_t offset, std::string_view value) {
  last_offset_ = std::max(last_offset_, offset);
  return run_.Add(KeyOf(last_offset_, ++number_), value);
}

// The file keeps small writes back until it is synced.
absl::Status TrafficWriter::Flush() {
  if (std::exchange(flushed_, number_ + 1) == number_ + 1) return absl::OkStatus();
  SKEP_RETURN_IF_ERROR(run_.Flush());
  return file_->Sync();
}

void TrafficWriter::Run() {
  absl::Time flush_at = absl::Now() + kFlushInterval;
  while (true) {
    std::vector<Request> requests;
    bool ended;
    {
      MutexLock lock(mutex_);
      if (!ended_) changed_.WaitFor(mutex_, kWriteInterval);
      ended = ended_;
      requests.swap(waiting_);
      waiting_bytes_ = 0;
    }
    // Nearly in order already: of one loop's requests, all are.
    std::stable_sort(
        requests.begin(), requests.end(),
        [](const Request& a, const Request& b) { return a.offset < b.offset; });
    absl::Status status;
    for (const Request& request : requests) {
      std::string value;
      PutVarint(&value, request.connection);
      value += request.body;
      status = Put(request.offset, value);
      if (!status.ok()) break;
    }
    if (status.ok() && absl::Now() >= flush_at) {
      status = Flush();
      flush_at = absl::Now() + kFlushInterval;
    }
    if (!status.ok()) {
      LOG(ERROR) << "record_failed file=" << path_ << " reason=\"" << status << '"';
      MutexLock lock(mutex_);
      ended_ = true;
      waiting_.clear();
      return;
    }
    if (!ended) continue;
    std::string why;
    {
      MutexLock lock(mutex_);
      why = why_;
    }
    return End(why);
  }
}

void TrafficWriter::End(const std::string& why) {
  uint64_t requests, dropped;
  {
    MutexLock lock(mutex_);
    requests = requests_;
    dropped = dropped_;
  }
  std::string value;
  PutVarint(&value, 0);
  PutVarint(&value, dropped);
  value += why;
  absl::Status status = Put(last_offset_, value);
  if (status.ok()) status = run_.Finish();
  if (status.ok()) status = file_->Close();
  if (!status.ok()) {
    LOG(ERROR) << "record_failed file=" << path_ << " reason=\"" << status << '"';
    return;
  }
  LOG(WARNING) << "record_ended file=" << path_ << " requests=" << requests
               << " dropped=" << dropped << " reason=\"" << why << '"';
}

absl::StatusOr<Recording> ReadTraffic(const std::string& path, uint64_t max_bytes) {
  SKEP_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file,
                        FileSystem::Real().OpenToRead(path));
  char first;
  SKEP_ASSIGN_OR_RETURN(const size_t some, file->ReadAt(0, 1, &first));
  if (some == 0) {
    return InvalidArgument(path, " is empty (0 bytes): whoever made it was stopped ",
                           "before the capture began, or the disk was full");
  }
  return ReadTraffic(std::make_unique<FileSource>(std::move(file)), path, max_bytes);
}

absl::StatusOr<Recording> ReadTraffic(std::unique_ptr<ByteSource> source,
                                      const std::string& path, uint64_t max_bytes) {
  RunReader reader(std::move(source), path);
  Recording recording;
  Record record;
  if (!reader.Next(&record)) {
    return InvalidArgument(
        path, " is no captured traffic: ",
        reader.status().ok() ? "it holds nothing" : Message(reader.status()));
  }
  SKEP_RETURN_IF_ERROR(ReadHeader(record, path, &recording));
  uint64_t bytes = 0;
  bool whole = false;
  while (!whole && reader.Next(&record)) {
    std::string_view key = record.key, value = record.value;
    uint64_t offset = 0, connection = 0;
    if (!GetBig64(&key, &offset) || !GetVarint(&value, &connection)) {
      return InvalidArgument(path, ": request ", recording.requests.size() + 1,
                             " is none");
    }
    if (connection == 0) {
      if (!GetVarint(&value, &recording.dropped)) {
        return InvalidArgument(path, ": the last record is none");
      }
      recording.end = std::string(value);
      whole = true;
      continue;
    }
    bytes += value.size() + sizeof(RecordedRequest);
    if (bytes > max_bytes) {
      return ResourceExhausted(path, " holds more than ", max_bytes, " bytes");
    }
    recording.requests.push_back(
        {.offset = absl::Nanoseconds(static_cast<int64_t>(offset)),
         .connection = connection,
         .body = std::string(value)});
  }
  // The end block follows the last record.
  if (whole) reader.Next(&record);
  recording.damage = reader.status();
  if (!whole && recording.damage.ok()) {
    recording.damage = DataLoss(path, ": the capture's end is missing");
  }
  return recording;
}

}  // namespace skep
