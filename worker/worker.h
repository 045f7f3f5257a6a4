// A worker: runs a fleet's attempts in its slots, holds map outputs and serves them.
//
//   Worker::Start connects to the master in the background and registers, again after
//   each reconnect, with what it still has. A disconnect stops nothing: attempts go on,
//   and the master gets their results when it asks again.

#ifndef SKEP_WORKER_WORKER_H_
#define SKEP_WORKER_WORKER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "jobs/api/job.h"
#include "rpc/address.h"
#include "rpc/transport.h"
#include "storage/file_system.h"
#include "worker/process_executor.h"

namespace skep {

struct WorkerOptions {
  Address master;
  std::string name;  // for people: "host:pid"
  int slots = 1;     // attempts at a time
  // Where reducers fetch from. Port 0: any.
  Address shuffle_listen = Address::Tcp("127.0.0.1", 0);
  // The host that other workers reach it by; empty: that of shuffle_listen.
  std::string shuffle_host;
  // Exists or can be made. The worker works in a folder of its own in it, which goes
  // with Shutdown.
  std::string scratch;
  std::string fleet;          // must equal the master's
  std::string binary_digest;  // of this program, as JobSpec.binary_digest
  enum class Executors {
    kInProcess,  // a crash of user code is a crash of the worker
    kProcesses,  // child processes of this program
  };
  Executors executors = Executors::kInProcess;
  // kProcesses: how to start one; scratch and host are set by the worker.
  ProcessExecutorOptions process;
  // kProcesses: carries the socket pairs. Borrowed, outlives the worker.
  TcpTransport* process_transport = nullptr;
  // Threads that read map outputs from the disk for reducers.
  int shuffle_threads = 2;
};

// Thread-safe.
class Worker {
 public:
  // All borrowed, outliving the worker. Errors: the scratch folder or the listening
  // address cannot be had. A master that is not there is waited for.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(WorkerOptions options,
                                                       Transport& transport,
                                                       FileSystem& local,
                                                       const JobTable& jobs);
  // Shutdown without grace.
  virtual ~Worker() = default;

  // Takes no new attempts, lets running ones finish for at most `grace`, cancels the
  // rest, ends every connection, deletes the worker's files. Blocks; not called on the
  // transport's loops. Idempotent.
  virtual void Shutdown(absl::Duration grace) = 0;

  // Ok while registered with the master; else why not, for people.
  virtual absl::Status state() const = 0;
  // What other workers fetch from.
  virtual const std::string& shuffle_address() const = 0;
  // Attempts running or waiting for a slot.
  virtual int running() const = 0;
};

}  // namespace skep

#endif  // SKEP_WORKER_WORKER_H_
