#include "worker/task_pool.h"

#include <future>
#include <string>
#include <utility>

#include "base/status.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

// Ends at once, or when it is stopped if its payload is "wait".
class FakeExecutor final : public TaskExecutor {
 public:
  TaskResult Run(const TaskSpec& spec, const AttemptControl& control) override {
    TaskResult result;
    result.set_result(spec.payload());
    if (control.progress) control.progress(0);
    if (spec.payload() != "wait") return result;
    Mutex mutex;
    CondVar wake;
    std::stop_callback on_stop(control.stop, [&] {
      MutexLock lock(mutex);
      wake.SignalAll();
    });
    MutexLock lock(mutex);
    while (!control.stop.stop_requested()) wake.Wait(mutex);
    SetStatus(Cancelled("stopped"), &result);
    return result;
  }
};

TaskSpec Spec(uint32_t task, const std::string& payload) {
  TaskSpec spec;
  spec.mutable_id()->set_task(task);
  spec.set_payload(payload);
  return spec;
}

// The results, in the order in which they came.
class Results {
 public:
  TaskPool::Done Add() {
    return [this](TaskResult result) {
      MutexLock lock(mutex_);
      text_ += result.result() + (result.status_code() == 0 ? ";" : "!;");
      ++count_;
      wake_.SignalAll();
    };
  }
  std::string Await(int count) {
    MutexLock lock(mutex_);
    while (count_ < count) wake_.Wait(mutex_);
    return text_;
  }

 private:
  Mutex mutex_;
  CondVar wake_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string text_ ABSL_GUARDED_BY(mutex_);
};

std::unique_ptr<TaskExecutor> MakeFake(int) { return std::make_unique<FakeExecutor>(); }

TEST(TaskPoolTest, RunsInOrder) {
  Results results;
  TaskPool pool(1, MakeFake);
  for (uint32_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(pool.Run(Spec(i, std::to_string(i)), nullptr, results.Add()).ok());
  }
  EXPECT_EQ(results.Await(5), "0;1;2;3;4;");
}

TEST(TaskPoolTest, CancelsWhatRunsAndWhatWaits) {
  Results results;
  std::promise<void> started;
  TaskPool pool(1, MakeFake);
  ASSERT_TRUE(
      pool.Run(
              Spec(1, "wait"), [&](float) { started.set_value(); }, results.Add())
          .ok());
  started.get_future().wait();
  ASSERT_TRUE(pool.Run(Spec(2, "never begins"), nullptr, results.Add()).ok());
  EXPECT_EQ(pool.free_slots(), 0);
  pool.Cancel(RefOf(Spec(2, "").id()));
  pool.Cancel(RefOf(Spec(3, "").id()));
  pool.Cancel(RefOf(Spec(1, "").id()));
  EXPECT_EQ(results.Await(2), "wait!;!;");
}

TEST(TaskPoolTest, ItsEndIsTheEndOfAll) {
  Results results;
  {
    TaskPool pool(2, MakeFake);
    for (uint32_t i = 0; i < 4; ++i) {
      ASSERT_TRUE(pool.Run(Spec(i, "wait"), nullptr, results.Add()).ok());
    }
  }
  results.Await(4);
}

TEST(TaskPoolTest, TheQueueIsBounded) {
  Results results;
  TaskPool pool(1, MakeFake);
  absl::Status status;
  uint32_t taken = 0;
  while (status.ok()) {
    status = pool.Run(Spec(taken, "wait"), nullptr, results.Add());
    taken += status.ok() ? 1 : 0;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_GE(taken, TaskPool::kMaxQueued);
}

}  // namespace
}  // namespace skep
