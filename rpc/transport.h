// The Transport door: byte streams between addresses.
//
// The real one (tcp_transport.h) runs over epoll loops and sockets; the simulated one
// (sim_transport.h) over a ManualExecutor, with delays, losses and partitions drawn
// from a seed. Channels, servers, the balancer, master and worker know only this.
//
// Ownership: whoever was given a unique_ptr<Stream> owns it. It may be destroyed at any
// moment on its executor, also inside any of its own callbacks (the bytes of that
// OnData are then gone): no event follows, not even OnClosed, and unsent bytes are
// lost. A stream that was never started may be destroyed anywhere. A stream outlives
// OnClosed; it is dead from then on: Write, SetReading, CloseWhenDrained and Abort do
// nothing. Streams and listeners should be gone before their transport; a stream that
// is not gets OnClosed(Cancelled) on its executor and may be destroyed after it,
// anywhere.

#ifndef SKEP_RPC_TRANSPORT_H_
#define SKEP_RPC_TRANSPORT_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/executor.h"
#include "rpc/address.h"

namespace skep {

// Unsent bytes over which a stream says OnDrained when it has got rid of them all. A
// writer's own limit is therefore never less than this.
inline constexpr size_t kStreamHighWater = 1 << 20;

// Receives a stream's events, all on the stream's executor and never inside one of the
// stream's methods. Must outlive the stream or until OnClosed.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;

  // Bytes arrived: `bytes` is everything not consumed so far. Returns how many bytes,
  // from the front, were consumed; the rest is offered again with what comes next, or
  // when reading is resumed. Bytes still arrive after CloseWhenDrained.
  virtual size_t OnData(std::string_view bytes) = 0;
  // Where the next bytes would best be put, if they are many. A stream that can reads
  // them there and says OnFilled in place of OnData; others say OnData all the same.
  // Asked only while there are no bytes that were not consumed; valid until the next
  // event.
  virtual std::span<char> Room() { return {}; }
  virtual void OnFilled(size_t count) {}
  // The peer will send no more (its half of the close). The stream may still be
  // written to. Default: half-close too once our output has drained.
  virtual void OnPeerClosed();
  // Output that was over kStreamHighWater has drained: unsent() is zero now.
  virtual void OnDrained() {}
  // The last event, exactly once: the stream is gone. Ok after an orderly close (both
  // halves closed, all sent), Unavailable when the connection broke, DeadlineExceeded
  // when the linger time passed, else the reason given to Abort.
  virtual void OnClosed(const absl::Status& reason) = 0;

 private:
  friend class Stream;
  class Stream* stream_ = nullptr;
};

// One connected byte stream. Every method is called on its executor only.
class Stream {
 public:
  // On the executor (or after it has stopped): drops the connection at once; no event
  // follows. Allowed inside the stream's own events.
  virtual ~Stream() = default;

  // Starts delivering events; comes before the rest, except executor(), peer() and
  // local(), which may be called anywhere until then. `handler` is borrowed.
  virtual void Start(StreamHandler* handler) = 0;
  // Queues a copy of the bytes. They leave no later than at the end of the executor's
  // turn, with what else is written until then.
  virtual void Write(std::string_view bytes) = 0;
  // As Write, for bytes that are many: they may be given to the kernel at once, with
  // what is queued before them, and only what it does not take is copied.
  virtual void WriteBulk(std::string_view bytes) { Write(bytes); }
  // As Write, for bytes that are many: they are kept and not copied, and may be given
  // to the kernel with the next small write.
  virtual void WriteOwned(std::string bytes) { Write(bytes); }
  // As Write, in place: memory for `most` bytes, not initialized, of which EndWrite,
  // the next call on this stream, queues the first `count`.
  virtual char* BeginWrite(size_t most) = 0;
  virtual void EndWrite(size_t count) = 0;
  // Bytes written and not yet taken by the kernel.
  virtual size_t unsent() const = 0;
  // Those, and what the kernel has and the peer's did not take: whether a slow peer takes
  // anything is seen here long before it is in unsent(), which falls by a large part of
  // the kernel's buffer at a time. A system call.
  virtual size_t untaken() const { return unsent(); }
  // In OnClosed and after it: of the bytes that were written, how many, from the end,
  // certainly never left this process. Where that is not known, none.
  virtual size_t lost() const { return 0; }
  // Stops or resumes OnData: backpressure. Resuming offers the bytes that were not
  // consumed again, soon and not inside this call, even if nothing new arrived. While
  // it is off, the end of the peer's bytes is not noticed either.
  virtual void SetReading(bool on) = 0;
  // Orderly: sends what is queued, then closes our half; the stream is closed when the
  // peer has closed its own, or `linger` after this call. What is written from now on
  // is dropped.
  virtual void CloseWhenDrained(absl::Duration linger = absl::Seconds(10)) = 0;
  // At once: unsent bytes are lost and the peer sees a reset. OnClosed(reason) follows,
  // not inside this call.
  virtual void Abort(absl::Status reason) = 0;

  virtual Executor& executor() = 0;
  virtual const std::string& peer() const = 0;
  virtual const std::string& local() const = 0;

 protected:
  static void Attach(StreamHandler* handler, Stream* stream) {
    handler->stream_ = stream;
  }
};

// A listening address; the destructor stops listening: the port is free and `accept`
// does not run any more when it returns. Destroy it anywhere, also inside `accept`.
class Listener {
 public:
  virtual ~Listener() = default;
  // With the port that was really taken (port 0 asks for a free one).
  virtual const Address& address() const = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Makes one attempt to connect (every resolved address in turn); `done` runs
  // once, on the new stream's executor, never inside this call. Called on one of the
  // transport's executors, the stream lives (and `done` runs) on that one: a channel
  // that reconnects stays on its loop. Refuses a connection to itself. Unavailable:
  // refused or unreachable; DeadlineExceeded: `timeout` passed; NotFound: no such host.
  // Thread-safe.
  using Connected = absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Stream>>)>;
  virtual void Connect(const Address& to, absl::Duration timeout, Connected done) = 0;

  // `accept` runs on each new stream's executor: with several loops, at the same time
  // on several of them. It owns the stream and starts it. Thread-safe.
  using Accept = absl::AnyInvocable<void(std::unique_ptr<Stream>)>;
  virtual absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                           Accept accept) = 0;

  // An executor of this transport, for timers of things that have no stream.
  virtual Executor& executor() = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_TRANSPORT_H_
