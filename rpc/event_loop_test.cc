#include "rpc/event_loop.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "rpc/epoll_poller.h"

namespace skep {
namespace {

// A count that a thread can wait for.
class Countdown {
 public:
  explicit Countdown(int count) : count_(count) {}
  void Down() {
    MutexLock lock(mutex_);
    --count_;
    changed_.SignalAll();
  }
  [[nodiscard]] bool Wait() {
    MutexLock lock(mutex_);
    while (count_ > 0) {
      if (!changed_.WaitFor(mutex_, absl::Seconds(30))) return false;
    }
    return true;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_);
};

// Everything holds of a loop that blocks at once and of one that spins before.
class EventLoopTest : public testing::TestWithParam<absl::Duration> {
 protected:
  std::unique_ptr<EventLoop> NewLoop() {
    return std::make_unique<EventLoop>("test-loop", NewEpollPoller(), GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Spin, EventLoopTest,
                         testing::Values(absl::ZeroDuration(), absl::Milliseconds(1)));

TEST_P(EventLoopTest, RunsWhatIsPostedInOrderOnItsThread) {
  const auto loop = NewLoop();
  std::vector<int> ran;
  Countdown done(1);
  EXPECT_FALSE(loop->IsCurrent());
  for (int i = 0; i < 1000; ++i) {
    loop->Post([&, i] {
      EXPECT_TRUE(loop->IsCurrent());
      ran.push_back(i);
    });
  }
  loop->Post([&] { done.Down(); });
  ASSERT_TRUE(done.Wait());
  ASSERT_EQ(ran.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ran[i], i);
}

TEST_P(EventLoopTest, NeverRunsInsidePost) {
  const auto loop = NewLoop();
  Countdown done(1);
  bool inside = false;
  loop->Post([&] {
    inside = true;
    loop->Post([&] {
      EXPECT_FALSE(inside);
      done.Down();
    });
    inside = false;
  });
  ASSERT_TRUE(done.Wait());
}

TEST_P(EventLoopTest, ManyThreadsPostAndNothingIsLost) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 5000;
  const auto loop = NewLoop();
  std::vector<int> last(kThreads, -1);
  Countdown done(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop->Post([&, t, i] {
          EXPECT_EQ(last[t], i - 1);
          last[t] = i;
          if (i == kPosts - 1) done.Down();
        });
      }
    });
  }
  ASSERT_TRUE(done.Wait());
  for (std::thread& thread : threads) thread.join();
}

TEST_P(EventLoopTest, TimersRunInOrderOfTheirTimes) {
  const auto loop = NewLoop();
  std::vector<int> ran;
  Countdown done(1);
  const absl::Time start = loop->clock().Now();
  // Posted in one turn, so that all lie in the future of the same moment.
  loop->Post([&] {
    for (const int ms : {30, 10, 20, 0, 10}) {
      loop->PostAfter(absl::Milliseconds(ms), [&ran, ms] { ran.push_back(ms); });
    }
    loop->PostAfter(absl::Milliseconds(31), [&] { done.Down(); });
  });
  ASSERT_TRUE(done.Wait());
  EXPECT_EQ(ran, (std::vector<int>{0, 10, 10, 20, 30}));
  EXPECT_GE(loop->clock().Now() - start, absl::Milliseconds(31));
}

// A sleeping loop must notice that another thread's timer comes before its own.
TEST_P(EventLoopTest, AnEarlierTimerShortensTheSleep) {
  const auto loop = NewLoop();
  Countdown done(1);
  loop->PostAfter(absl::Hours(1), [] {});
  loop->PostAfter(absl::InfiniteDuration(), [] {});
  loop->PostAfter(absl::Milliseconds(1), [&] { done.Down(); });
  ASSERT_TRUE(done.Wait());
}

TEST_P(EventLoopTest, CancelledTimersNeverRun) {
  const auto loop = NewLoop();
  Countdown done(1);
  std::atomic<bool> ran = false;
  EXPECT_TRUE(loop->Cancel(loop->PostAfter(absl::Hours(1), [&] { ran = true; })));
  EXPECT_FALSE(loop->Cancel(TimerId()));
  loop->Post([&] {
    // Both are due in the same turn; the first takes the second with it.
    auto second = std::make_shared<TimerId>();
    loop->PostAfter(absl::ZeroDuration(),
                    [&, second] { EXPECT_TRUE(loop->Cancel(*second)); });
    *second = loop->PostAfter(absl::ZeroDuration(), [&] { ran = true; });
    loop->PostAfter(absl::Milliseconds(5), [&, second] {
      EXPECT_FALSE(loop->Cancel(*second));
      done.Down();
    });
  });
  ASSERT_TRUE(done.Wait());
  EXPECT_FALSE(ran);
}

