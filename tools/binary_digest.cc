#include "tools/binary_digest.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string_view>

#include "absl/strings/escaping.h"
#include "base/digest.h"
#include "base/status.h"
#include "base/strings.h"

namespace skep {
namespace {
// Names the running binary's file even after it has been replaced or removed.
constexpr char kSelf[] = "/proc/self/exe";

// What the linker's note of the build says, in the segment of notes; "" if none.
std::string_view BuildIdIn(std::string_view notes) {
  while (notes.size() >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    memcpy(&note, notes.data(), sizeof note);
    // Each part begins at a multiple of four bytes.
    const size_t name = (size_t{note.n_namesz} + 3) & ~size_t{3};
    const size_t value = (size_t{note.n_descsz} + 3) & ~size_t{3};
    notes.remove_prefix(sizeof note);
    if (name + value > notes.size()) return "";
    if (note.n_type == NT_GNU_BUILD_ID &&
        notes.substr(0, 4) == std::string_view("GNU", 4)) {
      return notes.substr(name, note.n_descsz);
    }
    notes.remove_prefix(name + value);
  }
  return "";
}

// Of the running binary.
std::string_view BuildId() {
  std::string_view id;
  dl_iterate_phdr(
      [](dl_phdr_info* binary, size_t, void* found) {
        for (int i = 0; i < binary->dlpi_phnum; ++i) {
          const ElfW(Phdr)& segment = binary->dlpi_phdr[i];
          if (segment.p_type != PT_NOTE) continue;
          const auto* const notes =
              reinterpret_cast<const char*>(binary->dlpi_addr + segment.p_vaddr);
          const std::string_view id = BuildIdIn({notes, segment.p_memsz});
          if (!id.empty()) *static_cast<std::string_view*>(found) = id;
        }
        return 1;  // the binary comes first; its libraries are not asked
      },
      &id);
  return id;
}

}  // namespace

std::string BinaryPath() {
  char path[PATH_MAX];
  const ssize_t size = readlink(kSelf, path, sizeof path);
  const std::string binary = size > 0 ? std::string(path, size) : "";
  return !binary.empty() && access(binary.c_str(), X_OK) == 0 ? binary : kSelf;
}

absl::StatusOr<std::string> BinaryDigest() {
  // The linker has hashed what it linked. Doing that again, of 60 MB, would be a third
  // of the CPU time that a small job takes.
  constexpr size_t kBytes = 16;
  if (const std::string_view id = BuildId(); id.size() >= kBytes) {
    return absl::BytesToHexString(ToAbsl(id.substr(0, kBytes)));
  }
  // Mapped rather than read: most of its pages are there already, and every command
  // that runs a job waits for this.
  const int file = open(kSelf, O_RDONLY | O_CLOEXEC);
  if (file < 0) return ErrnoToStatus(errno, "open the running binary");
  struct stat info;
  absl::Status failed;
  void* bytes = MAP_FAILED;
  if (fstat(file, &info) == 0) {
    bytes = mmap(nullptr, info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  }
  if (bytes == MAP_FAILED) failed = ErrnoToStatus(errno, "map the running binary");
  close(file);
  SKEP_RETURN_IF_ERROR(failed);
  const size_t size = info.st_size;
  const Digest128 digest = DigestOf({static_cast<const char*>(bytes), size});
  munmap(bytes, size);
  return digest.ToString();
}

}  // namespace skep
