// Real balancers, backends and sockets, for a few seconds: orders, not numbers, since
// tests share their machine.

#include "tools/compare/balance_live.h"

#include <nlohmann/json.hpp>

#include "gtest/gtest.h"
#include "tools/compare/balance_report.h"

namespace skep {
namespace {

std::vector<BalanceRow> Compare(LiveBalanceOptions options) {
  const auto result = CompareLive(options, ComparedPolicies(), [] { return false; });
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return {};
  EXPECT_GT(result->calls, 50);
  return BalanceRows(options.mix, ComparedPolicies(), result->of);
}

const BalanceRow& RowOf(const std::vector<BalanceRow>& rows,
                        const std::string& policy) {
  for (const BalanceRow& row : rows) {
    if (row.policy == policy) return row;
  }
  ADD_FAILURE() << "no row for " << policy;
  return rows.front();
}

TEST(BalanceLiveTest, EveryPolicyAnswersEveryCall) {
  const std::vector<BalanceRow> rows = Compare({.mix = ServiceMix::kFixed,
                                                .backends = 3,
                                                .unit = absl::Milliseconds(20),
                                                .round = absl::Milliseconds(700),
                                                .rounds = 2});
  ASSERT_EQ(rows.size(), 5);
  for (const BalanceRow& row : rows) {
    EXPECT_EQ(row.failed.estimate, 0) << row.policy;
    EXPECT_GE(row.mean.estimate, 1) << row.policy;
  }
  EXPECT_EQ(rows[0].times_first.estimate, 1);
}

TEST(BalanceLiveTest, ABackendThatFailsIsNoticedByCountsOnly) {
  const std::vector<BalanceRow> rows = Compare({.mix = ServiceMix::kFailingBackend,
                                                .backends = 4,
                                                .unit = absl::Milliseconds(20),
                                                .round = absl::Milliseconds(1500),
                                                .rounds = 2});
  EXPECT_LT(RowOf(rows, "least-pending").failed.estimate,
            RowOf(rows, "round-robin").failed.estimate / 2);
  EXPECT_NEAR(RowOf(rows, "round-robin").failed.estimate, 25, 3);
}

TEST(BalanceLiveTest, EndsWhenToldSo) {
  int asked = 0;
  const auto result = CompareLive({.mix = ServiceMix::kFixed, .backends = 2},
                                  ComparedPolicies(), [&] { return ++asked > 20; });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->calls, 20);
  EXPECT_TRUE(result->of[0].mean.empty()) << "no round is whole";
}

TEST(BalanceReportTest, SaysTheSameThrice) {
  const auto always = [](double value) { return std::vector<double>(6, value); };
  BalanceSamples fast{.mean = {1, 2, 1, 2, 1, 2},
                      .p50 = always(1),
                      .p99 = always(3),
                      .failed = always(0)};
  BalanceSamples slow{.mean = {4, 8, 4, 8, 4, 8},
                      .p50 = always(2),
                      .p99 = always(9),
                      .failed = always(0.5)};
  const std::vector<BalanceRow> rows =
      BalanceRows(ServiceMix::kFixed, {{.name = "a"}, {.name = "b"}}, {fast, slow});
  EXPECT_EQ(rows[1].times_first.estimate, 4);
  EXPECT_EQ(rows[1].times_first.low, 4) << "by round it is always four times";
  EXPECT_EQ(rows[1].failed.estimate, 50);
  EXPECT_NE(BalanceTableText(rows).find("9 [9, 9]"), std::string::npos)
      << BalanceTableText(rows);
  const auto json = nlohmann::json::parse(BalanceJson({{"load", "70 %"}}, rows));
  EXPECT_EQ(json["about"]["load"], "70 %");
  EXPECT_EQ(json["rows"][1]["mean_latency"]["mean"], 6);
  const std::string html = BalanceHtml({{"load", "70 %"}}, rows);
  EXPECT_NE(html.find("9 [9, 9]"), std::string::npos);
  EXPECT_NE(html.find("fixed, b: 9 (9 to 9)"), std::string::npos);
}

}  // namespace
}  // namespace skep
