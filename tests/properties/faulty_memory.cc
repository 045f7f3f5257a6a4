#include "tests/properties/faulty_memory.h"

#include <utility>

namespace skep {

// Between what is handled and the doors that its handler uses.
struct FaultyMemory::State {
  // One more step of the handler.
  void Step() {
    if (handled == nullptr || steps-- > 0) return;
    (*handled)[offset] = static_cast<char>((*handled)[offset] ^ mask);
    handled = nullptr;
    armed = false;
    done = true;
  }

  std::unique_ptr<Transport> transport;
  bool armed = false;
  bool done = false;
  size_t bytes = 0;
  size_t offset = 0;
  char mask = 0;
  int steps = 0;
  std::string* handled = nullptr;  // while it is, and is what was waited for
};

namespace {

using State = FaultyMemory::State;

class SteppedClock final : public Clock {
 public:
  SteppedClock(State& state, const Clock& clock) : state_(state), clock_(clock) {}
  absl::Time Now() const override {
    state_.Step();
    return clock_.Now();
  }

 private:
  State& state_;
  const Clock& clock_;
};

class SteppedExecutor final : public Executor {
 public:
  SteppedExecutor(State& state, Executor& executor)
      : executor_(executor), clock_(state, executor.clock()) {}
  void Post(Closure fn) override { executor_.Post(std::move(fn)); }
  TimerId PostAfter(absl::Duration delay, Closure fn) override {
    return executor_.PostAfter(delay, std::move(fn));
  }
  bool Cancel(TimerId timer) override { return executor_.Cancel(timer); }
  bool IsCurrent() const override { return executor_.IsCurrent(); }
  bool RunsByItself() const override { return executor_.RunsByItself(); }
  const Clock& clock() const override { return clock_; }

 private:
  Executor& executor_;
  const SteppedClock clock_;
};

class FaultyStream final : public Stream, public StreamHandler {
 public:
  FaultyStream(State& state, Executor& executor, std::unique_ptr<Stream> stream)
      : state_(state), executor_(executor), stream_(std::move(stream)) {}

  void Start(StreamHandler* handler) override {
    handler_ = handler;
    Stream::Attach(handler, this);
    stream_->Start(this);
  }
  void Write(std::string_view bytes) override {
    state_.Step();
    stream_->Write(bytes);
  }
  void WriteBulk(std::string_view bytes) override {
    state_.Step();
    stream_->WriteBulk(bytes);
  }
  char* BeginWrite(size_t most) override {
    state_.Step();
    return stream_->BeginWrite(most);
  }
  void EndWrite(size_t count) override {
    state_.Step();
    stream_->EndWrite(count);
  }
  size_t unsent() const override {
    state_.Step();
    return stream_->unsent();
  }
  void SetReading(bool on) override { stream_->SetReading(on); }
  void CloseWhenDrained(absl::Duration linger) override {
    stream_->CloseWhenDrained(linger);
  }
  void Abort(absl::Status reason) override { stream_->Abort(std::move(reason)); }
  Executor& executor() override { return executor_; }
  const std::string& peer() const override { return stream_->peer(); }
  const std::string& local() const override { return stream_->local(); }

  size_t OnData(std::string_view bytes) override {
    if (!state_.armed || bytes.size() < state_.bytes) return handler_->OnData(bytes);
    std::string memory(bytes);
    State& state = state_;  // the handler may destroy this
    state.handled = &memory;
    const size_t consumed = handler_->OnData(memory);
    state.handled = nullptr;
    state.armed = false;
    return consumed;
  }
  void OnPeerClosed() override { handler_->OnPeerClosed(); }
  void OnDrained() override { handler_->OnDrained(); }
  void OnClosed(const absl::Status& reason) override { handler_->OnClosed(reason); }

 private:
  State& state_;
  Executor& executor_;
  StreamHandler* handler_ = nullptr;
  const std::unique_ptr<Stream> stream_;
};

class FaultyTransport final : public Transport {
 public:
  FaultyTransport(State& state, Transport& transport)
      : state_(state), transport_(transport), executor_(state, transport.executor()) {}

  void Connect(const Address& to, absl::Duration timeout, Connected done) override {
    transport_.Connect(to, timeout,
                       [this, done = std::move(done)](
                           absl::StatusOr<std::unique_ptr<Stream>> stream) mutable {
                         if (stream.ok()) stream = Over(*std::move(stream));
                         done(std::move(stream));
                       });
  }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& at,
                                                   Accept accept) override {
    return transport_.Listen(
        at, [this, accept = std::move(accept)](std::unique_ptr<Stream> stream) mutable {
          accept(Over(std::move(stream)));
        });
  }
  Executor& executor() override { return executor_; }

 private:
  std::unique_ptr<Stream> Over(std::unique_ptr<Stream> stream) {
    return std::make_unique<FaultyStream>(state_, executor_, std::move(stream));
  }

  State& state_;
  Transport& transport_;
  SteppedExecutor executor_;
};

}  // namespace

FaultyMemory::FaultyMemory(Transport& transport) : state_(std::make_unique<State>()) {
  state_->transport = std::make_unique<FaultyTransport>(*state_, transport);
}

FaultyMemory::~FaultyMemory() = default;

Transport& FaultyMemory::transport() { return *state_->transport; }

void FaultyMemory::Arm(size_t bytes, size_t offset, char mask, int steps) {
  state_->armed = true;
  state_->done = false;
  state_->bytes = bytes;
  state_->offset = offset;
  state_->mask = mask;
  state_->steps = steps;
}

void FaultyMemory::Disarm() { state_->armed = false; }

bool FaultyMemory::done() const { return state_->done; }

}  // namespace skep
