// Real balancers, backends and sockets, for a few seconds: orders, not numbers, since
// tests share their machine.

#include "tools/compare/balance_live.h"

#include <cmath>
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

TEST(BalanceReportTest, RoundsWithoutAnswersHaveNoLatency) {
  const double none = std::nan("");
  const BalanceSamples some{.mean = {2, none, 2, none},
                            .p50 = {1, none, 1, none},
                            .p99 = {3, none, 3, none},
                            .failed = {0.5, 1, 0.5, 1}};
  const BalanceSamples all{.mean = {4, 100, none, none},
                           .p50 = {1, 1, none, none},
                           .p99 = {3, 3, none, none},
                           .failed = {0, 0, 1, 1}};
  const BalanceSamples nothing{.mean = {none, none, none, none},
                               .p50 = {none, none, none, none},
                               .p99 = {none, none, none, none},
                               .failed = {1, 1, 1, 1}};
  const std::vector<BalanceRow> rows =
      BalanceRows(ServiceMix::kFrozenBackend,
                  {{.name = "a"}, {.name = "b"}, {.name = "c"}}, {some, all, nothing});
  EXPECT_EQ(rows[0].mean.estimate, 2);
  EXPECT_EQ(rows[0].failed.estimate, 75);
  EXPECT_EQ(rows[1].times_first.estimate, 2) << "of the one round that has both";
  EXPECT_TRUE(std::isnan(rows[2].times_first.estimate));
  const std::string text = BalanceTableText(rows);
  EXPECT_NE(text.find("nothing answered in 2 of 4 rounds"), std::string::npos) << text;
  EXPECT_NE(text.find("nothing answered in 4 of 4 rounds"), std::string::npos) << text;
  EXPECT_EQ(text.find("nan"), std::string::npos) << text;
  EXPECT_EQ(text.find("inf"), std::string::npos) << text;
  const std::string json = BalanceJson({}, rows);
  EXPECT_TRUE(nlohmann::json::parse(json)["rows"][2]["mean_latency"]["mean"].is_null());
  EXPECT_EQ(BalanceHtml({}, rows).find("nan"), std::string::npos);
}

}  // namespace
}  // namespace skep
