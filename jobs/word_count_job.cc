// Word count: the MapReduce paper's first example. Words are runs of bytes between
// white space.

#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "jobs/api/job.h"
#include "jobs/api/json_text.h"
#include "jobs/kernels/tokenizer.h"
#include "jobs/kernels/top_k.h"

namespace skep {
namespace {

// Reducers answer with their best words; this bounds what the planner is given.
constexpr int64_t kMaxTop = 100'000;

class CountWords final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    std::string_view text = block.bytes;
    if (context.options().GetBool("ignore-case")) {
      folded_.resize(text.size());
      FoldAsciiCase(text, folded_.data());
      text = folded_;
    }
    uint64_t words = 0;
    ForEachWords(text, [&](std::span<const std::string_view> batch) {
      context.EmitEach(batch);
      words += batch.size();
    });
    context.Count("words", words);
    return absl::OkStatus();
  }

 private:
  std::string folded_;
};

// Writes "word<TAB>count" lines.
class WriteCounts final : public Reducer {
 public:
  absl::Status Reduce(std::string_view word, Values& values,
                      ReduceContext& context) override {
    SKEP_ASSIGN_OR_RETURN(const uint64_t count, SumCounts(values));
    context.Write(StrCat(word, "\t", count, "\n"));
    ++distinct_;
    return absl::OkStatus();
  }

  absl::Status Finish(ReduceContext& context) override {
    context.Count("distinct_words", distinct_);
    return absl::OkStatus();
  }

 private:
  uint64_t distinct_ = 0;
};

// Answers with the partition's best words, each as bytes and a varint.
class KeepTop final : public Reducer {
 public:
  absl::Status Reduce(std::string_view word, Values& values,
                      ReduceContext& context) override {
    SKEP_ASSIGN_OR_RETURN(const uint64_t count, SumCounts(values));
    if (!top_) top_.emplace(context.options().GetInt("top"));
    top_->Add(word, count);
    ++distinct_;
    return absl::OkStatus();
  }

  absl::Status Finish(ReduceContext& context) override {
    context.Count("distinct_words", distinct_);
    std::string result;
    if (top_) {
      for (const CountedKey& word : top_->Take()) {
        PutBytes(&result, word.key);
        PutVarint(&result, word.count);
      }
    }
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  std::optional<TopK> top_;
  uint64_t distinct_ = 0;
};

absl::StatusOr<PlanResult> AnswerTop(const StageResult& stage, int64_t k) {
  TopK top(k);
  for (const std::string& result : stage.reduce_results()) {
    std::string_view rest = result;
    while (!rest.empty()) {
      std::string_view word;
      uint64_t count;
      if (!GetBytes(&rest, &word) || !GetVarint(&rest, &count)) {
        return Internal("wordcount: a reducer's result of ", result.size(),
                        " bytes is malformed");
      }
      top.Add(word, count);
    }
  }
  std::string text, json;
  for (const CountedKey& word : top.Take()) {
    StrAppend(&text, word.key, "\t", word.count, "\n");
    StrAppend(&json, json.empty() ? "" : ",", "{\"word\":", JsonString(word.key),
              ",\"count\":", word.count, "}");
  }
  return Done(std::move(text), StrCat("{\"words\":[", json, "]}"));
}

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  const int64_t top = input.options.GetInt("top");
  if (input.finished.empty()) {
    StageSpec stage;
    stage.set_name(top > 0 ? "top" : "count");
    stage.set_job_input(true);
    stage.set_partitions(input.default_partitions);
    stage.set_writes_output(top == 0);
    return NextStage(std::move(stage));
  }
  const StageResult& result = input.finished.back();
  if (top > 0) return AnswerTop(result, top);
  return Done("", StrCat("{\"total\":", CounterOf(result, "words"),
                         ",\"distinct\":", CounterOf(result, "distinct_words"), "}"));
}

absl::Status CheckTop(const std::string& value) {
  const int64_t top = std::atoll(value.c_str());
  if (top >= 1 && top <= kMaxTop) return absl::OkStatus();
  return InvalidArgument("give a number from 1 to ", kMaxTop,
                         ", or leave it out to count all words");
}

}  // namespace

void WordCount(Job& job) {
  job.Name("wordcount")
      .Summary("Counts how often each word occurs")
      .Example("skep run wordcount --top 10 book.txt")
      .AddFlag({.name = "top",
                .type = Flag::Type::kInt,
                .value_name = "K",
                .help = "Print the K most frequent words, best first (equal counts in "
                        "byte order), instead of writing the counts of all words",
                .check = CheckTop})
      .AddFlag({.name = "ignore-case",
                .type = Flag::Type::kBool,
                .help = "Count A-Z as a-z; other bytes stay as they are"})
      .Output([](const Options& options) {
        return options.GetInt("top") > 0 ? OutputShape::kNone : OutputShape::kDirectory;
      })
      .AddStage("count", {.mapper = [] { return std::make_unique<CountWords>(); },
                          .reducer = [] { return std::make_unique<WriteCounts>(); },
                          .combine = Combine::kSum})
      .AddStage("top", {.mapper = [] { return std::make_unique<CountWords>(); },
                        .reducer = [] { return std::make_unique<KeepTop>(); },
                        .combine = Combine::kSum})
      .Plan(Plan);
}

}  // namespace skep
