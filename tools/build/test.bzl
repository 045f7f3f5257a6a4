"""The one way to declare a test."""

load("@rules_cc//cc:defs.bzl", "cc_test")

def skep_test(name, srcs = None, deps = [], **kwargs):
    """A GoogleTest test with main() and the test library's matchers.

    Args:
      name: ends in _test; without srcs the source is name + ".cc".
      srcs: sources.
      deps: what is tested.
      **kwargs: as cc_test. Tags: "asan" and "tsan" ask tools/test to run it
        under that sanitizer too. size: "small" unless said otherwise.
    """
    kwargs.setdefault("size", "small")
    cc_test(
        name = name,
        srcs = srcs or [name + ".cc"],
        deps = deps + ["//tools/build/deps:gtest"],
        **kwargs
    )
