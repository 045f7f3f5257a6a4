#include "jobs/api/json_text.h"

#include <limits>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(JsonText, EscapesWhatJsonReserves) {
  EXPECT_EQ(JsonString("plain"), "\"plain\"");
  EXPECT_EQ(JsonString("a\"b\\c\n\t\r\x01\x1f"),
            "\"a\\\"b\\\\c\\n\\t\\r\\u0001\\u001f\"");
}

TEST(JsonText, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(JsonString("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9d"),
            "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9d\"");
  const std::string replaced = "\xef\xbf\xbd";
  EXPECT_EQ(JsonString("\xff"), "\"" + replaced + "\"");
  EXPECT_EQ(JsonString("\xc0\x80"), "\"" + replaced + replaced + "\"");  // overlong
  EXPECT_EQ(JsonString("\xed\xa0\x80x"),                                 // a surrogate
            "\"" + replaced + replaced + replaced + "x\"");
  EXPECT_EQ(JsonString("\xe2\x82"), "\"" + replaced + replaced + "\"");  // cut short
}

TEST(JsonText, NumbersReadBackAsTheSame) {
  EXPECT_EQ(JsonNumber(0.1), "0.1");
  EXPECT_EQ(JsonNumber(3), "3");
  EXPECT_EQ(JsonNumber(-1e300), "-1e+300");
  EXPECT_EQ(JsonNumber(std::numeric_limits<double>::infinity()), "\"inf\"");
  EXPECT_EQ(JsonNumber(std::numeric_limits<double>::quiet_NaN()), "\"nan\"");
}

TEST(JsonText, Counts) {
  EXPECT_EQ(JsonCounts({}), "{}");
  EXPECT_EQ(JsonCounts({{"lines", 2}, {"bad", 0}}), "{\"bad\":0,\"lines\":2}");
}

}  // namespace
}  // namespace skep
