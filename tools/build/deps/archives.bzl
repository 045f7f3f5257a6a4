"""Linking against static archives by name."""

def archives(names):
    """Link options for static archives that may refer to each other.

    Args:
      names: library names without "lib" and ".a".

    Returns:
      a list with one option: a linker group, so that order does not matter.
    """
    members = ",".join(["-l:lib%s.a" % name for name in names])
    return ["-Wl,--start-group,%s,--end-group" % members]
