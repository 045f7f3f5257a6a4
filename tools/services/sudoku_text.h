// The family's text protocol for sudoku: "[id:]puzzle\r\n" in, "[id:]solution\r\n" out.
//
// rpc/README.md has the rules. As the servers that existing clients talk to do, nothing
// is judged before 83 bytes (a puzzle and its line end) have arrived.

#ifndef SKEP_TOOLS_SERVICES_SUDOKU_TEXT_H_
#define SKEP_TOOLS_SERVICES_SUDOKU_TEXT_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "rpc/transport.h"
#include "tools/services/sudoku_stats.h"

namespace skep {

// What a buffer begins with.
struct SudokuTextRequest {
  enum class Kind {
    kIncomplete,  // wait for more
    kPuzzle,
    kBadRequest,  // answer "Bad Request!" and shut down
    kIdTooLong,   // answer "Id too long!" and shut down
  };
  Kind kind = Kind::kIncomplete;
  std::string_view id;      // without the colon; empty: none
  std::string_view puzzle;  // 81 bytes, whatever they are
  size_t size = 0;          // bytes the request takes, with its line end
};
SudokuTextRequest ParseSudokuText(std::string_view buffer);

struct SudokuTextOptions {
  // With more than one thread replies overtake each other: then a request without an id
  // is a bad one.
  bool require_id = false;
  // Puzzles waiting for the pool; over it the answer is ServerTooBusy.
  size_t max_queue = 1'000'000;
  // Unread output of a connection: over the first it gets ServerTooBusy until its
  // output has drained, over the second it is shut down.
  size_t throttle_bytes = 5 << 20;
  size_t shutdown_bytes = 10 << 20;
};

// What the connections of one server share; outlives them.
struct SudokuTextServer {
  SudokuTextOptions options;
  ThreadPool& pool;
  SudokuStats& stats;
  const Clock& clock;
};

// Serves one connection; the stream, borrowed, has been started and outlives the
// handler.
std::unique_ptr<StreamHandler> MakeSudokuTextSession(Stream& stream,
                                                     const SudokuTextServer& server);

}  // namespace skep

#endif  // SKEP_TOOLS_SERVICES_SUDOKU_TEXT_H_
