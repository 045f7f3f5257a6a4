// What is fuzzed: functions that take any bytes and die where a promise is broken.
//
// A target is one function in a file of its own; a line here and one in targets.cc
// add it. Run by libFuzzer (fuzz_main.cc, tools/fuzz) and, with the seeds and what was
// once found, as an ordinary test (fuzz_test.cc).

#ifndef SKEP_TESTS_FUZZ_TARGETS_H_
#define SKEP_TESTS_FUZZ_TARGETS_H_

#include <span>
#include <string_view>

namespace skep {

// RPC0 frames and envelopes, against protobuf's own parser.
void FuzzRpc0(std::string_view bytes);
// PB and ProtobufCodec frames.
void FuzzTypedFrames(std::string_view bytes);
// A server's connection: calls, hello, control messages and nonsense, over the
// simulated network.
void FuzzConnection(std::string_view bytes);
// Hello, cancel, go-away and ping, in any order and with any ids, at either end.
void FuzzControl(std::string_view bytes);
// The balancer, with a client and a backend that send anything.
void FuzzBalancer(std::string_view bytes);
// The HTTP server of the statistics pages.
void FuzzHttp(std::string_view bytes);
// The sudoku text protocol: its parser, and a session over a socket pair.
void FuzzSudokuText(std::string_view bytes);
// Splits of a file and the blocks read from them.
void FuzzBlocks(std::string_view bytes);
// Sorted runs, damaged.
void FuzzRuns(std::string_view bytes);
// Checkpoints of submitters, damaged.
void FuzzCheckpoint(std::string_view bytes);
// Small parsers of text: addresses, sizes, numbers, quantiles, JSON, metrics.
void FuzzText(std::string_view bytes);
// TLS handshakes, join tokens, signing requests, certificates, lists of revoked ones,
// and the service at the join port.
void FuzzJoin(std::string_view bytes);
// Captured traffic.
void FuzzTraffic(std::string_view bytes);

struct FuzzTarget {
  std::string_view name;
  void (*run)(std::string_view bytes);
};
std::span<const FuzzTarget> FuzzTargets();

}  // namespace skep

#endif  // SKEP_TESTS_FUZZ_TARGETS_H_
