#include "base/thread_pool.h"

#include <atomic>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(ThreadPool, RunsEverythingBeforeItIsGone) {
  std::atomic<int> ran = 0;
  {
    ThreadPool pool("test", 4);
    for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(pool.Schedule([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 10'000);
}

TEST(ThreadPool, RefusesWorkOverItsBound) {
  Mutex mutex;
  mutex.Lock();
  {
    ThreadPool pool("test", 1, 2);
    std::atomic<bool> started = false;
    ASSERT_TRUE(pool.Schedule([&] {
      started = true;
      MutexLock wait(mutex);
    }));
    while (!started) std::this_thread::yield();
    EXPECT_TRUE(pool.Schedule([] {}));
    EXPECT_TRUE(pool.Schedule([] {}));
    EXPECT_FALSE(pool.Schedule([] {}));
    EXPECT_EQ(pool.queued(), 2u);
    mutex.Unlock();
  }
}

}  // namespace
}  // namespace skep
