#include "jobs/grouped_numbers.h"

#include <unordered_map>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "jobs/numbers.h"

namespace skep {
namespace {

constexpr char kStage[] = "groups";
// A mapper emits all groups when they take so much together, and one when it alone
// does.
constexpr size_t kMaxGathered = 64 << 20;
constexpr size_t kMaxGroup = 256 << 10;
// What a key costs beyond its group.
constexpr size_t kKeyOverhead = 100;

// Looks keys up without making strings of them.
struct KeyHash : std::hash<std::string_view> {
  using is_transparent = void;
};

// The fields of a line, from 1: between separators, or, without one, between blanks.
class Fields {
 public:
  Fields(std::string_view line, std::string_view separator)
      : rest_(line), separator_(separator) {}

  // The next field; false at the end of the line.
  bool Next(std::string_view* field) {
    if (done_) return false;
    if (separator_.empty()) {
      const size_t begin = rest_.find_first_not_of(kBlanks);
      if (begin == std::string_view::npos) return false;
      rest_.remove_prefix(begin);
    }
    const size_t end =
        separator_.empty() ? rest_.find_first_of(kBlanks) : rest_.find(separator_);
    *field = rest_.substr(0, end);
    done_ = end == std::string_view::npos;
    if (!done_) rest_.remove_prefix(end + std::max<size_t>(1, separator_.size()));
    return true;
  }

 private:
  static constexpr std::string_view kBlanks = " \t\r\v\f";

  std::string_view rest_;
  const std::string_view separator_;
  bool done_ = false;
};

class GatherGroups final : public Mapper {
 public:
  explicit GatherGroups(MakeNumberGroup make) : make_(std::move(make)) {}

  absl::Status Map(const Block& block, MapContext& context) override {
    const Options& options = context.options();
    const auto key_field = static_cast<size_t>(options.GetInt("group-by"));
    const auto number_field = static_cast<size_t>(options.GetInt("column"));
    const std::string& separator = options.GetString("separator");
    ForEachLine(block.bytes, [&](std::string_view line) {
      std::string_view field, key, number;
      Fields fields(line, separator);
      size_t found = 0;
      for (size_t i = 1; found < 2 && fields.Next(&field); ++i) {
        if (i == key_field) {
          key = field;
          ++found;
        }
        if (i == number_field) {
          number = field;
          ++found;
        }
      }
      if (found == 2) {
        AddNumber(key, number, context);
      } else if (line.find_first_not_of(" \t\r\v\f") != std::string_view::npos) {
        ++report_.unparsable;
        report_.Example(report_.lines + 1, StrCat("there is no column ",
                                                  std::max(key_field, number_field)));
      }
      ++report_.lines;
    });
    return absl::OkStatus();
  }

  absl::Status Finish(MapContext& context) override {
    EmitAll(context);
    std::string result;
    PutBytes(&result, report_.Encode());
    context.SetResult(std::move(result));
    return absl::OkStatus();
  }

 private:
  void AddNumber(std::string_view key, std::string_view field, MapContext& context) {
    parsed_.ClearNumbers();
    parsed_.nans = parsed_.unparsable = 0;
    parsed_.problems.clear();
    ParseNumbers(field, &parsed_, CpuPath::kScalar);
    const size_t numbers =
        parsed_.integers.size() + parsed_.large.size() + parsed_.doubles.size();
    if (numbers == 1 && parsed_.nans + parsed_.unparsable == 0) {
      ++report_.numbers;
      AddTo(key,
            !parsed_.integers.empty() ? Number::Integer(parsed_.integers[0])
            : !parsed_.large.empty()  ? Number::Integer(parsed_.large[0])
                                      : Number::Real(parsed_.doubles[0]),
            context);
    } else if (parsed_.nans == 1 && parsed_.unparsable + numbers == 0) {
      ++report_.nans;
      report_.Example(report_.lines + 1, "NaN");
    } else {
      ++report_.unparsable;
      report_.Example(report_.lines + 1,
                      StrCat("\"", field.substr(0, ParsedNumbers::kMaxTokenBytes),
                             "\" is not a number"));
    }
  }

