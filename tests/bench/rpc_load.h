// What the RPC benchmark runs: a closed loop of echo calls over several connections, on
// either of two systems. Each side is a process of its own, so that its CPU time and
// its core are its own too.

#ifndef SKEP_TESTS_BENCH_RPC_LOAD_H_
#define SKEP_TESTS_BENCH_RPC_LOAD_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace skep {

// What both ends show each other under TLS, and by what they know it: PEM.
struct BenchCertificates {
  std::string authority;
  std::string certificate;
  std::string key;
};

struct RpcLoad {
  int connections = 1;
  int idle_connections = 0;  // beside those, and never used
  int in_flight = 1;         // a connection
  size_t payload_bytes = 16;
  // Bulk bytes beside the message, in one direction.
  size_t request_attachment = 0;
  size_t reply_attachment = 0;
  // Threads that make the calls, each with in_flight of them on every connection, by
  // turns; 0: completions do, on the channel's loop. skep only.
  int caller_threads = 0;
  // Whether the handler runs on a pool of two threads. skep only.
  bool on_pool = false;
  // Whether loops look again for a while before they block.
  bool spin = false;
  // Under TLS, mutual; null: in plain text. Borrowed.
  const BenchCertificates* certificates = nullptr;
  // Each call is timed; else only counted.
  bool timed = false;
  // Calls go through a balancer, which is a process and has a core of its own; client
  // and server share the other.
  bool balanced = false;
  bool cut_through = true;  // large replies, in the balancer
};

// Counts completed calls. Thread-safe, but for CountAlone and timed loads, which have
// one call in flight at a time.
class CallMeter {
 public:
  explicit CallMeter(bool timed) : timed_(timed) {
    if (timed) nanoseconds_.reserve(8 << 20);
  }

  bool timed() const { return timed_; }
  void Count() { calls_.fetch_add(1, std::memory_order_relaxed); }
  // The same where one thread alone counts.
  void CountAlone() {
    calls_.store(calls_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void CountTimed(std::chrono::nanoseconds took) {
    nanoseconds_.push_back(static_cast<uint32_t>(took.count()));
    Count();
  }
  uint64_t calls() const { return calls_.load(std::memory_order_acquire); }
  // The first calls() of them are there.
  const std::vector<uint32_t>& nanoseconds() const { return nanoseconds_; }

 private:
  const bool timed_;
  std::atomic<uint64_t> calls_{0};
  std::vector<uint32_t> nanoseconds_;
};

// One RPC system. The functions leave what they start running: the process that called
// them ends without cleaning up.
struct RpcSystem {
  const char* name;
  // Serves echo on a free port of loopback and returns it.
  int (*serve)(const RpcLoad& load);
  // Connects all of `load`'s connections, waits until they are, idle ones too, and
  // starts calling.
  void (*drive)(const RpcLoad& load, int port, CallMeter* meter);
};

// Starts a balancer before the server at `port` and returns its own port.
int StartBalancer(const RpcLoad& load, int port);  // rpc_load_balancer.cc

extern const RpcSystem kSkepSystem;  // rpc_load_skep.cc
extern const RpcSystem kGrpcSystem;  // rpc_load_grpc.cc

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_RPC_LOAD_H_
