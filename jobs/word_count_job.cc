// Word count: the MapReduce paper's first example.

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "jobs/api/job.h"
#include "jobs/api/json_text.h"
#include "jobs/kernels/frequent_words.h"
#include "jobs/kernels/top_k.h"
#include "jobs/kernels/word_splitter.h"

namespace skep {
namespace {

// Reducers answer with their best words; this bounds what the planner is given.
constexpr int64_t kMaxTop = 100'000;
// Of words: so much a reducer may answer with, and so much the job, in JSON at worst
// six times that. Both travel in a frame.
constexpr size_t kMostResultBytes = 48 << 20;
constexpr size_t kMostAnswerBytes = 8 << 20;
// Of the summaries of all splits: they travel to the planner in a frame.
constexpr size_t kMostSummaryBytes = 48 << 20;

absl::Status CheckSize(size_t bytes, size_t most, const Options& options) {
  if (bytes <= most) return absl::OkStatus();
  return InvalidArgument("the best ", options.GetInt("top"),
                         " words are so long that they take over ", most >> 20,
                         " MiB: ask for fewer, or leave out --top and read the counts "
                         "of all words from files");
}

WordSplitterOptions SplitterOptions(const Options& options) {
  const std::string& words = options.GetString("words");
  return {.pattern = options.GetString("pattern"),
          .unicode = words != "bytes",
          .ignore_case = words == "unicode" || options.GetBool("ignore-case"),
          .min_length = static_cast<size_t>(options.GetInt("min-length")),
          .stop_words = options.GetString("stop-words"),
          .ngrams = static_cast<size_t>(options.GetInt("ngrams"))};
}

class CountWords final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    if (splitter_ == nullptr) {
      SKEP_ASSIGN_OR_RETURN(splitter_,
                            WordSplitter::Create(SplitterOptions(context.options())));
    }
    uint64_t words = 0;
    splitter_->ForEach(block.bytes, [&](std::span<const std::string_view> batch) {
      context.EmitEach(batch);
      words += batch.size();
    });
    context.Count("words", words);
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<WordSplitter> splitter_;
};

// Answers with a summary of its split; nothing is shuffled.
class Summarise final : public Mapper {
 public:
  absl::Status Map(const Block& block, MapContext& context) override {
    if (splitter_ == nullptr) {
      SKEP_ASSIGN_OR_RETURN(splitter_,
                            WordSplitter::Create(SplitterOptions(context.options())));
      summary_.emplace(context.options().GetInt("counters"));
    }
    splitter_->ForEach(block.bytes, [&](std::span<const std::string_view> batch) {
      summary_->AddEach(batch);
    });
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    if (!summary_) return absl::OkStatus();
    uint64_t most_bytes = 0;
    std::string_view args = context.args();
    if (!GetVarint(&args, &most_bytes)) {
      return Internal("wordcount: the stage's arguments are malformed");
    }
    context.SetResult(summary_->Encode(most_bytes));
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<WordSplitter> splitter_;
  std::optional<FrequentWords> summary_;
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
        SKEP_RETURN_IF_ERROR(
            CheckSize(result.size(), kMostResultBytes, context.options()));
      }
    }
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  std::optional<TopK> top_;
  uint64_t distinct_ = 0;
};

absl::StatusOr<PlanResult> AnswerTop(const StageResult& stage, const Options& options) {
  TopK top(options.GetInt("top"));
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
    SKEP_RETURN_IF_ERROR(CheckSize(text.size(), kMostAnswerBytes, options));
  }
  return Done(std::move(text), StrCat("{\"words\":[", json, "]}"));
}

