#include "rpc/call_table.h"

#include <map>
#include <set>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

absl::Time At(int second) { return absl::UnixEpoch() + absl::Seconds(second); }

OutstandingCall CallUntil(absl::Time deadline) {
  OutstandingCall call;
  call.deadline = deadline;
  return call;
}

TEST(CallTable, ReusesSlotsUnderNewIds) {
  CallTable table;
  std::set<CallId> seen;
  for (int i = 0; i < 100; ++i) {
    const CallId id = table.Add(CallUntil(At(1)));
    EXPECT_NE(id.value(), 0u);
    EXPECT_EQ(id.value() & 0xffffffff, 0u);  // one slot is enough
    EXPECT_TRUE(seen.insert(id).second);
    EXPECT_TRUE(table.Take(id).has_value());
    EXPECT_FALSE(table.Take(id).has_value());
  }
  EXPECT_EQ(table.size(), 0);
}

TEST(CallTable, ExplainsStrays) {
  CallTable table;
  const CallId answered = table.Add(CallUntil(At(1)));
  EXPECT_TRUE(table.TakeForReply(answered).has_value());
  EXPECT_EQ(table.Explain(answered), CallTable::Stray::kDuplicate);
  const CallId ended = table.Add(CallUntil(At(1)));
  EXPECT_TRUE(table.Take(ended).has_value());
  EXPECT_EQ(table.Explain(ended), CallTable::Stray::kLate);
  EXPECT_EQ(table.Explain(answered), CallTable::Stray::kLate);
  EXPECT_EQ(table.Explain(CallId(ended.value() + (uint64_t{1} << 32))),
            CallTable::Stray::kForeign);
  EXPECT_EQ(table.Explain(CallId(uint64_t{1} << 32 | 7)), CallTable::Stray::kForeign);
  EXPECT_EQ(table.Explain(CallId(0)), CallTable::Stray::kForeign);
}

TEST(CallTable, TakesWhatWasSent) {
  CallTable table;
  table.Add(CallUntil(At(1)));
  const CallId sent = table.Add(CallUntil(At(1)));
  table.MarkSent(sent, 12);
  EXPECT_EQ(table.sent(), 1);
  EXPECT_EQ(table.Find(sent)->offset, 12u);
  EXPECT_EQ(table.TakeSent().size(), 1u);
  EXPECT_EQ(table.Find(sent), nullptr);
  EXPECT_EQ(table.TakeAll().size(), 1u);
  EXPECT_EQ(table.EarliestDeadline(), absl::InfiniteFuture());
}

// Against a sorted map, with calls that come and go.
TEST(CallTable, DeadlinesExpireInOrder) {
  Random random(4);
  CallTable table;
  std::map<CallId, absl::Time> model;
  int expired = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (random.Chance(0.6) || model.empty()) {
      const absl::Time deadline = random.Chance(0.1)
                                      ? absl::InfiniteFuture()
                                      : At(step + static_cast<int>(random.Below(300)));
      model.emplace(table.Add(CallUntil(deadline)), deadline);
    } else if (random.Chance(0.7)) {
      auto it = model.begin();
      std::advance(it, random.Below(std::min<size_t>(model.size(), 50)));
      EXPECT_TRUE(table.Take(it->first).has_value());
      model.erase(it);
    } else {
      CallId id;
      absl::Time last = absl::InfinitePast();
      while (std::optional<OutstandingCall> call = table.TakeExpired(At(step), &id)) {
        ASSERT_LE(last, call->deadline);
        last = call->deadline;
        ASSERT_EQ(model.erase(id), 1u);
        ++expired;
      }
      for (const auto& [left, deadline] : model) ASSERT_GT(deadline, At(step));
    }
    ASSERT_EQ(table.size(), static_cast<int>(model.size()));
  }
  EXPECT_GT(expired, 1000);
}

}  // namespace
}  // namespace skep
