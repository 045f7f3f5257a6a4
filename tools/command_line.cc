#include "tools/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/shorten.h"
#include "base/status.h"
#include "tools/exit_code.h"
#include "tools/standard_error.h"

namespace skep {
namespace {

// A failure of ours inside CLI11's callbacks, which report by exception.
void ThrowIfError(const std::string& flag, const absl::Status& status) {
  if (status.ok()) return;
  std::string message(Message(status));
  const std::string name = StrCat("--", flag);
  if (!message.starts_with(name)) message = StrCat(name, ": ", message);
  throw CLI::ValidationError(message, SaidExitCode(status).value_or(kUsage));
}

// What may stand behind the `=` of a switch. CLI11 would take any number there, and
// throw what is none of its own errors at the rest.
std::string TrueOrFalse(const std::string& text) {
  if (text == "true" || text == "false") return "";
  return StrCat("'", text, "' is neither true nor false");
}

// Names positional arguments in the usage line as people do: FILE..., [FILE...].
class Formatter final : public CLI::Formatter {
 public:
  std::string make_option_usage(const CLI::Option* option) const override {
    std::string name = option->get_name(true);
    if (option->get_expected_max() > 1) name += "...";
    return option->get_required() ? name : StrCat("[", name, "]");
  }
};

absl::Status ParseWhole(const std::string& text, int64_t least, int64_t most,
                        int64_t* value) {
  int64_t parsed;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, parsed);
  if (error != std::errc() || stop != end) {
    return InvalidArgument("'", text, "' is not a whole number");
  }
  if (parsed < least) {
    return InvalidArgument(parsed, " is too small: the least is ", least);
  }
  if (parsed > most) {
    return InvalidArgument(parsed, " is too large: the most is ", most);
  }
  *value = parsed;
  return absl::OkStatus();
}

// Edits between two words: insert, delete, replace, swap neighbours (Damerau 1964).
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      const size_t replace = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string nearest;
  // A third of the letters may be wrong, and two of a short word.
  size_t best = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = Distance(word, candidate);
    if (distance < best && distance < candidate.size()) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

absl::StatusOr<uint64_t> ParseSize(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double number = std::strtod(copy.c_str(), &end);
  std::string_view unit = end;
  int shift = -1;
  if (unit.size() == 2 && (unit[1] == 'B' || unit[1] == 'b')) unit.remove_suffix(1);
  if (unit.empty() || unit == "B") {
    shift = 0;
  } else if (unit.size() == 1) {
    const size_t at = std::string_view("KMGT").find(unit[0] & ~0x20);
    if (at != std::string_view::npos) shift = static_cast<int>(10 * (at + 1));
  }
  const double bytes = std::ldexp(number, shift);
  if (shift < 0 || end == copy.c_str() || !(bytes >= 0) || bytes > 0x1p60) {
    return InvalidArgument("'", text,
                           "' is not a size: give bytes, or as 64K, 16M, 1.5G");
  }
  return static_cast<uint64_t>(bytes);
}

struct CommandLine::Impl {
  struct Known {
    std::string name;
    bool takes_value;
    char letter = 0;
    std::string value_name;
  };

  Impl(std::string command, std::string summary)
      : app(std::move(summary), StrCat("skep ", command)), command(std::move(command)) {
    app.set_help_flag("-h,--help", "This text");
    app.option_defaults()->group("Flags");
    app.formatter(std::make_shared<Formatter>());
    app.get_formatter()->column_width(34);
    app.get_formatter()->label("OPTIONS", "FLAGS");
  }

  const Known* Find(std::string_view name) const {
    for (const Known& known : flags) {
      if (known.name == name) return &known;
    }
    return nullptr;
  }
  // Notes a flag; returns how CLI11 wants it named: "-n,--name".
  std::string Declare(const std::string& name, bool takes_value, char letter,
                      const std::string& value_name = "") {
    flags.push_back({name, takes_value, letter, value_name});
    // grep's -h is not for help.
    if (letter == 'h') app.set_help_flag("--help", "This text");
    return letter == 0 ? StrCat("--", name)
                       : StrCat("-", std::string(1, letter), ",--", name);
  }
  int UsageError(const std::string& what, int code = kUsage) const {
    WriteError(
        StrCat("skep ", command, ": ", what, " (see: skep ", command, " --help)\n"));
    return code;
  }
  std::string Unexpected(const std::string& word) const;
  void Complete(const Args& before) const;

