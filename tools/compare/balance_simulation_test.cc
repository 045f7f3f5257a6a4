#include "tools/compare/balance_simulation.h"

#include "base/bootstrap.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

// Over several seeds.
Interval MeanLatency(BalanceSimulationOptions options, int seeds = 5) {
  std::vector<double> samples;
  for (int seed = 1; seed <= seeds; ++seed) {
    options.seed = static_cast<uint64_t>(seed);
    samples.push_back(SimulateBalancing(options).mean_latency);
  }
  return Bootstrap(samples, MeanOf);
}

double FailedShare(double error_hold, PickPolicy policy = PickPolicy::kLeastPending) {
  std::vector<double> samples;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    samples.push_back(SimulateBalancing({.policy = policy,
                                         .mix = ServiceMix::kFailingBackend,
                                         .error_hold = error_hold,
                                         .seed = seed})
                          .failed);
  }
  return MeanOf(samples);
}

TEST(BalanceSimulationTest, LeastPendingBeatsRoundRobinFourfoldWhereOnePercentIsSlow) {
  const Interval least = MeanLatency({.policy = PickPolicy::kLeastPending});
  const Interval round = MeanLatency({.policy = PickPolicy::kRoundRobin});
  RecordProperty("least_pending", std::to_string(least.estimate));
  RecordProperty("round_robin", std::to_string(round.estimate));
  EXPECT_GE(round.low, 4 * least.high)
      << "round robin " << round.estimate << ", least pending " << least.estimate;
}

// Nothing waits at one backend while another is idle: late binding is the M/M/c queue,
// and never worse than choosing early.
TEST(BalanceSimulationTest, LateBindingIsOneQueueForAll) {
  const BalanceSimulationOptions options{.late = true,
                                         .mix = ServiceMix::kExponential,
                                         .backends = 4,
                                         .workers = 1,
                                         .load = 0.8};
  // M/M/4 at 80 %: Erlang C 0.5964, so the mean is 1 + 0.5964 / (4 * 0.2).
  EXPECT_NEAR(MeanLatency(options, /*seeds=*/10).estimate, 1.7455, 0.05);
  BalanceSimulationOptions busy{.mix = ServiceMix::kExponential, .load = 0.9};
  const double early = MeanLatency(busy).estimate;
  busy.late = true;
  EXPECT_LT(MeanLatency(busy).estimate, early);
}

// The balancer's rule: errors held take places in the window.
TEST(BalanceSimulationTest, LateBindingIsNotDrawnToABackendThatFails) {
  std::vector<double> samples;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    samples.push_back(
        SimulateBalancing(
            {.late = true, .mix = ServiceMix::kFailingBackend, .seed = seed})
            .failed);
  }
  EXPECT_LT(MeanOf(samples), 0.02);
  EXPECT_GT(MeanOf(samples), 0) << "it is probed";
}

// 64 balancers that go round in step would meet at every backend.
TEST(BalanceSimulationTest, RoundRobinOfManyBalancersIsNotInStep) {
  const auto mean = [](PickPolicy policy) {
    return SimulateBalancing({.policy = policy,
                              .mix = ServiceMix::kFixed,
                              .backends = 200,
                              .balancers = 64,
                              .calls = 20'000})
        .mean_latency;
  };
  EXPECT_LT(mean(PickPolicy::kRoundRobin), mean(PickPolicy::kRandom));
}

TEST(BalanceSimulationTest, ABackendThatFailsAtOnceCostsUnderTwoPercent) {
  EXPECT_LT(FailedShare(/*error_hold=*/50), 0.02);
  EXPECT_GT(FailedShare(/*error_hold=*/0), 0.15)
      << "without held errors it attracts calls";
  EXPECT_NEAR(FailedShare(50, PickPolicy::kRoundRobin), 1.0 / 8, 0.001)
      << "round robin does not look at counts";
}

// One backend with one worker and exponential times is the M/M/1 queue: 1 / (1 - load).
TEST(BalanceSimulationTest, AgreesWithQueueingTheory) {
  const Interval latency = MeanLatency(
      {.mix = ServiceMix::kExponential, .backends = 1, .workers = 1, .load = 0.5},
      /*seeds=*/10);
  EXPECT_NEAR(latency.estimate, 2, 0.1);
  // And M/D/1: 1 + load / (2 (1 - load)).
  const Interval fixed =
      MeanLatency({.mix = ServiceMix::kFixed, .backends = 1, .workers = 1, .load = 0.5},
                  /*seeds=*/10);
  EXPECT_NEAR(fixed.estimate, 1.5, 0.05);
}

TEST(BalanceSimulationTest, AFrozenBackendIsLeftAloneByCountsOnly) {
  const auto failed = [](PickPolicy policy) {
    return SimulateBalancing({.policy = policy, .mix = ServiceMix::kFrozenBackend})
        .failed;
  };
  EXPECT_LT(failed(PickPolicy::kLeastPending), 0.001);
  EXPECT_NEAR(failed(PickPolicy::kRoundRobin), 1.0 / 8, 0.001);
}

TEST(BalanceSimulationTest, ManyBalancersAndBackends) {
  const auto result = SimulateBalancing({.mix = ServiceMix::kExponential,
                                         .backends = 1000,
                                         .balancers = 64,
                                         .calls = 20'000});
  EXPECT_EQ(result.failed, 0);
  EXPECT_GE(result.mean_latency, 0.9);
}

TEST(BalanceSimulationTest, ReplaysFromItsSeed) {
  const BalanceSimulationOptions options{.calls = 5000, .seed = 42};
  EXPECT_EQ(SimulateBalancing(options).mean_latency,
            SimulateBalancing(options).mean_latency);
}

TEST(BalanceSimulationTest, MixesHaveNames) {
  for (const ServiceMix mix : kServiceMixes) {
    EXPECT_EQ(*ParseServiceMix(ServiceMixName(mix)), mix);
  }
  EXPECT_FALSE(ParseServiceMix("chaos").ok());
}

}  // namespace
}  // namespace skep
