// What ThreadSanitizer must not report in our tests. Linked into each of them.
//
// Debian's abseil is not instrumented: the sanitizer does not see that the last owner of a
// status, which frees it in the library, was ordered after the others by the count.

extern "C" const char* __tsan_default_suppressions() { return "race:Status::Unref\n"; }
