#include <algorithm>
#include <span>
#include <utility>

#include "base/mutex.h"
#include "base/random.h"
#include "base/status.h"
#include "jobs/kernels/number_sums.h"
#include "jobs/kernels/selection.h"
#include "rpc/controller.h"
#include "rpc/services/median.pb.h"
#include "tools/services/services.h"

namespace skep {
namespace {

using google::protobuf::Closure;
using google::protobuf::RpcController;

class MedianServiceImpl final : public median::Sorter {
 public:
  MedianServiceImpl(std::vector<int64_t> numbers, uint64_t seed)
      : random_(seed),
        numbers_(std::make_shared<const std::vector<int64_t>>(std::move(numbers))) {}

  void Query(RpcController* /*controller*/, const rpc2::Empty* /*request*/,
             median::QueryResponse* response, Closure* done) override {
    const Numbers numbers = Snapshot();
    response->set_count(static_cast<int64_t>(numbers->size()));
    if (!numbers->empty()) {
      IntegerTotals totals;
      AddIntegers(*numbers, &totals);
      response->set_min(totals.min);
      response->set_max(totals.max);
      // The sum wraps around as the family's does: its field has 64 bits.
      response->set_sum(static_cast<int64_t>(totals.sum));
    }
    done->Run();
  }

  void Search(RpcController* /*controller*/, const median::SearchRequest* request,
              median::SearchResponse* response, Closure* done) override {
    const Numbers numbers = Snapshot();
    const RankCounts counts = CountAround(*numbers, request->guess());
    response->set_smaller(static_cast<int64_t>(counts.smaller));
    response->set_same(static_cast<int64_t>(counts.same));
    done->Run();
  }

  void Generate(RpcController* controller, const median::GenerateRequest* request,
                rpc2::Empty* /*response*/, Closure* done) override {
    if (request->count() < 0 || request->count() > kMaxGenerated ||
        request->min() >= request->max()) {
      Controller::Of(controller)
          .SetStatus(InvalidArgument("cannot generate ", request->count(),
                                     " numbers in [", request->min(), ", ",
                                     request->max(), "): count is 0..", kMaxGenerated,
                                     " and min is below max"));
      done->Run();
      return;
    }
    const uint64_t range =
        static_cast<uint64_t>(request->max()) - static_cast<uint64_t>(request->min());
    std::vector<int64_t> numbers(request->count());
    {
      MutexLock lock(mutex_);
      for (int64_t& n : numbers) {
        n = static_cast<int64_t>(static_cast<uint64_t>(request->min()) +
                                 random_.Below(range));
      }
      numbers_ = std::make_shared<const std::vector<int64_t>>(std::move(numbers));
    }
    done->Run();
  }

 private:
  // shared: a query that has begun goes on over the numbers it began with.
  using Numbers = std::shared_ptr<const std::vector<int64_t>>;

  Numbers Snapshot() {
    MutexLock lock(mutex_);
    return numbers_;
  }

  Mutex mutex_;
  Random random_ ABSL_GUARDED_BY(mutex_);
  Numbers numbers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<google::protobuf::Service> MakeMedianService(
    std::vector<int64_t> numbers, uint64_t seed) {
  return std::make_unique<MedianServiceImpl>(std::move(numbers), seed);
}

}  // namespace skep
