#include "tests/end_to_end/fleet.h"

#include <utility>

#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr char kListening[] = "listening on ";

}  // namespace

Fleet::Fleet(int workers, const std::vector<std::string>& worker_flags)
    : worker_flags_(worker_flags) {
  master_ = std::make_unique<Process>(SkepArgv({"master", "--listen", "127.0.0.1:0"}));
  if (!master_->WaitForText(kListening)) {
    ADD_FAILURE() << "the master does not start: " << master_->err();
    return;
  }
  address_ = WordAfter(master_->out(), kListening);
  for (int i = 0; i < workers; ++i) AddWorker();
}

void Fleet::AddWorker(const std::string& master,
                      const std::vector<std::string>& wrapper) {
  std::vector<std::string> args = {"worker", "--master",
                                   master.empty() ? address_ : master, "--slots", "1"};
  args.insert(args.end(), worker_flags_.begin(), worker_flags_.end());
  args = SkepArgv(args);
  args.insert(args.begin(), wrapper.begin(), wrapper.end());
  workers_.push_back(std::make_unique<Process>(args));
  if (!workers_.back()->WaitForText("registered with")) {
    ADD_FAILURE() << "a worker does not register: " << workers_.back()->err();
  }
}

std::unique_ptr<Process> Fleet::StartSubmit(std::vector<std::string> args) {
  args.insert(args.begin(), "submit");
  args.insert(args.end(), {"--master", address_});
  return std::make_unique<Process>(SkepArgv(args));
}

Outcome Fleet::Submit(std::vector<std::string> args, absl::Duration patience) {
  return StartSubmit(std::move(args))->Wait(patience);
}

std::string Fleet::StatusJson(int job) {
  return Skep({"status", std::to_string(job), "--json", "--master", address_}).out;
}

}  // namespace skep
