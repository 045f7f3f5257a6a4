// For tests: how many lines of the log begin so.

#ifndef SKEP_BASE_LOG_TESTING_H_
#define SKEP_BASE_LOG_TESTING_H_

#include <atomic>
#include <string>
#include <string_view>
#include <utility>

#include "glog/logging.h"

namespace skep {

// Counts from its beginning to its end.
class LogLines final : public google::LogSink {
 public:
  explicit LogLines(std::string begin) : begin_(std::move(begin)) {
    google::AddLogSink(this);
  }
  ~LogLines() override { google::RemoveLogSink(this); }
  void send(google::LogSeverity, const char*, const char*, int,
            const google::LogMessageTime&, const char* message,
            size_t length) override {
    count_ += std::string_view(message, length).starts_with(begin_);
  }
  int count() const { return count_; }

 private:
  const std::string begin_;
  std::atomic<int> count_ = 0;
};

}  // namespace skep

#endif  // SKEP_BASE_LOG_TESTING_H_
