#include "rpc/coroutine.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "rpc/channel_test_bed.h"

namespace skep {
namespace {

using echo::EchoRequest;
using echo::EchoResponse;

// Echoes `text` and gives back what came.
Task<absl::StatusOr<std::string>> EchoOnce(Channel& channel, std::string text,
                                           absl::Duration timeout) {
  EchoRequest request;
  request.set_payload(text);
  CallOptions options{.timeout = timeout};
  auto reply = co_await AsyncCall<EchoResponse>(
      channel, Method<echo::EchoService>("Echo"), request, options);
  if (!reply.ok()) co_return reply.status();
  co_return reply->message.payload();
}

Task<absl::StatusOr<std::string>> EchoAll(Channel& channel,
                                          std::vector<std::string> words) {
  std::string all;
  for (const std::string& word : words) {
    absl::StatusOr<std::string> echoed =
        co_await EchoOnce(channel, word, absl::Seconds(9));
    if (!echoed.ok()) co_return echoed.status();
    all += *echoed + ";";
  }
  co_return all;
}

class CoroutineTest : public ChannelTestBed {
 protected:
  CoroutineTest() {
    Listen();
    channel_ = Dial();
  }

  absl::StatusOr<std::string> Run(Task<absl::StatusOr<std::string>> task) {
    std::optional<absl::StatusOr<std::string>> result;
    Spawn(std::move(task),
          [&](absl::StatusOr<std::string> r) { result = std::move(r); });
    EXPECT_FALSE(result.has_value());
    executor_.RunFor(absl::Seconds(5));
    if (!result.has_value()) return Internal("the coroutine did not end");
    return *std::move(result);
  }

  std::shared_ptr<Channel> channel_;
};

TEST_F(CoroutineTest, CallsOneAfterAnother) {
  EXPECT_EQ(Run(EchoAll(*channel_, {"a", "b", "c"})).value_or("failed"), "a;b;c;");
  EXPECT_EQ(echo_.calls, 3);
}

TEST_F(CoroutineTest, ErrorsAreValues) {
  EXPECT_EQ(Run(EchoAll(*channel_, {"a", "fail", "c"})).status(),
            absl::NotFoundError("no such thing"));
  EXPECT_EQ(echo_.calls, 2);
}

TEST_F(CoroutineTest, DeadlinesEndThem) {
  EXPECT_EQ(Run(EchoOnce(*channel_, "hold", absl::Seconds(1))).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  echo_.ReleaseAll();
}

TEST_F(CoroutineTest, ManyStepsDoNotGrowTheStack) {
  std::vector<std::string> words(2000, "w");
  const auto all = Run(EchoAll(*channel_, words));
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->size(), 4000u);
}

}  // namespace
}  // namespace skep
