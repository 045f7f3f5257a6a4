#include "rpc/timer_queue.h"

#include <map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

// Against a std::map that does the same.
TEST(TimerQueue, PopsInOrderOfDueTimeThenOfAdding) {
  Random random(11);
  TimerQueue timers;
  std::map<std::pair<absl::Time, int>, TimerId> model;
  std::vector<TimerId> gone;
  int ran = -1;
  absl::Time now = absl::UnixEpoch();
  for (int i = 0; i < 50'000; ++i) {
    const uint64_t choice = random.Below(10);
    if (choice < 5) {
      const absl::Time due = now + absl::Milliseconds(random.Below(100));
      model[{due, i}] = timers.Add(due, [&ran, i] { ran = i; });
    } else if (choice < 7 && !model.empty()) {
      auto victim = model.lower_bound({now + absl::Milliseconds(random.Below(100)), 0});
      if (victim == model.end()) victim = model.begin();
      EXPECT_TRUE(timers.Cancel(victim->second));
      gone.push_back(victim->second);
      model.erase(victim);
    } else if (choice < 8) {
      now += absl::Milliseconds(random.Below(20));
    } else {
      Closure fn = timers.PopDue(now);
      const bool due = !model.empty() && model.begin()->first.first <= now;
      ASSERT_EQ(static_cast<bool>(fn), due);
      if (due) {
        fn();
        ASSERT_EQ(ran, model.begin()->first.second);
        gone.push_back(model.begin()->second);
        model.erase(model.begin());
      }
    }
    ASSERT_EQ(timers.size(), model.size());
    ASSERT_EQ(timers.next_due(),
              model.empty() ? absl::InfiniteFuture() : model.begin()->first.first);
    if (!gone.empty()) {
      EXPECT_FALSE(timers.Cancel(gone[random.Below(gone.size())]));
    }
  }
}

TEST(TimerQueue, KnowsNoForeignIds) {
  TimerQueue timers;
  EXPECT_FALSE(timers.Cancel(TimerId()));
  EXPECT_FALSE(timers.Cancel(TimerId(12345)));
  const TimerId timer = timers.Add(absl::InfiniteFuture(), [] {});
  EXPECT_FALSE(timers.PopDue(absl::UnixEpoch()));
  EXPECT_TRUE(timers.Cancel(timer));
  EXPECT_FALSE(timers.Cancel(timer));
}

}  // namespace
}  // namespace skep
