#include "jobs/api/options.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

absl::Status AtLeastOne(const std::string& value) {
  if (value[0] != '-' && value != "0") return absl::OkStatus();
  return InvalidArgument("give 1 or more");
}

std::vector<Flag> Flags() {
  return {
      {.name = "top",
       .type = Flag::Type::kInt,
       .default_value = "10",
       .check = AtLeastOne},
      {.name = "fraction", .type = Flag::Type::kDouble, .default_value = "0.5"},
      {.name = "ignore-case", .type = Flag::Type::kBool},
      {.name = "pattern", .type = Flag::Type::kString},
  };
}

TEST(Options, StartWithTheDefaults) {
  const Options options(Flags());
  EXPECT_EQ(options.GetInt("top"), 10);
  EXPECT_EQ(options.GetDouble("fraction"), 0.5);
  EXPECT_FALSE(options.GetBool("ignore-case"));
  EXPECT_EQ(options.GetString("pattern"), "");
  EXPECT_TRUE(options.NonDefault().empty());
}

TEST(Options, TravelAsTheValuesThatDiffer) {
  Options options(Flags());
  EXPECT_TRUE(options.Set("top", "12").ok());
  EXPECT_TRUE(options.Set("ignore-case", "yes").ok());
  EXPECT_TRUE(options.Set("fraction", "0.5").ok());
  const std::map<std::string, std::string> travelling = options.NonDefault();
  EXPECT_EQ(travelling, (std::map<std::string, std::string>{{"top", "12"},
                                                            {"ignore-case", "yes"}}));

  Options arrived(Flags());
  for (const auto& [name, value] : travelling) {
    EXPECT_TRUE(arrived.Set(name, value).ok());
  }
  EXPECT_EQ(arrived.GetInt("top"), 12);
  EXPECT_TRUE(arrived.GetBool("ignore-case"));
}

TEST(Options, RefuseFlagsThatHaveNoEffectAlone) {
  std::vector<Flag> flags = Flags();
  flags.push_back({.name = "flags", .needs = "pattern"});
  Options options(flags);
  EXPECT_TRUE(options.CheckNeeds().ok());
  EXPECT_TRUE(options.Set("flags", "i").ok());
  EXPECT_EQ(Message(options.CheckNeeds()), "--flags has no effect without --pattern");
  EXPECT_TRUE(options.Set("pattern", "x").ok());
  EXPECT_TRUE(options.CheckNeeds().ok());
}

TEST(Options, RefuseWhatIsNotOfTheirType) {
  Options options(Flags());
  EXPECT_EQ(Message(options.Set("top", "12x")),
            "--top takes a whole number, not \"12x\"");
  EXPECT_EQ(Message(options.Set("top", "")), "--top takes a whole number, not \"\"");
  EXPECT_EQ(Message(options.Set("top", "99999999999999999999")),
            "--top takes a whole number, not \"99999999999999999999\"");
  EXPECT_EQ(Message(options.Set("fraction", "half")),
            "--fraction takes a number, not \"half\"");
  EXPECT_EQ(Message(options.Set("ignore-case", "maybe")),
            "--ignore-case takes true or false, not \"maybe\"");
  EXPECT_EQ(Message(options.Set("colour", "red")), "there is no flag --colour");
  EXPECT_TRUE(options.NonDefault().empty());
}

// A message repeats no more of a value than shows which it is.
TEST(Options, CutLongValues) {
  Options options(Flags());
  const std::string digits(50'000, '7');
  const std::string begin = digits.substr(0, 80) + "... (50000 bytes)";
  for (const char* name : {"top", "fraction", "ignore-case"}) {
    const std::string value = std::string(name) == "fraction" ? digits + "x" : digits;
    EXPECT_LT(Message(options.Set(name, value)).size(), 150u) << name;
  }
  EXPECT_EQ(Message(options.Set("top", digits)),
            "--top takes a whole number, not \"" + begin + "\"");
  EXPECT_EQ(Message(options.Set("top", "-" + std::string(17, '0') + "1")),
            "--top -000000000000000001: give 1 or more");
  // Not inside a character.
  const std::string bees = std::string(78, 'x') + "\U0001f41d\U0001f41d";
  EXPECT_EQ(
      Message(options.Set("top", bees)),
      "--top takes a whole number, not \"" + std::string(78, 'x') + "... (86 bytes)\"");
}

TEST(Options, AskTheFlagsOwnCheck) {
  Options options(Flags());
  const absl::Status status = options.Set("top", "0");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(status), "--top 0: give 1 or more");
  EXPECT_EQ(options.GetInt("top"), 10);
}

TEST(OptionsDeathTest, ReadingAFlagThatIsNotThereIsABug) {
  const Options options(Flags());
  EXPECT_DEATH(options.GetInt("bottom"), "no flag --bottom");
  EXPECT_DEATH(options.GetString("top"), "another type");
}

}  // namespace
}  // namespace skep
