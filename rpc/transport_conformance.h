// What every Transport must do, as a test suite that each implementation instantiates:
//   INSTANTIATE_TEST_SUITE_P(Tcp, TransportConformance, testing::Values(&MakeTcpBed));

#ifndef SKEP_RPC_TRANSPORT_CONFORMANCE_H_
#define SKEP_RPC_TRANSPORT_CONFORMANCE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "gtest/gtest.h"
#include "rpc/transport.h"

namespace skep {

// The world that a test runs in. Everything that handlers and test share is guarded by
// mutex(), and every change is told to Changed(), whatever threads there are or are
// not.
class TestBed {
 public:
  virtual ~TestBed() = default;
  virtual Transport& server() = 0;
  virtual Transport& client() = 0;
  // Where a server may listen.
  virtual Address listen_address() = 0;
  // Where nobody answers, not even with a refusal.
  virtual Address black_hole() = 0;
  // Makes the world go on until `done`, called with the mutex held, is true; false if
  // that takes longer than a test should.
  virtual bool WaitUntil(const std::function<bool()>& done) = 0;

  Mutex& mutex() { return mutex_; }
  CondVar& changed() { return changed_; }
  // Runs `fn` on `executor` and waits for it.
  bool RunOn(Executor& executor, const std::function<void()>& fn);

 private:
  Mutex mutex_;
  CondVar changed_;
};
using MakeTestBed = std::unique_ptr<TestBed> (*)();

// One end of a connection: records what happens, with hooks for what a test adds. Hooks
// run on the stream's executor.
class TestPeer final : public StreamHandler {
 public:
  TestPeer(TestBed& bed, std::unique_ptr<Stream> stream)
      : bed_(bed), stream_(std::move(stream)), executor_(stream_->executor()) {}

  size_t OnData(std::string_view bytes) override;
  void OnPeerClosed() override;
  void OnDrained() override;
  void OnClosed(const absl::Status& reason) override;

  // On the executor.
  Stream& stream() { return *stream_; }
  void Start() { stream_->Start(this); }
  void DestroyStream() { stream_.reset(); }
  // Runs `fn` on the executor and waits.
  bool Run(const std::function<void(Stream&)>& fn);
  void Destroy();

  std::function<size_t(TestPeer&, std::string_view)> on_data;
  std::function<void(TestPeer&)> on_peer_closed;
  std::function<void(TestPeer&)> on_drained;
  std::function<void(TestPeer&)> on_closed;

  // Guarded by the bed's mutex.
  std::string received;
  int peer_closed = 0;
  int drained = 0;
  int closed = 0;
  absl::Status reason;

 private:
  TestBed& bed_;
  std::unique_ptr<Stream> stream_;
  Executor& executor_;
};

class TransportConformance : public testing::TestWithParam<MakeTestBed> {
 protected:
  TransportConformance() : bed_(GetParam()()) {}
  void TearDown() override;

  using Setup = std::function<void(TestPeer&)>;
  // Listens; each accepted peer is started and set up, on its executor, before it gets
  // its first event.
  void Listen(Setup setup = nullptr);
  // Connects and starts a peer; fails the test and returns null if that does not work.
  TestPeer* Connect(Setup setup = nullptr);
  absl::Status ConnectError(const Address& to, absl::Duration timeout);
  // The accepted peer number `index`, waited for.
  TestPeer* Accepted(size_t index = 0);
  bool WaitUntil(const std::function<bool()>& done) { return bed_->WaitUntil(done); }

  const std::unique_ptr<TestBed> bed_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<TestPeer>> accepted_;
  std::vector<std::unique_ptr<TestPeer>> connected_;
};

}  // namespace skep

#endif  // SKEP_RPC_TRANSPORT_CONFORMANCE_H_
