#include <memory>
#include <string>

#include "base/coding.h"
#include "glog/logging.h"
#include "storage/byte_source.h"
#include "storage/memory_file_system.h"
#include "storage/run_writer.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"
#include "tools/record/traffic_file.h"

namespace skep {
namespace {

constexpr uint64_t kMostBytes = 1 << 20;

absl::StatusOr<Recording> Read(std::string bytes, size_t max_read) {
  return ReadTraffic(std::make_unique<StringSource>(std::move(bytes), max_read),
                     "capture", kMostBytes);
}

// A run whose blocks are whole and whose records are whatever was given.
std::string SealedRun(FuzzInput& input) {
  MemoryFileSystem fs;
  auto file = fs.OpenToWrite("/capture").value();
  RunWriter writer(*file);
  uint64_t offset = 0;
  for (uint64_t number = 0; number < 64 && !input.empty(); ++number) {
    const uint8_t how = input.Byte();
    // Ascending, as those of a writer; the last now and then of another length.
    std::string key;
    PutBig64(&key, offset += input.Byte());
    PutBig64(&key, number);
    const bool last = how >= 250;
    if (last) key.resize(how - 245);
    if (last) key[0] = '\xff';
    std::string value = number == 0 && how % 16 != 0 ? "skep traffic 1" : "";
    value += input.Take(how % 64);
    CHECK(writer.Add(key, value).ok());
    if (last) break;
    if (how % 8 == 7) CHECK(writer.Flush().ok());
  }
  CHECK(writer.Finish().ok());
  CHECK(file->Close().ok());
  return ReadFile(fs, "/capture").value();
}

}  // namespace

// What `skep load --replay` reads: a file of anybody's.
void FuzzTraffic(std::string_view bytes) {
  FuzzInput input(bytes);
  const uint8_t mode = input.Byte();
  const size_t max_read = 1 + input.Byte();
  const std::string file = mode % 2 == 0 ? std::string(input.Rest()) : SealedRun(input);
  const auto recording = Read(file, max_read);
  if (!recording.ok()) return;
  uint64_t held = 0;
  for (const RecordedRequest& request : recording->requests) {
    CHECK_NE(request.connection, 0u);
    held += request.body.size();
  }
  CHECK_LE(held, kMostBytes);
  CHECK(recording->damage.ok() || absl::IsDataLoss(recording->damage))
      << recording->damage;
}

}  // namespace skep
