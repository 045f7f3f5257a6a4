#include "jobs/kernels/unicode_words.h"

#include <unicode/brkiter.h>
#include <unicode/normalizer2.h>
#include <unicode/udata.h>
#include <unicode/unistr.h>
#include <unicode/ustring.h>
#include <unicode/utext.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "base/status.h"
#include "jobs/kernels/ascii_words.h"
#include "jobs/kernels/tokenizer.h"

namespace skep {
namespace {

// Lines are folded and visited in pieces of about as much: they stay in the cache.
constexpr size_t kPieceBytes = 64 << 10;
// Longer tokens are not remembered: they are sentences of scripts without spaces.
constexpr size_t kMaxKnownBytes = 64;
constexpr size_t kMaxKnown = 64 << 10;
constexpr UChar32 kReplacement = 0xfffd;
constexpr std::string_view kJoiner = "\u200d";

// Whether a unit stands for an ideograph, a kana or a Hangul syllable: these have no
// case, and nothing among them composes.
bool IsPlain(char16_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7a3) ||
         (c >= 0x3041 && c <= 0x3096) || (c >= 0x30a1 && c <= 0x30fa) || c == 0x30fc;
}

absl::Status IcuError(const char* what, UErrorCode code) {
  return Internal("ICU cannot ", what, ": ", u_errorName(code));
}

}  // namespace

size_t CountCharacters(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(utf8.begin(), utf8.end(),
                                           [](char c) { return (c & 0xc0) != 0x80; }));
}

// ICU, with what it keeps for a text.
class UnicodeWords::Icu {
 public:
  explicit Icu(bool fold_case) : fold_case_(fold_case) {}

  absl::Status Open() {
    // Words are the same whatever data files a machine has.
    static const UErrorCode no_files = [] {
      UErrorCode result = U_ZERO_ERROR;
      udata_setFileAccess(UDATA_NO_FILES, &result);
      return result;
    }();
    UErrorCode code = no_files;
    breaks_.reset(icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), code));
    if (U_FAILURE(code)) return IcuError("find its rules for words", code);
    nfc_ = icu::Normalizer2::getNFCInstance(code);
    nfd_ = icu::Normalizer2::getNFDInstance(code);
    if (U_FAILURE(code)) return IcuError("normalize", code);
    return absl::OkStatus();
  }

  // Appends the words of the text; returns how many.
  size_t Divide(std::string_view utf8, std::deque<std::string>* words) {
    UErrorCode code = U_ZERO_ERROR;
    // Never more units than bytes.
    if (units_.size() < utf8.size()) units_.resize(utf8.size());
    int32_t size = 0;
    u_strFromUTF8WithSub(units_.data(), static_cast<int32_t>(units_.size()), &size,
                         utf8.data(), static_cast<int32_t>(utf8.size()), kReplacement,
                         nullptr, &code);
    UText text = UTEXT_INITIALIZER;
    utext_openUChars(&text, units_.data(), size, &code);
    breaks_->setText(&text, code);
    utext_close(&text);
    // All that is left to fail is memory.
    if (U_FAILURE(code)) throw std::bad_alloc();
    size_t found = 0;
    int32_t begin = breaks_->first();
    for (int32_t end = breaks_->next(); end != icu::BreakIterator::DONE;
         begin = std::exchange(end, breaks_->next())) {
      if (breaks_->getRuleStatus() < UBRK_WORD_NONE_LIMIT) continue;
      words->emplace_back();
      AppendForm(begin, end, &words->back());
      ++found;
    }
    return found;
  }

 private:
  // Without case folding NFC; with it NFC(fold(NFD)), of canonical caseless matching.
  void AppendForm(int32_t begin, int32_t end, std::string* form) const {
    if (std::all_of(units_.data() + begin, units_.data() + end, IsPlain)) {
      for (; begin < end; ++begin) {
        const uint32_t c = units_[static_cast<size_t>(begin)];
        *form += static_cast<char>(0xe0 | c >> 12);
        *form += static_cast<char>(0x80 | (c >> 6 & 0x3f));
        *form += static_cast<char>(0x80 | (c & 0x3f));
      }
      return;
    }
    UErrorCode code = U_ZERO_ERROR;
    const icu::UnicodeString word(/*isTerminated=*/false, units_.data() + begin,
                                  end - begin);
    icu::UnicodeString folded;
    if (fold_case_) folded = nfd_->normalize(word, code).foldCase();
    nfc_->normalize(fold_case_ ? folded : word, code).toUTF8String(*form);
    if (U_FAILURE(code)) throw std::bad_alloc();
  }

  const bool fold_case_;
  std::unique_ptr<icu::BreakIterator> breaks_;
  const icu::Normalizer2* nfc_ = nullptr;
  const icu::Normalizer2* nfd_ = nullptr;
  std::u16string units_;
};

