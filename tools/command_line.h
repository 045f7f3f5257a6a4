// The flags of one subcommand: declared, parsed, explained in --help.
//
//   CommandLine line("worker", "Runs tasks for a master.");
//   line.Example("skep worker --master 127.0.0.1:7700");
//   line.Flag("slots", &slots, "Attempts at a time", "N");
//   line.Inputs("FILE", &files, "What to read");
//   if (std::optional<int> code = line.Parse(args)) return *code;
//
// Flags come as --name VALUE or --name=VALUE, anywhere between the positional
// arguments; after "--" everything is positional. A small face on CLI11, whose headers
// take five seconds to compile and stay in command_line.cc.

#ifndef SKEP_TOOLS_COMMAND_LINE_H_
#define SKEP_TOOLS_COMMAND_LINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/logging.h"

namespace skep {

using Args = std::vector<std::string>;

// Of flags that count threads, event loops or slots: more is a mistake.
inline constexpr int64_t kMostThreads = 1024;

class CommandLine {
 public:
  CommandLine(std::string command, std::string summary);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // Shown at the end of --help.
  void Example(std::string example);

  // `*value` holds the default, which --help shows if it is not empty. All borrowed
  // until Parse has returned.
  void Flag(std::string name, bool* value, std::string help);
  void Flag(std::string name, int64_t* value, std::string help, std::string value_name,
            int64_t least = 0, int64_t most = INT64_MAX);
  void Flag(std::string name, std::string* value, std::string help,
            std::string value_name);
  // May be given more than once.
  void Flag(std::string name, std::vector<std::string>* values, std::string help,
            std::string value_name);
  // Takes "64K", "1.5G" (powers of 1024), "4096".
  void SizeFlag(std::string name, uint64_t* bytes, std::string help,
                uint64_t least = 0);
  // Takes "20ms", "1.5s", "0"; never less than zero.
  void DurationFlag(std::string name, absl::Duration* value, std::string help);
  // `set` gets the text and says what is wrong with it. `letter` is a short form: -n.
  // With `lines` it may be given several times: `set` gets all, each with a line end. A
  // value name that lists the choices, "early|late", is offered by completion.
  void ParsedFlag(std::string name, std::string help, std::string value_name,
                  std::string default_value,
                  std::function<absl::Status(const std::string&)> set, char letter = 0,
                  bool lines = false);
  // The same without a value: `set` gets "true".
  void ParsedSwitch(std::string name, std::string help,
                    std::function<absl::Status(const std::string&)> set,
                    char letter = 0);
  // Flags declared from here on stand under this heading in --help.
  void Heading(std::string heading);
  // Declares --log-level, --log-dir and --verbose (and -v, unless that is taken).
  void LogFlags(LogOptions* options);

  // Positional arguments, in the order of these calls. `choices` are offered by
  // completion.
  void Positional(std::string name, std::string* value, std::string help,
                  bool required = true, std::vector<std::string> choices = {});
  // Takes the rest; at least one unless optional.
  void Inputs(std::string name, std::vector<std::string>* values, std::string help,
              bool required = true);

  // Instead of Inputs, for a command that takes none: says so to who gives one.
  void NoInputs();

  // Nothing: go on. Else the exit code: kOk after --help, which was printed, kUsage
  // after an error, which was printed on stderr with the nearest flag's name. With
  // kComplete as the last argument: kOk, and what may follow the others was printed.
  [[nodiscard]] std::optional<int> Parse(const Args& args);
  // See tools/commands/completion.cc.
  static constexpr char kComplete[] = "--complete-the-next-word";

  // The names of the flags that were on the line, without their dashes; after Parse.
  std::vector<std::string> GivenFlags() const;
  // InvalidArgument if `flag` was given, which has no effect without `needs`.
  absl::Status InVain(std::string_view flag, std::string_view needs) const;

  // The index in `args` of the first positional argument, given the flags declared so
  // far; args.size() if there is none or an unknown flag comes before it.
  size_t FindPositional(const Args& args) const;
  bool HasFlag(std::string_view name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The candidate nearest to `word` by edit distance (Damerau's), or "" if none is near.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

// "64K" -> 65536. InvalidArgument says what is taken.
absl::StatusOr<uint64_t> ParseSize(std::string_view text);

}  // namespace skep

#endif  // SKEP_TOOLS_COMMAND_LINE_H_
