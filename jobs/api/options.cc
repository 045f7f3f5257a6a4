#include "jobs/api/options.h"

#include <charconv>
#include <system_error>
#include <utility>

#include "base/shorten.h"
#include "base/status.h"
#include "glog/logging.h"

namespace skep {
namespace {

// Parses all of `text`; std::from_chars knows no leading '+', so neither do flags.
template <typename T>
bool Parse(std::string_view text, T* value) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && rest == end;
}

bool ParseBool(std::string_view text, bool* value) {
  if (text == "true" || text == "1" || text == "yes") {
    *value = true;
  } else if (text == "false" || text == "0" || text == "no") {
    *value = false;
  } else {
    return false;
  }
  return true;
}

absl::Status CheckType(const Flag& flag, std::string_view text) {
  int64_t as_int;
  double as_double;
  bool as_bool;
  switch (flag.type) {
    case Flag::Type::kBool:
      if (ParseBool(text, &as_bool)) return absl::OkStatus();
      return InvalidArgument("--", flag.name, " takes true or false, not \"",
                             Shorten(text), "\"");
    case Flag::Type::kInt:
      if (Parse(text, &as_int)) return absl::OkStatus();
      return InvalidArgument("--", flag.name, " takes a whole number, not \"",
                             Shorten(text), "\"");
    case Flag::Type::kDouble:
      if (Parse(text, &as_double)) return absl::OkStatus();
      return InvalidArgument("--", flag.name, " takes a number, not \"", Shorten(text),
                             "\"");
    case Flag::Type::kString:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace

Options::Options(const std::vector<Flag>& flags) {
  for (const Flag& flag : flags) {
    Flag copy = flag;
    // A flag without a default has its type's zero.
    if (copy.default_value.empty()) {
      if (copy.type == Flag::Type::kBool) copy.default_value = "false";
      if (copy.type == Flag::Type::kInt) copy.default_value = "0";
      if (copy.type == Flag::Type::kDouble) copy.default_value = "0";
    }
    CHECK(CheckType(copy, copy.default_value).ok())
        << "the default of --" << copy.name << ": " << copy.default_value;
    std::string text = copy.default_value;
    const bool added =
        values_.emplace(flag.name, Value{std::move(copy), std::move(text)}).second;
    CHECK(added) << "--" << flag.name << " is declared twice";
  }
}

absl::Status Options::Set(const std::string& name, const std::string& value) {
  const auto it = values_.find(name);
  if (it == values_.end()) return InvalidArgument("there is no flag --", name);
  SKEP_RETURN_IF_ERROR(CheckType(it->second.flag, value));
  if (it->second.flag.check != nullptr) {
    SKEP_RETURN_IF_ERROR(Annotate(it->second.flag.check(value),
                                  StrCat("--", name, " ", Shorten(value))));
  }
  it->second.text = value;
  return absl::OkStatus();
}

absl::Status Options::CheckNeeds() const {
  const auto given = [](const Value& value) {
    return value.text != value.flag.default_value;
  };
  for (const auto& [name, value] : values_) {
    if (value.flag.needs.empty() || !given(value)) continue;
    const auto needed = values_.find(value.flag.needs);
    CHECK(needed != values_.end())
        << "--" << name << " needs --" << value.flag.needs << ", which nobody declared";
    if (!given(needed->second)) {
      return InvalidArgument("--", name, " has no effect without --", value.flag.needs);
    }
  }
  return absl::OkStatus();
}

const Options::Value& Options::Find(std::string_view name, Flag::Type type) const {
  const auto it = values_.find(name);
  CHECK(it != values_.end()) << "the job declares no flag --" << name;
  CHECK(it->second.flag.type == type) << "--" << name << " is declared of another type";
  return it->second;
}

bool Options::GetBool(std::string_view name) const {
  bool value = false;
  ParseBool(Find(name, Flag::Type::kBool).text, &value);
  return value;
}

int64_t Options::GetInt(std::string_view name) const {
  int64_t value = 0;
  Parse(Find(name, Flag::Type::kInt).text, &value);
  return value;
}

double Options::GetDouble(std::string_view name) const {
  double value = 0;
  Parse(Find(name, Flag::Type::kDouble).text, &value);
  return value;
}

const std::string& Options::GetString(std::string_view name) const {
  return Find(name, Flag::Type::kString).text;
}

std::map<std::string, std::string> Options::NonDefault() const {
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : values_) {
    if (value.text != value.flag.default_value) result[name] = value.text;
  }
  return result;
}

}  // namespace skep