  CLI::App app;
  std::string command;
  std::string examples;
  std::vector<Known> flags;
  std::vector<std::string> choices;  // for the first positional argument that has some
  bool takes_inputs = true;
};

// One word a line. None for a flag's value that is no choice: then it is a file,
// mostly, and the shell knows those.
void CommandLine::Impl::Complete(const Args& before) const {
  const std::string last = before.empty() ? "" : before.back();
  if (last.starts_with("--") && last.find('=') == last.npos) {
    const Known* const flag = Find(last.substr(2));
    if (flag != nullptr && flag->takes_value) {
      const std::string& value = flag->value_name;
      if (value.find('|') == value.npos) return;
      for (size_t at = 0; at <= value.size();) {
        const size_t end = std::min(value.find('|', at), value.size());
        // In capitals stands what is no word: "p99|TIME".
        const std::string choice = value.substr(at, end - at);
        if (std::islower(static_cast<unsigned char>(choice[0])))
          std::puts(choice.c_str());
        at = end + 1;
      }
      return;
    }
  }
  for (const std::string& choice : choices) std::puts(choice.c_str());
  for (const Known& flag : flags) std::printf("--%s\n", flag.name.c_str());
  std::puts("--help");
}

std::string CommandLine::Impl::Unexpected(const std::string& word) const {
  if (word.size() < 2 || word[0] != '-') {
    if (!takes_inputs) {
      return StrCat("this takes no input: leave out '", word, "'");
    }
    return StrCat("one argument too many: '", word, "'");
  }
  const std::string flag = word.substr(0, word.find('='));
  std::vector<std::string> names = {"--help"};
  for (const Known& known : flags) names.push_back(StrCat("--", known.name));
  const std::string nearest = Nearest(flag, names);
  std::string text = StrCat("unknown flag '", flag, "'");
  if (!nearest.empty()) StrAppend(&text, "; did you mean ", nearest, "?");
  return text;
}

CommandLine::CommandLine(std::string command, std::string summary)
    : impl_(std::make_unique<Impl>(std::move(command), std::move(summary))) {}
CommandLine::~CommandLine() = default;

void CommandLine::Example(std::string example) {
  if (!example.empty()) StrAppend(&impl_->examples, "  ", example, "\n");
}

void CommandLine::ParsedFlag(std::string name, std::string help, std::string value_name,
                             std::string default_value,
                             std::function<absl::Status(const std::string&)> set,
                             char letter, bool lines) {
  const std::string names = impl_->Declare(name, true, letter, value_name);
  const auto take = [name, lines,
                     set = std::move(set)](const std::vector<std::string>& given) {
    if (lines) {
      std::string all;
      for (const std::string& text : given) StrAppend(&all, text, "\n");
      ThrowIfError(name, set(all));
      return;
    }
    for (const std::string& text : given) {
      if (text == given[0]) continue;
      // One of them would be without effect.
      ThrowIfError(name, InvalidArgument("given twice, as '", Shorten(given[0]),
                                         "' and as '", Shorten(text), "'"));
    }
    ThrowIfError(name, set(given[0]));
  };
  CLI::Option* const option = impl_->app.add_option_function<std::vector<std::string>>(
      names, take, std::move(help));
  option->expected(1)->allow_extra_args(false)->take_all();
  option->type_name(std::move(value_name));
  if (!default_value.empty()) option->default_str(std::move(default_value));
}

void CommandLine::ParsedSwitch(std::string name, std::string help,
                               std::function<absl::Status(const std::string&)> set,
                               char letter) {
  impl_->app
      .add_flag_function(
          impl_->Declare(name, false, letter),
          [name, set = std::move(set)](int64_t count) {
            ThrowIfError(name, set(count > 0 ? "true" : "false"));
          },
          std::move(help))
      ->check(TrueOrFalse);
}

void CommandLine::Flag(std::string name, bool* value, std::string help) {
  ParsedSwitch(std::move(name), std::move(help), [value](const std::string& text) {
    *value = text == "true";
    return absl::OkStatus();
  });
}

void CommandLine::Flag(std::string name, int64_t* value, std::string help,
                       std::string value_name, int64_t least, int64_t most) {
  ParsedFlag(std::move(name), std::move(help), std::move(value_name), StrCat(*value),
             [value, least, most](const std::string& text) {
               return ParseWhole(text, least, most, value);
             });
}

void CommandLine::Flag(std::string name, std::string* value, std::string help,
                       std::string value_name) {
  ParsedFlag(std::move(name), std::move(help), std::move(value_name), *value,
             [value](const std::string& text) {
               *value = text;
               return absl::OkStatus();
             });
}

void CommandLine::Flag(std::string name, std::vector<std::string>* values,
                       std::string help, std::string value_name) {
  impl_->app
      .add_option(impl_->Declare(name, true, 0, value_name), *values, std::move(help))
      ->type_name(std::move(value_name))
      ->allow_extra_args(false)
      ->take_all();
}

void CommandLine::DurationFlag(std::string name, absl::Duration* value,
                               std::string help) {
  ParsedFlag(
      std::move(name), std::move(help), "TIME", absl::FormatDuration(*value),
      [value](const std::string& text) -> absl::Status {
        absl::Duration parsed;
        if (!absl::ParseDuration(text, &parsed) || parsed < absl::ZeroDuration()) {
          return InvalidArgument("'", text, "' is no time: say 20ms or 1.5s");
        }
        *value = parsed;
        return absl::OkStatus();
      });
}

void CommandLine::SizeFlag(std::string name, uint64_t* bytes, std::string help,
                           uint64_t least) {
  ParsedFlag(std::move(name), std::move(help), "SIZE",
             *bytes == 0 ? "" : StrCat(*bytes),
             [bytes, least](const std::string& text) -> absl::Status {
               SKEP_ASSIGN_OR_RETURN(*bytes, ParseSize(text));
               if (*bytes < least) {
                 return InvalidArgument("'", text, "' is less than ", least, " bytes");
               }
               return absl::OkStatus();
             });
}

void CommandLine::Heading(std::string heading) {
  impl_->app.option_defaults()->group(std::move(heading));
}

void CommandLine::LogFlags(LogOptions* options) {
  Heading("Log");
  ParsedFlag("log-level", "Least severity to log: info, warning or error",
             "info|warning|error", options->level,
             [options](const std::string& text) -> absl::Status {
               if (text != "info" && text != "warning" && text != "error") {
                 return InvalidArgument("'", text, "' is not info, warning or error");
               }
               options->level = text;
               return absl::OkStatus();
             });
  Flag("log-dir", &options->directory, "Log to files in DIR rather than stderr", "DIR");
  const bool taken = std::any_of(impl_->flags.begin(), impl_->flags.end(),
                                 [](const auto& known) { return known.letter == 'v'; });
  impl_->app
      .add_flag_function(
          impl_->Declare("verbose", false, taken ? 0 : 'v'),
          [options](int64_t count) {
            options->verbosity = static_cast<int>(count);
            options->level = "info";
          },
          "Log more; twice, even more")
      ->check(TrueOrFalse);
}

void CommandLine::Positional(std::string name, std::string* value, std::string help,
                             bool required, std::vector<std::string> choices) {
  if (impl_->choices.empty()) impl_->choices = std::move(choices);
  impl_->app.add_option(name, *value, std::move(help))
      ->option_text(" ")
      ->group("Arguments")
      ->required(required);
}

void CommandLine::Inputs(std::string name, std::vector<std::string>* values,
                         std::string help, bool required) {
  impl_->app.add_option(name, *values, std::move(help))
      ->option_text(required ? "..." : "...")
      ->group("Arguments")
      ->required(required)
      ->expected(required ? 1 : 0, CLI::detail::expected_max_vector_size);
}

void CommandLine::NoInputs() { impl_->takes_inputs = false; }

std::optional<int> CommandLine::Parse(const Args& args) {
  CLI::App& app = impl_->app;
  if (!args.empty() && args.back() == kComplete) {
    impl_->Complete({args.begin(), args.end() - 1});
    return kOk;
  }
  if (!impl_->examples.empty()) app.footer(StrCat("\nExamples:\n", impl_->examples));
  try {
    app.parse(Args(args.rbegin(), args.rend()));
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return kOk;
  } catch (const CLI::ExtrasError&) {
    return impl_->UsageError(impl_->Unexpected(app.remaining().front()));
  } catch (const CLI::ValidationError& error) {
    // CLI11 has codes of its own.
    const bool file = error.get_exit_code() == kFiles;
    return impl_->UsageError(error.what(), file ? kFiles : kUsage);
  } catch (const CLI::ParseError& error) {
    // Words that are not understood explain why others are missing.
    for (const std::string& word : app.remaining()) {
      if (word.size() > 1 && word[0] == '-') {
        return impl_->UsageError(impl_->Unexpected(word));
      }
    }
    return impl_->UsageError(error.what());
  }
  return std::nullopt;
}

size_t CommandLine::FindPositional(const Args& args) const {
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg.size() < 2 || arg[0] != '-') return i;
    if (arg[1] != '-') continue;  // a short switch: -v, -h
    const size_t equals = arg.find('=');
    const std::string name = arg.substr(2, equals == arg.npos ? arg.npos : equals - 2);
    const Impl::Known* const known = impl_->Find(name);
    if (known == nullptr && name != "help") return args.size();
    if (known != nullptr && known->takes_value && equals == arg.npos) ++i;
  }
  return args.size();
}

std::vector<std::string> CommandLine::GivenFlags() const {
  std::vector<std::string> given;
  for (const Impl::Known& flag : impl_->flags) {
    if (impl_->app.count(StrCat("--", flag.name)) > 0) given.push_back(flag.name);
  }
  return given;
}

absl::Status CommandLine::InVain(std::string_view flag, std::string_view needs) const {
  if (impl_->app.count(StrCat("--", flag)) == 0) return absl::OkStatus();
  return InvalidArgument("--", flag, " has no effect without ", needs);
}

bool CommandLine::HasFlag(std::string_view name) const {
  return impl_->Find(name) != nullptr;
}

}  // namespace skep