class UnicodeWords::Batch {
 public:
  explicit Batch(const Visit& visit) : visit_(visit) {}
  ~Batch() { Flush(); }

  void Add(std::string_view word) {
    words_[size_++] = word;
    if (size_ == words_.size()) Flush();
  }
  void Flush() {
    if (size_ > 0) visit_({words_.data(), size_});
    size_ = 0;
  }

 private:
  const Visit& visit_;
  std::array<std::string_view, kWordBatch> words_;
  size_t size_ = 0;
};

absl::StatusOr<std::unique_ptr<UnicodeWords>> UnicodeWords::Create(bool fold_case,
                                                                   CpuPath path) {
  auto icu = std::make_unique<Icu>(fold_case);
  SKEP_RETURN_IF_ERROR(icu->Open());
  return std::unique_ptr<UnicodeWords>(
      new UnicodeWords(fold_case, path, std::move(icu)));
}

UnicodeWords::UnicodeWords(bool fold_case, CpuPath path, std::unique_ptr<Icu> icu)
    : fold_case_(fold_case),
      path_(path),
      icu_(std::move(icu)),
      known_({.path = path}) {}

UnicodeWords::~UnicodeWords() = default;

void UnicodeWords::ForEach(std::string_view text, const Visit& visit) {
  while (!text.empty()) {
    const size_t end = text.find('\n', std::min(kPieceBytes, text.size()) - 1);
    const std::string_view lines = text.substr(0, end == text.npos ? end : end + 1);
    text.remove_prefix(lines.size());
    Forget();
    Batch batch(visit);
    VisitLines(lines, &batch);
  }
}

void UnicodeWords::Forget() {
  new_words_.clear();
  if (known_.size() <= kMaxKnown) return;
  known_.Clear();
  known_words_.clear();
}

void UnicodeWords::VisitLines(std::string_view lines, Batch* batch) {
  // Of other letters ICU knows the case; no break depends on that of A-Z.
  if (fold_case_) {
    folded_.resize(std::max(folded_.size(), lines.size()));
    FoldAsciiCase(lines, folded_.data(), path_);
    lines = std::string_view(folded_).substr(0, lines.size());
  }
  const auto add = [batch](std::string_view word) { batch->Add(word); };
  for (size_t from = 0; from < lines.size();) {
    const size_t high = FindNonAscii(lines, from, path_);
    size_t begin = high;
    if (high < lines.size()) {
      while (begin > from && !IsWordSpace(lines[begin - 1])) --begin;
    }
    ForEachAsciiWord(lines.substr(from, begin - from), add, path_);
    size_t end = high;
    while (end < lines.size() && !IsWordSpace(lines[end])) ++end;
    if (begin == end) break;
    // A joiner ties what follows it to the spaces or the tab before it.
    if (begin == high && lines.substr(begin, end - begin).find(kJoiner) != lines.npos) {
      while (begin > from && lines[begin - 1] == ' ') --begin;
      if (begin == high && begin > from && lines[begin - 1] == '\t') --begin;
    }
    AddToken(lines.substr(begin, end - begin), batch);
    from = end;
  }
}

void UnicodeWords::AddToken(std::string_view token, Batch* batch) {
  if (token.size() > kMaxKnownBytes) {
    size_t at = new_words_.size();
    for (size_t n = icu_->Divide(token, &new_words_); n > 0; --n) {
      batch->Add(new_words_[at++]);
    }
    return;
  }
  // The first of its words, and one more than how many: at most as many as bytes.
  uint64_t words = known_.Get(token);
  if (words == 0) {
    words = known_words_.size() << 8;
    words += icu_->Divide(token, &known_words_) + 1;
    known_.Add(token, words);
  }
  for (uint64_t i = words >> 8, end = i + (words & 0xff) - 1; i < end; ++i) {
    batch->Add(known_words_[i]);
  }
}

}  // namespace skep