TEST_P(EventLoopTest, StoppingRunsWhatWasPostedAndDropsTheRest) {
  const auto loop = NewLoop();
  int ran = 0;
  auto held = std::make_shared<int>(0);
  loop->Post([&] { loop->Post([&] { ++ran; }); });
  loop->PostAfter(absl::Hours(1), [&ran, held] { ++ran; });
  loop->Stop();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(held.use_count(), 1);
  loop->Post([&ran, held] { ++ran; });
  EXPECT_EQ(loop->PostAfter(absl::ZeroDuration(), [&ran, held] { ++ran; }), TimerId());
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(held.use_count(), 1);
}

// Asks for one more turn end from within each of the first three.
class TurnCounter final : public Watcher {
 public:
  explicit TurnCounter(EventLoop& loop) : loop_(loop) {}
  void OnReady(Readiness) override {}
  void OnTurnEnd() override {
    if (++turns < 3) loop_.CallAtTurnEnd(this);
  }
  void OnLoopStopping() override { told = true; }

  int turns = 0;
  bool told = false;

 private:
  EventLoop& loop_;
};

TEST_P(EventLoopTest, TurnEndsComeOnceForEachAskingAndNotAfterDetach) {
  const auto loop = NewLoop();
  TurnCounter stays(*loop);
  TurnCounter leaves(*loop);
  Countdown done(1);
  loop->Post([&] {
    for (TurnCounter* counter : {&stays, &leaves}) {
      loop->Attach(counter);
      loop->CallAtTurnEnd(counter);
      loop->CallAtTurnEnd(counter);
    }
    loop->Detach(&leaves);
    loop->PostAfter(absl::Milliseconds(5), [&] { done.Down(); });
  });
  ASSERT_TRUE(done.Wait());
  loop->Stop();
  EXPECT_EQ(stays.turns, 3);
  EXPECT_TRUE(stays.told);
  EXPECT_EQ(leaves.turns, 0);
  EXPECT_FALSE(leaves.told);
}

// Counts what a loop does when it has nothing to do. Belongs to the loop's thread.
class CountingPoller final : public Poller {
 public:
  explicit CountingPoller(std::unique_ptr<Poller> real) : real_(std::move(real)) {}
  absl::Status Add(int fd, Readiness interest, void* cookie) override {
    return real_->Add(fd, interest, cookie);
  }
  void Modify(int fd, Readiness interest, void* cookie) override {
    real_->Modify(fd, interest, cookie);
  }
  void Remove(int fd) override { real_->Remove(fd); }
  void Wait(absl::Duration timeout, std::vector<Event>& events) override {
    ++(timeout == absl::ZeroDuration() ? looks : blocks);
    real_->Wait(timeout, events);
  }

  int looks = 0;   // that wait for nothing
  int blocks = 0;  // that wait

 private:
  const std::unique_ptr<Poller> real_;
};

// What a watcher expects makes the loop look again for a moment; then it blocks, and is
// woken, as ever.
TEST(EventLoopExpectMore, LooksAgainForAMomentAndBlocksThen) {
  for (const absl::Duration spin : {absl::ZeroDuration(), absl::Milliseconds(1)}) {
    for (const bool expects : {false, true}) {
      auto counting = std::make_unique<CountingPoller>(NewEpollPoller());
      CountingPoller& poller = *counting;
      EventLoop loop("test-loop", std::move(counting), absl::ZeroDuration(), spin);
      Countdown done(1);
      int looks = 0, blocks = 0;
      loop.Post([&] {
        if (expects) {
          EXPECT_EQ(loop.ExpectMore(), spin > absl::ZeroDuration());
        }
        looks = -poller.looks;
        blocks = -poller.blocks;
        loop.PostAfter(absl::Milliseconds(30), [&] {
          looks += poller.looks;
          blocks += poller.blocks;
          done.Down();
        });
      });
      ASSERT_TRUE(done.Wait());
      EXPECT_EQ(looks > 0, expects && spin > absl::ZeroDuration()) << looks;
      EXPECT_GT(blocks, 0);
      EXPECT_LT(blocks, 5);
    }
  }
}

}  // namespace
}  // namespace skep
