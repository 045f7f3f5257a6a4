#include "tools/client/result.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "gtest/gtest.h"
#include "tools/standard_error.h"

namespace skep {
namespace {

using Json = nlohmann::json;

JobStatus Succeeded() {
  JobStatus status;
  status.set_id(7);
  status.set_name("wordcount");
  status.set_state(JOB_SUCCEEDED);
  (*status.mutable_counters())["words"] = 12;
  status.set_attempts_lost(2);
  status.set_submitted_ms(1000);
  status.set_finished_ms(3500);
  return status;
}

TEST(ResultTest, JsonHasEveryKey) {
  const Json json = Json::parse(JobJson(Succeeded(), "/out", absl::Milliseconds(1500)));
  EXPECT_EQ(json["job"], "wordcount");
  EXPECT_EQ(json["id"], 7);
  EXPECT_EQ(json["state"], "succeeded");
  EXPECT_FALSE(json.contains("answer"));  // a job of a list
  EXPECT_EQ(json["counters"]["words"], 12);
  EXPECT_EQ(json["output"], "/out");
  EXPECT_EQ(json["seconds"], 1.5);
  EXPECT_EQ(json["error"], nullptr);
  EXPECT_EQ(json["ran_again"]["lost"], 2);
}

TEST(ResultTest, WhatTheMasterDidNotSayIsLeftOut) {
  JobStatus status = Succeeded();
  status.set_state(JOB_RUNNING);
  const Json json = Json::parse(JobJson(status, std::nullopt, absl::Seconds(1)));
  EXPECT_FALSE(json.contains("answer"));
  EXPECT_FALSE(json.contains("output"));
  EXPECT_EQ(json["state"], "running");
}

TEST(ResultTest, TellsWhereTheTimeWent) {
  JobStatus status = Succeeded();
  status.set_cpu_seconds(1.5);
  for (const TaskPhase phase : {PHASE_SPILL, PHASE_READ}) {
    PhaseTime& time = *status.add_phases();
    time.set_phase(phase);
    time.set_cpu_seconds(static_cast<int>(phase) / 4.0);
    time.set_wall_seconds(phase);
  }
  const Json json = Json::parse(JobJson(status, "", absl::Seconds(1)));
  EXPECT_EQ(json["cpu_seconds"], 1.5);
  EXPECT_EQ(json["finished_ms"], 3500);
  EXPECT_EQ(json["phases"]["read"]["cpu_seconds"], 0.25);
  EXPECT_EQ(json["phases"]["spill"]["wall_seconds"], 3);
  EXPECT_NE(JobText(status).find("cpu seconds of tasks: 1.500\n"
                                 "  read: 0.250, elapsed 1.000\n"
                                 "  spill: 0.750, elapsed 3.000\n"),
            std::string::npos)
      << JobText(status);
}

TEST(ResultTest, AnswersAreTheJobsJsonElseItsText) {
  JobStatus status = Succeeded();
  status.mutable_answer()->set_text("365596\n");
  EXPECT_EQ(Json::parse(JobJson(status, "", absl::Seconds(1)))["answer"], "365596\n");
  status.mutable_answer()->set_json(R"({"solutions": 365596})");
  const Json json = Json::parse(JobJson(status, "", absl::Seconds(1)));
  EXPECT_EQ(json["answer"]["solutions"], 365596);
  EXPECT_EQ(json["output"], nullptr);
}

TEST(ResultTest, AnswersKeepTheirDigits) {
  JobStatus status = Succeeded();
  status.mutable_answer()->set_json(
      "{ \"sum\":\n\t18446744073709554615, \"low\": -9223372036854775809,\r\n"
      " \"mean\": 0.10,\"word\": \"a \\\" b\\\\\" }");
  const std::string text = JobJson(status, "", absl::Seconds(1));
  EXPECT_NE(text.find(R"(,"answer":{"sum":18446744073709554615,)"
                      R"("low":-9223372036854775809,"mean":0.10,)"
                      R"("word":"a \" b\\"},"counters")"),
            std::string::npos)
      << text;
  EXPECT_EQ(Json::parse(text)["answer"]["word"], "a \" b\\");
  // What is no JSON is not printed as such.
  status.mutable_answer()->set_json("{\"sum\": 1");
  status.mutable_answer()->set_text("1\n");
  EXPECT_EQ(Json::parse(JobJson(status, "", absl::Seconds(1)))["answer"], "1\n");
}

TEST(ResultTest, BytesThatAreNotUtf8DoNotBreakTheJson) {
  JobStatus status = Succeeded();
  status.mutable_answer()->set_text("caf\xe9");
  status.add_warnings("bad \xff");
  EXPECT_FALSE(Json::parse(JobJson(status, "", absl::Seconds(1)))["answer"].is_null());
}

TEST(ResultTest, TerminalsObeyNothingOfAMessage) {
  EXPECT_EQ(Printable("a \x1b[2J\r\x07\x7f\tb\n"), "a \\x1b[2J\\x0d\\x07\\x7f\tb\n");
  // A control character of C1, as UTF-8 and alone; letters; what is cut.
  EXPECT_EQ(Printable("\xc2\x9b \x9b"), "\\xc2\\x9b \\x9b");
  EXPECT_EQ(Printable("\xc2\xa0\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x90\x9d"),
            "\xc2\xa0\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x90\x9d");
  EXPECT_EQ(Printable("caf\xe9"), "caf\\xe9");
  EXPECT_EQ(Printable("\xe6\xbc"), "\\xe6\\xbc");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\\x00");
  JobStatus status = Succeeded();
  status.add_warnings("\x1b");
  EXPECT_NE(JobText(status).find("warning: \\x1b\n"), std::string::npos);
}

TEST(ResultTest, FailuresAreErrors) {
  JobStatus status = Succeeded();
  EXPECT_TRUE(JobError(status).ok());
  status.set_state(JOB_FAILED);
  status.set_error_code(static_cast<int>(absl::StatusCode::kFailedPrecondition));
  status.set_error_message("no numbers");
  EXPECT_TRUE(absl::IsFailedPrecondition(JobError(status)));
  EXPECT_EQ(Json::parse(JobJson(status, "", absl::Seconds(1)))["error"], "no numbers");
  EXPECT_NE(JobText(status).find("error: no numbers\n"), std::string::npos);
  status.set_state(JOB_CANCELLED);
  EXPECT_TRUE(absl::IsCancelled(JobError(status)));
}

TEST(ResultTest, TellsWhereTheOutputIs) {
  JobStatus status = Succeeded();
  EXPECT_EQ(OutputText(status), "");
  for (const uint64_t bytes : {10, 20}) status.add_output()->set_bytes(bytes);
  status.set_output_directory("/home/me/counts");
  EXPECT_EQ(OutputText(status), "/home/me/counts, 2 files of 30 bytes");
  EXPECT_NE(JobText(status).find("output: /home/me/counts, 2"), std::string::npos);
  // What JobOutput makes for a file, and for standard output.
  status.set_output_directory("/home/me/.sorted.txt.0123456789abcdef");
  EXPECT_EQ(OutputText(status), "/home/me/sorted.txt, 30 bytes");
  status.set_output_directory("/tmp/skep-output-0123456789abcdef");
  EXPECT_EQ(OutputText(status), "standard output of its submitter, 30 bytes");
}

TEST(ResultTest, TimeTakenEndsWithTheJob) {
  JobStatus status = Succeeded();
  const absl::Time later = absl::FromUnixMillis(9000);
  EXPECT_EQ(TimeTaken(status, later), absl::Milliseconds(2500));
  status.set_finished_ms(0);
  EXPECT_EQ(TimeTaken(status, later), absl::Milliseconds(8000));
}

TEST(ResultTest, TheTableHasALineForEachJob) {
  const std::string table = JobTableText({Succeeded(), Succeeded()});
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
  EXPECT_NE(table.find("2.50 s"), std::string::npos) << table;
}

}  // namespace
}  // namespace skep
