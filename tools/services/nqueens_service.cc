#include "absl/status/statusor.h"
#include "jobs/kernels/n_queens.h"
#include "rpc/controller.h"
#include "rpc/services/nqueens.pb.h"
#include "tools/services/services.h"

namespace skep {
namespace {

class NQueensServiceImpl final : public nqueens::NQueensService {
 public:
  explicit NQueensServiceImpl(const Clock& clock) : clock_(clock) {}

  void Solve(google::protobuf::RpcController* controller,
             const nqueens::SubProblemRequest* request,
             nqueens::SubProblemResponse* response,
             google::protobuf::Closure* done) override {
    const absl::Time start = clock_.Now();
    const absl::StatusOr<uint64_t> count = CountQueensSubproblem(
        request->nqueens(), request->first_row(), request->second_row(),
        Controller::Of(controller).stop_token());
    if (count.ok()) {
      response->set_count(static_cast<int64_t>(*count));
      response->set_seconds(absl::ToDoubleSeconds(clock_.Now() - start));
    } else {
      Controller::Of(controller).SetStatus(count.status());
    }
    done->Run();
  }

 private:
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<google::protobuf::Service> MakeNQueensService(const Clock& clock) {
  return std::make_unique<NQueensServiceImpl>(clock);
}

}  // namespace skep
