// Coroutines over the channel: calls as co_await.
//
//   Task<absl::StatusOr<int64_t>> CountAll(Channel& a, Channel& b) {
//     const rpc2::Empty ask;
//     auto first = co_await AsyncCall<QueryResponse>(a, Method<Sorter>("Query"), ask);
//     if (!first.ok()) co_return first.status();
//     auto second = co_await AsyncCall<QueryResponse>(b, Method<Sorter>("Query"), ask);
//     if (!second.ok()) co_return second.status();
//     co_return first->message.count() + second->message.count();
//   }
//   Spawn(CountAll(a, b), [](absl::StatusOr<int64_t> count) { ... });
//
// A coroutine runs on its caller's thread until its first call, and after each call on
// the executor of that call's channel. What its arguments refer to must live until it
// ends; it always does, since every call does.

#ifndef SKEP_RPC_COROUTINE_H_
#define SKEP_RPC_COROUTINE_H_

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "rpc/channel.h"

namespace skep {

// A coroutine that yields one T. It starts when it is awaited (or spawned), once, and
// is destroyed with this object. Move only.
template <typename T>
class [[nodiscard]] Task {
 public:
  struct promise_type {
    std::optional<T> value;
    std::coroutine_handle<> continuation = std::noop_coroutine();

    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    // At its end the awaiting coroutine goes on, without growing the stack.
    struct Resume {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(
          std::coroutine_handle<promise_type> self) noexcept {
        return self.promise().continuation;
      }
      void await_resume() noexcept {}
    };
    Resume final_suspend() noexcept { return {}; }
    template <typename U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
    // No exceptions cross our interfaces.
    void unhandled_exception() { std::terminate(); }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  T await_resume() { return *std::move(handle_.promise().value); }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

namespace coroutine_internal {

// A coroutine that nobody awaits: it frees itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

template <typename T, typename Done>
Detached Run(Task<T> task, Done done) {
  done(co_await std::move(task));
}

}  // namespace coroutine_internal

// Starts a task; `done` gets its value where it ends.
template <typename T, typename Done>
void Spawn(Task<T> task, Done done) {
  coroutine_internal::Run(std::move(task), std::move(done));
}

// One call as an awaitable; it starts when it is awaited.
//
// Options must be a variable: co_await AsyncCall<R>(channel, method, request, options).
// g++ 12 frees a braced temporary such as {.timeout = ...} twice when it stands inside
// a co_await expression, here as in any other call; only lvalues are taken, so that it
// does not compile.
template <typename Response>
class [[nodiscard]] AsyncCall {
 public:
  AsyncCall(Channel& channel, const google::protobuf::MethodDescriptor& method,
            const google::protobuf::Message& request)
      : channel_(channel), method_(method), request_(request) {}
  // Takes the attachment out of `options`.
  AsyncCall(Channel& channel, const google::protobuf::MethodDescriptor& method,
            const google::protobuf::Message& request, CallOptions& options)
      : channel_(channel),
        method_(method),
        request_(request),
        options_(std::move(options)) {}

  bool await_ready() const noexcept { return false; }
  // The completion may run on another thread before this returns: nothing of this
  // object is touched after Call.
  void await_suspend(std::coroutine_handle<> awaiting) {
    Call<Response>(channel_, method_, request_, std::move(options_),
                   [this, awaiting](absl::StatusOr<Reply<Response>> reply) {
                     reply_ = std::move(reply);
                     awaiting.resume();
                   });
  }
  absl::StatusOr<Reply<Response>> await_resume() { return std::move(reply_); }

 private:
  Channel& channel_;
  const google::protobuf::MethodDescriptor& method_;
  const google::protobuf::Message& request_;
  CallOptions options_;
  absl::StatusOr<Reply<Response>> reply_;
};

}  // namespace skep

#endif  // SKEP_RPC_COROUTINE_H_
