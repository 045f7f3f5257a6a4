#include "jobs/kernels/word_splitter.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "base/strings.h"
#include "jobs/kernels/tokenizer.h"
#include "jobs/kernels/unicode_words.h"

namespace skep {
namespace {

constexpr size_t kJoinedBytes = 64 << 10;

re2::StringPiece ToRe2(std::string_view s) { return {s.data(), s.size()}; }

}  // namespace

WordSplitter::WordSplitter(const WordSplitterOptions& options) : options_(options) {}

WordSplitter::~WordSplitter() = default;

absl::StatusOr<std::unique_ptr<WordSplitter>> WordSplitter::Create(
    const WordSplitterOptions& options) {
  auto splitter = std::unique_ptr<WordSplitter>(new WordSplitter(options));
  SKEP_RETURN_IF_ERROR(splitter->Prepare());
  return splitter;
}

absl::Status WordSplitter::Prepare() {
  if (options_.unicode) {
    if (!options_.pattern.empty()) {
      return InvalidArgument("a pattern says what words are, Unicode's rules do, too: ",
                             "leave out one of them");
    }
    SKEP_ASSIGN_OR_RETURN(unicode_,
                          UnicodeWords::Create(options_.ignore_case, options_.path));
    // In the form that the words will have.
    unicode_->ForEach(options_.stop_words, [this](auto words) {
      for (const std::string_view word : words) StrAppend(&stop_text_, word, "\n");
    });
  } else {
    stop_text_ = options_.stop_words;
    if (options_.ignore_case) FoldAsciiCase(stop_text_, stop_text_.data());
  }
  ForEachWord(stop_text_, [this](std::string_view word) { stop_words_.insert(word); });
  if (options_.pattern.empty()) return absl::OkStatus();
  RE2::Options regex_options;
  regex_options.set_never_nl(true);
  regex_options.set_case_sensitive(!options_.ignore_case);
  regex_options.set_log_errors(false);
  // Of the matches at one place the longest is the word: "a|ab" finds ab.
  regex_options.set_longest_match(true);
  regex_ = std::make_unique<RE2>(options_.pattern, regex_options);
  if (!regex_->ok()) {
    return InvalidArgument("\"", options_.pattern,
                           "\" is no regular expression: ", regex_->error());
  }
  return absl::OkStatus();
}

bool WordSplitter::IsLeftOut(std::string_view word) const {
  if (word.size() < options_.min_length) return true;
  if (options_.unicode && options_.min_length > 1 &&
      CountCharacters(word) < options_.min_length) {
    return true;
  }
  return stop_words_.contains(word);
}

void WordSplitter::VisitKept(std::span<const std::string_view> words,
                             const Visit& visit) {
  if (options_.min_length <= 1 && stop_words_.empty()) return visit(words);
  kept_.clear();
  std::copy_if(words.begin(), words.end(), std::back_inserter(kept_),
               [this](std::string_view word) { return !IsLeftOut(word); });
  if (!kept_.empty()) visit(kept_);
}

void WordSplitter::ForEach(std::string_view text, const Visit& visit) {
  const auto visit_kept = [&](std::span<const std::string_view> words) {
    VisitKept(words, visit);
  };
  if (unicode_ != nullptr && options_.ngrams == 1) {
    return unicode_->ForEach(text, visit_kept);
  }
  // A pattern sees the text as it is, and what it finds is folded.
  if (options_.ignore_case && regex_ == nullptr && unicode_ == nullptr) {
    folded_.resize(text.size());
    FoldAsciiCase(text, folded_.data(), options_.path);
    text = folded_;
  }
  if (regex_ == nullptr && options_.ngrams == 1) {
    return ForEachWords(text, visit_kept, options_.path);
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
  if (unicode_ != nullptr) {
    // What the batch holds are words joined here.
    return unicode_->ForEach(line, [&](std::span<const std::string_view> words) {
      for (const std::string_view word : words) Take(word, visit);
    });
  }
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
