#include "tests/end_to_end/echo_server_process.h"

#include <csignal>

#include "gtest/gtest.h"

namespace skep {

EchoServerProcess::EchoServerProcess(const std::string& delay) : delay_(delay) {
  Start("127.0.0.1:0");
}

void EchoServerProcess::Kill() {
  process_->Kill(SIGKILL);
  process_->Wait();
}

void EchoServerProcess::Start(const std::string& at) {
  process_ = std::make_unique<Process>(
      SkepArgv({"serve", "echo", "--listen", at, "--delay", delay_}));
  ASSERT_TRUE(process_->WaitForText("serving echo on ")) << process_->err();
  address_ = WordAfter(process_->out(), "serving echo on ");
}

}  // namespace skep
