// Memory of bulk bytes that goes round: what one large attachment leaves behind, the
// next one uses.
//
// A fresh run of megabytes costs more in page faults than in copying. So whoever is
// done with large strings gives them back, and whoever needs one asks here first. The
// process keeps 64 MiB of them at most. Thread-safe.

#ifndef SKEP_RPC_BULK_H_
#define SKEP_RPC_BULK_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace skep {

// What is smaller is not worth the way here.
inline constexpr size_t kLeastBulkBytes = 32 << 10;
inline constexpr size_t kKeptBulkBytes = 64 << 20;

// A string with room for `size` bytes and no longer than that. None of the room is
// touched, so that it costs no memory until GrowBulk makes it a part of the string.
std::string ReserveBulk(size_t size);
// Makes a string that ReserveBulk(size) gave longer, if it is not all there: by little
// at first, since peers may announce much and send little. What comes to it is not
// said.
void GrowBulk(std::string& bytes, size_t size);
// A string with a copy of `bytes`.
std::string BulkOf(std::string_view bytes);
// Keeps the memory of `bytes` for the next, if that is worth it.
void GiveBulk(std::string bytes);

}  // namespace skep

#endif  // SKEP_RPC_BULK_H_
