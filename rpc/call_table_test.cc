#include "rpc/call_table.h"

#include <map>
#include <set>
#include <string>
#include <thread>
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
  CallSlot* const slot = table.TakeForReply(answered);
  ASSERT_NE(slot, nullptr);
  EXPECT_EQ(table.TakeForReply(answered), nullptr);
  table.Recycle(slot);
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
  CallSlot* const slot = table.Reserve();
  slot->call = CallUntil(At(1));
  const CallId sent = CallTable::IdOf(*slot);
  table.Add(slot);
  table.MarkSent(slot, 12);
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
      // Known again by what is in it.
      const CallId id = table.Add(CallUntil(deadline));
      table.Find(id)->offset = id.value();
      model.emplace(id, deadline);
    } else if (random.Chance(0.7)) {
      auto it = model.begin();
      std::advance(it, random.Below(std::min<size_t>(model.size(), 50)));
      EXPECT_TRUE(table.Take(it->first).has_value());
      model.erase(it);
    } else {
      absl::Time last = absl::InfinitePast();
      while (std::optional<OutstandingCall> call = table.TakeExpired(At(step))) {
        ASSERT_LE(last, call->deadline);
        last = call->deadline;
        ASSERT_EQ(model.erase(CallId(call->offset)), 1u);
        ++expired;
      }
      for (const auto& [left, deadline] : model) ASSERT_GT(deadline, At(step));
    }
    ASSERT_EQ(table.size(), static_cast<int>(model.size()));
  }
  EXPECT_GT(expired, 1000);
}

TEST(CallTable, CallsWaitInOrderUntilTheyEnd) {
  CallTable table;
  std::vector<CallSlot*> slots;
  for (int i = 0; i < 5; ++i) {
    CallSlot* const slot = slots.emplace_back(table.Reserve());
    slot->call = CallUntil(At(9 - i));
    slot->frame.head = std::string(100, 'x');
    table.CountUnsent(slot);
    table.Add(slot);
    table.Wait(slot);
  }
  EXPECT_EQ(table.unsent(), 5 * 104u);
  table.Take(CallTable::IdOf(*slots[2]));
  EXPECT_TRUE(table.TakeExpired(At(5)).has_value());  // the last of them
  table.Take(CallTable::IdOf(*slots[0]));
  EXPECT_EQ(table.unsent(), 2 * 104u);
  EXPECT_EQ(table.TakeWaiting(), slots[1]);
  EXPECT_EQ(table.TakeWaiting(), slots[3]);
  EXPECT_EQ(table.TakeWaiting(), nullptr);
  EXPECT_EQ(table.unsent(), 2 * 104u);
  EXPECT_EQ(table.TakeAll().size(), 2u);
  EXPECT_EQ(table.unsent(), 0u);
}

TEST(CallTable, WhatNobodyWaitsForIsNotGivenBack) {
  CallTable table;
  CallSlot* const slot = table.Reserve();
  slot->call = CallUntil(At(1));
  slot->call.wants_reply = false;
  table.Add(slot);
  EXPECT_TRUE(table.TakeAll().empty());
  EXPECT_EQ(table.size(), 0);
}

// Many threads fill slots; one adds the calls and ends them.
TEST(CallTable, OtherThreadsReserveSlots) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 20'000;  // of each
  CallTable table;
  Inbox inbox;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int n = 0; n < kCalls; ++n) {
        CallSlot* const slot = table.ReserveElsewhere();
        // What is in it when the table gets it is this call's, and nobody else's.
        slot->call = CallUntil(At(1));
        slot->call.offset = CallTable::IdOf(*slot).value();
        slot->frame.head.assign(20, 'x');
        table.CountUnsent(slot);
        if (!inbox.Push(slot) && n % 64 == 0) std::this_thread::yield();
      }
    });
  }
  std::set<CallId> seen;
  int own = 0;
  while (seen.size() < size_t{kThreads} * kCalls) {
    InboxNode* node = inbox.TakeAll();
    while (node != nullptr) {
      auto* const slot = static_cast<CallSlot*>(node);
      node = node->mpsc_next;
      const CallId id = CallTable::IdOf(*slot);
      ASSERT_EQ(slot->call.offset, id.value());
      ASSERT_TRUE(seen.insert(id).second);
      table.Add(slot);
      table.MarkSent(slot, id.value());
      table.KeepMemory(slot);
      // Slots of its own come from elsewhere.
      const CallId mine = table.Add(CallUntil(At(2)));
      ASSERT_TRUE(seen.find(mine) == seen.end());
      ASSERT_EQ(table.TakeForReply(id), slot);
      table.Recycle(slot);
      ASSERT_EQ(table.Explain(id), CallTable::Stray::kDuplicate);
      ASSERT_TRUE(table.Take(mine).has_value());
      ++own;
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(own, kThreads * kCalls);
  EXPECT_EQ(table.size(), 0);
  EXPECT_EQ(table.unsent(), 0u);
}

}  // namespace
}  // namespace skep
