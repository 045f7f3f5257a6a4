#include <string>

#include "base/status.h"
#include "jobs/kernels/sudoku.h"
#include "rpc/controller.h"
#include "rpc/services/sudoku.pb.h"
#include "tools/services/services.h"

namespace skep {
namespace {

class SudokuServiceImpl final : public sudoku::SudokuService {
 public:
  SudokuServiceImpl(SudokuStats& stats, const Clock& clock)
      : stats_(stats), clock_(clock) {}

  void Solve(google::protobuf::RpcController* controller,
             const sudoku::SudokuRequest* request, sudoku::SudokuResponse* response,
             google::protobuf::Closure* done) override {
    const absl::Time start = clock_.Now();
    stats_.RecordRequests(1);
    const SudokuResult result =
        SolveSudoku(request->checkerboard(),
                    {.dots = false, .stop = Controller::Of(controller).stop_token()});
    const bool solved = result.outcome == SudokuOutcome::kSolved;
    if (result.outcome == SudokuOutcome::kStopped) {
      Controller::Of(controller).SetStatus(Cancelled("the caller no longer waits"));
    }
    response->set_solved(solved);
    if (solved) response->set_checkerboard(std::string(result.solution()));
    stats_.RecordResponses(clock_.Now() - start, 1, solved);
    done->Run();
  }

 private:
  SudokuStats& stats_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<google::protobuf::Service> MakeSudokuService(SudokuStats& stats,
                                                             const Clock& clock) {
  return std::make_unique<SudokuServiceImpl>(stats, clock);
}

}  // namespace skep