absl::StatusOr<PlanResult> AnswerApproximately(const StageResult& stage,
                                               const Options& options) {
  FrequentWords all(options.GetInt("counters"));
  for (const std::string& result : stage.map_results()) {
    if (!result.empty()) SKEP_RETURN_IF_ERROR(all.MergeEncoded(result));
  }
  std::string text, json;
  const std::vector<FrequentWord> words = all.Top(options.GetInt("top"));
  for (const FrequentWord& word : words) {
    StrAppend(&text, word.word, "\t", word.count, "\t", word.error, "\n");
    StrAppend(&json, json.empty() ? "" : ",", "{\"word\":", JsonString(word.word),
              ",\"count\":", word.count, ",\"error\":", word.error, "}");
    SKEP_RETURN_IF_ERROR(CheckSize(text.size(), kMostAnswerBytes, options));
  }
  std::vector<std::string> notes;
  if (words.size() < static_cast<size_t>(options.GetInt("top")) && all.error() > 0) {
    notes.push_back(StrCat("no other word stood there more than ", all.error(),
                           " times; give more --counters, or leave out --approx"));
  }
  return Done(std::move(text),
              StrCat("{\"words\":[", json, "],\"total\":", all.total(),
                     ",\"error\":", all.error(), "}"),
              std::move(notes));
}

absl::StatusOr<PlanResult> Plan(const PlanInput& input) {
  const int64_t top = input.options.GetInt("top");
  const bool approximate = input.options.GetBool("approx");
  if (input.finished.empty()) {
    StageSpec stage;
    stage.set_name(approximate
                       ? "summarise"
                       : StrCat(top > 0 ? "top" : "count",
                                input.options.GetBool("no-combiner") ? "-plain" : ""));
    stage.set_job_input(true);
    stage.set_partitions(approximate ? 0 : input.default_partitions);
    stage.set_writes_output(top == 0);
    if (approximate) {
      std::string most_bytes;
      PutVarint(&most_bytes,
                kMostSummaryBytes / std::max<size_t>(1, input.splits.size()));
      stage.set_args(std::move(most_bytes));
    }
    return NextStage(std::move(stage));
  }
  const StageResult& result = input.finished.back();
  if (approximate) return AnswerApproximately(result, input.options);
  if (top > 0) return AnswerTop(result, input.options);
  return Done("", StrCat("{\"total\":", CounterOf(result, "words"),
                         ",\"distinct\":", CounterOf(result, "distinct_words"), "}"));
}

absl::Status CheckTop(const std::string& value) {
  const int64_t top = std::atoll(value.c_str());
  if (top >= 1 && top <= kMaxTop) return absl::OkStatus();
  return InvalidArgument("give a number from 1 to ", kMaxTop,
                         ", or leave it out to count all words");
}

absl::Status CheckWords(const std::string& value) {
  for (const char* known : {"bytes", "unicode", "unicode-cased"}) {
    if (value == known) return absl::OkStatus();
  }
  return InvalidArgument("give bytes, unicode or unicode-cased");
}

absl::Status CheckPattern(const std::string& value) {
  if (!value.empty()) return absl::OkStatus();
  return InvalidArgument(
      "an empty pattern matches no word: leave it out to count what stands between "
      "white space");
}

template <int64_t kMost>
absl::Status CheckCount(const std::string& value) {
  const int64_t count = std::atoll(value.c_str());
  if (count >= 1 && count <= kMost) return absl::OkStatus();
  return InvalidArgument("give a number from 1 to ", kMost);
}

