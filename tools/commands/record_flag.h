// --record and --record-limit of the commands that serve.

#ifndef SKEP_TOOLS_COMMANDS_RECORD_FLAG_H_
#define SKEP_TOOLS_COMMANDS_RECORD_FLAG_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "tools/command_line.h"
#include "tools/exit_code.h"
#include "tools/record/recording_transport.h"
#include "tools/record/traffic_file.h"

namespace skep {

struct RecordFlag {
  std::string file;
  uint64_t limit = uint64_t{1} << 30;

  void Declare(CommandLine& line) {
    line.Flag("record", &file,
              "Capture every RPC request of at most 1 MiB, with its payload, in this "
              "new file "
              "(mode 0600), for `skep load --replay`",
              "FILE");
    line.SizeFlag("record-limit", &limit, "Where the capture ends");
  }
  absl::Status Check(const CommandLine& line) const {
    return file.empty() ? line.InVain("record-limit", "--record FILE")
                        : absl::OkStatus();
  }
  // Null without --record. It outlives the transport.
  absl::StatusOr<std::unique_ptr<TrafficWriter>> Open() const {
    if (file.empty()) return std::unique_ptr<TrafficWriter>();
    auto writer = TrafficWriter::Open(file, Clock::Real().Now(), {.max_bytes = limit});
    if (!writer.ok()) return EndsWith(kFiles, writer.status());
    return writer;
  }
  // The transport to listen on; null where nothing is captured.
  static std::unique_ptr<Transport> Front(Transport& transport, TrafficWriter* writer) {
    if (writer == nullptr) return nullptr;
    return std::make_unique<RecordingTransport>(transport, *writer);
  }
};

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_RECORD_FLAG_H_
