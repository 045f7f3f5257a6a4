#include "jobs/kernels/word_splitter.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "jobs/kernels/tokenizer.h"

namespace skep {
namespace {

constexpr size_t kJoinedBytes = 64 << 10;

re2::StringPiece ToRe2(std::string_view s) { return {s.data(), s.size()}; }

}  // namespace

WordSplitter::WordSplitter(const WordSplitterOptions& options)
    : options_([&] {
        WordSplitterOptions folded = options;
        if (options.ignore_case) {
          FoldAsciiCase(options.stop_words, folded.stop_words.data());
        }
        return folded;
      }()) {
  ForEachWord(options_.stop_words,
              [this](std::string_view word) { stop_words_.insert(word); });
}

WordSplitter::~WordSplitter() = default;

absl::StatusOr<std::unique_ptr<WordSplitter>> WordSplitter::Create(
    const WordSplitterOptions& options) {
  auto splitter = std::unique_ptr<WordSplitter>(new WordSplitter(options));
  if (options.pattern.empty()) return splitter;
  RE2::Options regex_options;
  regex_options.set_never_nl(true);
  regex_options.set_case_sensitive(!options.ignore_case);
  regex_options.set_log_errors(false);
  // Of the matches at one place the longest is the word: "a|ab" finds ab.
  regex_options.set_longest_match(true);
  splitter->regex_ = std::make_unique<RE2>(options.pattern, regex_options);
  if (!splitter->regex_->ok()) {
    return InvalidArgument("\"", options.pattern,
                           "\" is no regular expression: ", splitter->regex_->error());
  }
  return splitter;
}

void WordSplitter::ForEach(std::string_view text, const Visit& visit) {
  // A pattern sees the text as it is, and what it finds is folded.
  if (options_.ignore_case && regex_ == nullptr) {
    folded_.resize(text.size());
    FoldAsciiCase(text, folded_.data(), options_.path);
    text = folded_;
  }
  if (regex_ == nullptr && options_.ngrams == 1) {
    if (options_.min_length <= 1 && stop_words_.empty()) {
      return ForEachWords(text, visit, options_.path);
    }
    std::vector<std::string_view> kept;
    return ForEachWords(
        text,
        [&](std::span<const std::string_view> words) {
          kept.clear();
          std::copy_if(words.begin(), words.end(), std::back_inserter(kept),
                       [this](std::string_view word) { return !IsLeftOut(word); });
          if (!kept.empty()) visit(kept);
        },
        options_.path);
  }
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    FindInLine(text.substr(0, end), visit);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  Flush(visit);
}

void WordSplitter::FindInLine(std::string_view line, const Visit& visit) {
  neighbours_.clear();
  if (regex_ == nullptr) {
    return ForEachWord(
        line, [&](std::string_view word) { Take(word, visit); }, options_.path);
  }
  // Folded here and not found here: letters keep their places.
  std::string_view text = line;
  if (options_.ignore_case) {
    // The batch holds words of the line before.
    Flush(visit);
    folded_.resize(line.size());
    FoldAsciiCase(line, folded_.data(), options_.path);
    text = folded_;
  }
  size_t from = 0;
  re2::StringPiece match;
  while (from <= line.size() &&
         regex_->Match(ToRe2(line), from, line.size(), RE2::UNANCHORED, &match, 1)) {
    const size_t at = static_cast<size_t>(match.data() - line.data());
    if (!match.empty()) Take(text.substr(at, match.size()), visit);
    from = at + std::max<size_t>(match.size(), 1);
  }
}

void WordSplitter::Take(std::string_view word, const Visit& visit) {
  if (IsLeftOut(word)) {
    neighbours_.clear();
    return;
  }
  if (options_.ngrams > 1) {
    neighbours_.push_back(word);
    if (neighbours_.size() < options_.ngrams) return;
    size_t size = options_.ngrams - 1;
    for (const std::string_view part : neighbours_) size += part.size();
    if (joined_.size() + size > joined_.capacity()) {
      Flush(visit);
      joined_.reserve(std::max(kJoinedBytes, size));
    }
    const size_t begin = joined_.size();
    for (const std::string_view part : neighbours_) {
      if (joined_.size() > begin) joined_ += ' ';
      joined_ += part;
    }
    neighbours_.erase(neighbours_.begin());
    word = std::string_view(joined_).substr(begin);
  }
  batch_.push_back(word);
  if (batch_.size() == kWordBatch) Flush(visit);
}

void WordSplitter::Flush(const Visit& visit) {
  if (!batch_.empty()) visit(batch_);
  batch_.clear();
  joined_.clear();
}

}  // namespace skep
