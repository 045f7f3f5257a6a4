#include "base/status.h"

#include <cerrno>

#include "base/ids.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(Status, ConstructorsTakeBothKindsOfView) {
  const std::string_view std_view = "std";
  const absl::string_view absl_view = "absl";
  const absl::Status status = NotFound(std_view, "/", absl_view, "/", 7);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Message(status), "std/absl/7");
}

TEST(Status, MessagesShowStrongIds) {
  struct Tag;
  EXPECT_EQ(StrCat("job ", StrongId<Tag>(7)), "job 7");
}

TEST(Status, AnnotateKeepsTheCode) {
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
  const absl::Status status = Annotate(DataLoss("torn"), "m-3");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Message(status), "m-3: torn");
}

TEST(Status, ErrnoSaysWhatAndWhy) {
  const absl::Status status = ErrnoToStatus(ENOSPC, "write /tmp/x");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Message(status), "write /tmp/x: No space left on device");
}

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return InvalidArgument(n, " is odd");
  return n / 2;
}
absl::StatusOr<int> Quarter(int n) {
  SKEP_ASSIGN_OR_RETURN(const int half, Half(n));
  SKEP_RETURN_IF_ERROR(absl::OkStatus());
  return Half(half);
}

TEST(Status, MacrosPropagate) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Message(Quarter(6).status()), "3 is odd");
  EXPECT_EQ(Message(Quarter(5).status()), "5 is odd");
}

}  // namespace
}  // namespace skep
