// libFuzzer's door: the environment variable SKEP_FUZZ_TARGET names the target.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "glog/logging.h"
#include "google/protobuf/stubs/logging.h"
#include "tests/fuzz/targets.h"

namespace {

const skep::FuzzTarget& Target() {
  const char* const name = std::getenv("SKEP_FUZZ_TARGET");
  for (const skep::FuzzTarget& target : skep::FuzzTargets()) {
    if (name != nullptr && target.name == name) return target;
  }
  std::fprintf(stderr, "set SKEP_FUZZ_TARGET to one of:\n");
  for (const skep::FuzzTarget& target : skep::FuzzTargets()) {
    std::fprintf(stderr, "%s\n", std::string(target.name).c_str());
  }
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // Peers that misbehave are logged, a line each.
  FLAGS_minloglevel = google::GLOG_FATAL;
  google::protobuf::SetLogHandler(nullptr);
  Target();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const skep::FuzzTarget& target = Target();
  target.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