  void AddTo(std::string_view key, const Number& number, MapContext& context) {
    auto found = groups_.find(key);
    if (found == groups_.end()) {
      found = groups_.emplace(std::string(key), make_()).first;
      gathered_ += key.size() + kKeyOverhead + found->second->size();
    }
    NumberGroup& group = *found->second;
    gathered_ -= group.size();
    group.Add(number);
    gathered_ += group.size();
    if (group.size() >= kMaxGroup) {
      gathered_ -= group.size();
      context.Emit(key, group.Take());
      gathered_ += group.size();
    }
    if (gathered_ >= kMaxGathered) EmitAll(context);
  }

  void EmitAll(MapContext& context) {
    for (auto& [key, group] : groups_) context.Emit(key, group->Take());
    groups_.clear();
    gathered_ = 0;
  }

  const MakeNumberGroup make_;
  NumberReport report_;
  ParsedNumbers parsed_;
  std::unordered_map<std::string, std::unique_ptr<NumberGroup>, KeyHash,
                     std::equal_to<>>
      groups_;
  size_t gathered_ = 0;  // bytes, about
};

class JoinGroups final : public Reducer {
 public:
  explicit JoinGroups(MakeNumberGroup make) : make_(std::move(make)) {}

  absl::Status Reduce(std::string_view key, Values& values,
                      ReduceContext& context) override {
    const std::unique_ptr<NumberGroup> group = make_();
    for (std::string_view part; values.Next(&part);) {
      SKEP_RETURN_IF_ERROR(group->AddPart(part));
    }
    context.Write(StrCat(key, "\t", group->Line(context.options()), "\n"));
    context.Count("groups", 1);
    return absl::OkStatus();
  }

 private:
  const MakeNumberGroup make_;
};

absl::Status CheckField(const std::string& value) {
  const int64_t field = std::atoll(value.c_str());
  if (field >= 1 && field <= 1'000'000) return absl::OkStatus();
  return InvalidArgument("columns are counted from 1");
}

absl::Status CheckGroups(const Options& options) {
  if (!WantsGroups(options)) return absl::OkStatus();
  if (options.GetString("format") != "text") {
    return InvalidArgument("--group-by wants lines: leave out --format");
  }
  if (options.GetInt("group-by") == options.GetInt("column")) {
    return InvalidArgument("--group-by and --column name the same column");
  }
  return absl::OkStatus();
}

}  // namespace

void TakeGroups(Job& job, MakeNumberGroup make) {
  job.AddFlag({.name = "group-by",
               .type = Flag::Type::kInt,
               .value_name = "N",
               .help = "By the key in this column of each line, counted from 1: a line "
                       "of output for each key",
               .check = CheckField})
      .AddFlag({.name = "column",
                .type = Flag::Type::kInt,
                .default_value = "2",
                .value_name = "M",
                .help = "With --group-by: the column of the numbers",
                .check = CheckField,
                .needs = "group-by"})
      .AddFlag({.name = "separator",
                .type = Flag::Type::kString,
                .value_name = "TEXT",
                .help = "With --group-by: what stands between columns; default: blanks "
                        "and tabs, as many as there are",
                .needs = "group-by"})
      .Check(CheckGroups)
      .Output([](const Options& options) {
        return WantsGroups(options) ? OutputShape::kDirectory : OutputShape::kNone;
      })
      .AddStage(kStage,
                {.mapper = [make] { return std::make_unique<GatherGroups>(make); },
                 .reducer = [make] { return std::make_unique<JoinGroups>(make); }});
}

bool WantsGroups(const Options& options) { return options.GetInt("group-by") > 0; }

absl::StatusOr<PlanResult> PlanGroups(const PlanInput& input) {
  if (input.finished.empty()) {
    StageSpec stage;
    stage.set_name(kStage);
    stage.set_job_input(true);
    stage.set_partitions(input.default_partitions);
    stage.set_writes_output(true);
    return NextStage(std::move(stage));
  }
  const StageResult& stage = input.finished[0];
  std::vector<std::string_view> reports;
  for (const std::string& result : stage.map_results()) {
    std::string_view rest = result;
    if (!GetBytes(&rest, &reports.emplace_back())) {
      return Internal("groups: a map task's result is malformed");
    }
  }
  SKEP_ASSIGN_OR_RETURN(const InputAccount account, CollectInput(input, reports));
  return Done("",
              StrCat("{\"count\":", account.numbers, ",\"groups\":",
                     CounterOf(stage, "groups"), ",", account.Json(), "}"),
              account.Notes());
}

}  // namespace skep