// What does not go together, before anything runs.
absl::StatusOr<InputFormat> CheckFlags(const Options& options) {
  if (options.GetBool("approx") && options.GetInt("top") == 0) {
    return InvalidArgument(
        "--approx finds the most frequent words: say how many with --top K");
  }
  if (options.GetBool("approx") && options.GetInt("counters") < options.GetInt("top")) {
    return InvalidArgument("--counters ", options.GetInt("counters"),
                           " cannot tell the best ", options.GetInt("top"),
                           ": give more, the bound of the error is words / counters");
  }
  if (options.GetBool("approx") && options.GetBool("no-combiner")) {
    return InvalidArgument(
        "--no-combiner has no effect with --approx: nothing goes to reducers");
  }
  if (options.GetString("words") == "unicode" && options.GetBool("ignore-case")) {
    return InvalidArgument(
        "--ignore-case is in vain: --words unicode folds case by Unicode's rules");
  }
  SKEP_RETURN_IF_ERROR(WordSplitter::Create(SplitterOptions(options)).status());
  return InputFormat{};
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
      .AddFlag({.name = "words",
                .type = Flag::Type::kString,
                .default_value = "bytes",
                .value_name = "bytes|unicode|unicode-cased",
                .help = "What words are: bytes (between white space), unicode (the "
                        "word breaks of UAX #29, case folded, in NFC) or "
                        "unicode-cased (the same with their case)",
                .check = CheckWords})
      .AddFlag({.name = "ignore-case",
                .type = Flag::Type::kBool,
                .help = "Count A-Z as a-z; other bytes stay as they are"})
      .AddFlag({.name = "pattern",
                .type = Flag::Type::kString,
                .value_name = "REGEX",
                .help =
                    "Words are what this regular expression (RE2's syntax) matches, "
                    "the longest at each place; by default runs of bytes between "
                    "white space",
                .check = CheckPattern})
      .AddFlag({.name = "min-length",
                .type = Flag::Type::kInt,
                .default_value = "1",
                .value_name = "N",
                .help = "Leave out words of fewer bytes; by --words unicode, of fewer "
                        "characters",
                .check = CheckCount<1'000'000>})
      .AddFlag({.name = "stop-words",
                .type = Flag::Type::kString,
                .value_name = "FILE",
                .help =
                    "Leave out the words of this file (told apart by --words; at most "
                    "1 MiB)",
                .from_file = true})
      .AddFlag({.name = "ngrams",
                .type = Flag::Type::kInt,
                .default_value = "1",
                .value_name = "N",
                .help = "Count N words that stand side by side in a line, joined by a "
                        "space; a word that is left out parts its neighbours",
                .check = CheckCount<100>})
      .AddFlag({.name = "approx",
                .type = Flag::Type::kBool,
                .help =
                    "With --top: in one pass and bounded memory. Each word's line is "
                    "word, count, error: it stood there at most count times and at "
                    "least count - error times"})
      .AddFlag({.name = "no-combiner",
                .type = Flag::Type::kBool,
                .help = "Pass each word to the reducers by itself, instead of counting "
                        "where it is read: to see what that saves"})
      .AddFlag({.name = "counters",
                .type = Flag::Type::kInt,
                .default_value = "65536",
                .value_name = "N",
                .help =
                    "Of --approx: the error is at most the number of words / N; more "
                    "where so many do not fit, for long words or very many splits "
                    "(32 MiB of words a task, 48 MiB of all tasks together)",
                .check = CheckCount<10'000'000>,
                .needs = "approx"})
      .Input(CheckFlags)
      .Output([](const Options& options) {
        return options.GetInt("top") > 0 ? OutputShape::kNone : OutputShape::kDirectory;
      })
      .AddStage("count", {.mapper = [] { return std::make_unique<CountWords>(); },
                          .reducer = [] { return std::make_unique<WriteCounts>(); },
                          .combine = Combine::kSum})
      .AddStage("top", {.mapper = [] { return std::make_unique<CountWords>(); },
                        .reducer = [] { return std::make_unique<KeepTop>(); },
                        .combine = Combine::kSum})
      .AddStage("count-plain",
                {.mapper = [] { return std::make_unique<CountWords>(); },
                 .reducer = [] { return std::make_unique<WriteCounts>(); }})
      .AddStage("top-plain", {.mapper = [] { return std::make_unique<CountWords>(); },
                              .reducer = [] { return std::make_unique<KeepTop>(); }})
      .AddStage("summarise", {.mapper = [] { return std::make_unique<Summarise>(); }})
      .Plan(Plan);
}

}  // namespace skep
