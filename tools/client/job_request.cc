#include "tools/client/job_request.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "base/status.h"
#include "storage/input_list.h"
#include "storage/record_format.h"
#include "storage/split_planner.h"
#include "tools/exit_code.h"
#include "tools/signals.h"

namespace skep {
namespace {

constexpr char kStandardInput[] = "-";

// An input that cannot be read, whatever the reason.
absl::Status AboutFiles(const absl::Status& status) {
  return status.ok() || absl::IsInvalidArgument(status) ? status
                                                        : EndsWith(kFiles, status);
}

// Whether there is something to read, waiting for it. A signal to stop does not end a
// wait by itself.
absl::StatusOr<bool> HasInput(int from) {
  constexpr int kPatienceMs = 200;
  pollfd input = {.fd = from, .events = POLLIN, .revents = 0};
  const int ready = poll(&input, 1, kPatienceMs);
  if (StopRequested()) return Cancelled("stopped while reading standard input");
  return ready > 0;
}

// Splits must be re-readable by any attempt, so what comes by a pipe is kept in a file.
absl::Status Spool(FileSystem& fs, int from, const std::string& to) {
  SKEP_ASSIGN_OR_RETURN(const auto file,
                        fs.OpenToWrite(to, FileSystem::IfExists::kFail));
  std::string buffer(1 << 20, '\0');
  while (true) {
    SKEP_ASSIGN_OR_RETURN(const bool ready, HasInput(from));
    if (!ready) continue;
    const ssize_t got = read(from, buffer.data(), buffer.size());
    // EAGAIN: somebody else made it so.
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0 && errno == EBADF) {
      return FailedPrecondition("standard input is closed: give - something to read");
    }
    if (got < 0) return ErrnoToStatus(errno, "read standard input");
    if (got == 0) return file->Close();
    SKEP_RETURN_IF_ERROR(Annotate(file->Append(std::string_view(buffer).substr(0, got)),
                                  "keep standard input for the workers"));
  }
}

}  // namespace

absl::StatusOr<PreparedJob> PrepareJob(FileSystem& fs, const JobRequest& request,
                                       const std::string& working_directory,
                                       const std::string& scratch, int standard_input) {
  const Job& job = *request.job;
  PreparedJob prepared;
  JobSpec& spec = prepared.spec;
  spec.set_name(job.name());
  for (const auto& [name, value] : request.options.NonDefault()) {
    (*spec.mutable_options())[name] = value;
  }
  spec.set_partitions(static_cast<uint32_t>(request.partitions));
  spec.set_max_attempts(static_cast<uint32_t>(request.max_attempts));
  spec.set_task_memory_bytes(request.task_memory_bytes);

  SKEP_ASSIGN_OR_RETURN(const InputFormat format, job.input(request.options));
  if (format.kind == InputFormat::Kind::kNone) {
    if (request.inputs.empty()) return prepared;
    return InvalidArgument(job.name(), " takes no input: leave out '",
                           request.inputs[0], "'");
  }
  if (request.inputs.empty()) {
    return InvalidArgument(job.name(),
                           " wants input: name files, directories or globs, or - for "
                           "standard input");
  }
  std::vector<std::string> inputs = request.inputs;
  const auto dashes = std::count(inputs.begin(), inputs.end(), kStandardInput);
  if (dashes > 1)
    return InvalidArgument("- can be read once only, not ", dashes, " times");
  if (dashes == 1) {
    prepared.standard_input = std::make_unique<TemporaryFile>(
        fs, JoinPath(scratch, StrCat("skep-stdin-",
                                     absl::Hex(SystemRandom64(), absl::kZeroPad16))));
    const std::string& path = prepared.standard_input->path();
    const absl::Status kept = Spool(fs, standard_input, path);
    if (!kept.ok()) return absl::IsCancelled(kept) ? kept : EndsWith(kFiles, kept);
    std::replace(inputs.begin(), inputs.end(), std::string(kStandardInput), path);
  }
  absl::StatusOr<std::vector<InputFile>> listed =
      ListInputs(fs, working_directory, inputs, &prepared.warnings);
  if (!listed.ok()) return AboutFiles(listed.status());
  std::vector<InputFile> files = *std::move(listed);
  for (InputFile& file : files) {
    if (prepared.standard_input != nullptr &&
        file.path() == prepared.standard_input->path()) {
      file.set_name(kStandardInput);
    }
  }
  RecordFormat records;
  if (format.kind == InputFormat::Kind::kFixed) {
    records = {RecordFormat::Kind::kFixed, format.record_size};
  }
  records.empty_files = format.empty_files;
  const uint64_t split_bytes =
      request.split_bytes != 0 ? request.split_bytes : format.split_bytes;
  SKEP_ASSIGN_OR_RETURN(const std::vector<InputSplit> splits,
                        PlanSplits(files, records, split_bytes));
  for (const InputSplit& split : splits) *spec.add_splits() = split;
  return prepared;
}

}  // namespace skep
