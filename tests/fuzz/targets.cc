#include "tests/fuzz/targets.h"

namespace skep {

std::span<const FuzzTarget> FuzzTargets() {
  static constexpr FuzzTarget kTargets[] = {
      {"rpc0", FuzzRpc0},
      {"typed_frames", FuzzTypedFrames},
      {"connection", FuzzConnection},
      {"control", FuzzControl},
      {"balancer", FuzzBalancer},
      {"http", FuzzHttp},
      {"sudoku_text", FuzzSudokuText},
      {"blocks", FuzzBlocks},
      {"runs", FuzzRuns},
      {"checkpoint", FuzzCheckpoint},
      {"text", FuzzText},
      {"join", FuzzJoin},
      {"traffic", FuzzTraffic},
  };
  return kTargets;
}

}  // namespace skep
