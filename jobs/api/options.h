// The flags of a job: declared by the job, given on the command line, read by its code
// on every worker.

#ifndef SKEP_JOBS_API_OPTIONS_H_
#define SKEP_JOBS_API_OPTIONS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace skep {

// One flag that a job takes, as --name.
struct Flag {
  enum class Type { kBool, kInt, kDouble, kString };

  std::string name;  // without dashes: "ignore-case"
  Type type = Type::kString;
  std::string default_value;  // as text; "false", "0", ""
  std::string value_name;     // in help: "K"
  std::string help;
  // Checks a value beyond its type; null: any. Returns what is wrong and what to do.
  absl::Status (*check)(const std::string& value) = nullptr;
  // The one-letter form, "-e"; 0: none.
  char letter = 0;
  // The user names a file of at most 1 MiB of UTF-8; the value is what stands in it.
  bool from_file = false;
  // May be given several times: the value is what was given, each with a line end, so
  // that one that is empty differs from none.
  bool lines = false;
  // The flag without which this one has no effect: to give this one alone is an error.
  std::string needs = "";
};

// The values of a job's flags: defaults, then what was given. Value type.
class Options {
 public:
  Options() = default;
  explicit Options(const std::vector<Flag>& flags);

  // InvalidArgument: no such flag, or a value that is not of its type.
  absl::Status Set(const std::string& name, const std::string& value);

  // InvalidArgument: one differs from its default whose `needs` does not.
  absl::Status CheckNeeds() const;

  // Reading a flag that was not declared, or as another type, is a bug and dies.
  bool GetBool(std::string_view name) const;
  int64_t GetInt(std::string_view name) const;
  double GetDouble(std::string_view name) const;
  const std::string& GetString(std::string_view name) const;

  // Values that differ from the defaults, as they travel in a JobSpec.
  std::map<std::string, std::string> NonDefault() const;

 private:
  struct Value {
    Flag flag;
    std::string text;
  };
  const Value& Find(std::string_view name, Flag::Type type) const;

  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace skep

#endif  // SKEP_JOBS_API_OPTIONS_H_
