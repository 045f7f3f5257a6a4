#include "tools/compare/family.h"

namespace skep {

const std::vector<CompareFamily>& CompareFamilies() {
  static const auto& families = *new std::vector<CompareFamily>{
      QueensFamily(),  SudokuFamily(), WordCountFamily(), MedianFamily(),
      AverageFamily(), SortFamily(),   GrepFamily()};
  return families;
}

const CompareFamily* FindCompareFamily(const std::string& name) {
  for (const CompareFamily& family : CompareFamilies()) {
    if (family.name == name) return &family;
  }
  return nullptr;
}

}  // namespace skep
