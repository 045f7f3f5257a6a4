#include "master/ledger.h"

#include "base/strings.h"

namespace skep {

void Account::Add(const RecordAccount& account) {
  records_ += account.records();
  bytes_ += account.bytes();
  digest_.Merge({account.digest_low(), account.digest_high()});
}

std::string Account::ToString() const {
  return StrCat(records_, " records of ", bytes_, " bytes, digest ", digest_.value());
}

}  // namespace skep
