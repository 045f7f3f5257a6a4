"""C++ from .proto files with Debian's protoc and grpc_cpp_plugin."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def cc_proto(name, src, deps = [], grpc = False, visibility = None):
    """Compiles one .proto file into a cc_library named `name`.

    Include the result as "folder/file.pb.h" (and "folder/file.grpc.pb.h").

    Args:
      name: the library's name.
      src: one .proto file of this package. Its imports are relative to the
        top of the repository.
      deps: the cc_proto libraries of the files it imports.
      grpc: also generate gRPC services. Such a file must not set
        cc_generic_services: the plugin refuses it.
      visibility: as everywhere.
    """
    stem = src[:-len(".proto")]
    outs = [stem + ".pb.h", stem + ".pb.cc"]
    command = "protoc -I. --cpp_out=$(GENDIR)"
    if grpc:
        outs += [stem + ".grpc.pb.h", stem + ".grpc.pb.cc"]
        command += (" --grpc_out=$(GENDIR)" +
                    " --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin")
    native.filegroup(
        name = name + "_src",
        srcs = [src] + [dep + "_src" for dep in deps],
        visibility = visibility,
    )
    native.genrule(
        name = name + "_gen",
        srcs = [src] + [dep + "_src" for dep in deps],
        outs = outs,
        cmd = command + " $(location %s)" % src,
        message = "Compiling",
    )
    cc_library(
        name = name,
        srcs = [out for out in outs if out.endswith(".cc")],
        hdrs = [out for out in outs if out.endswith(".h")],
        copts = ["-w"],
        visibility = visibility,
        deps = deps + ["//tools/build/deps:protobuf"] +
               (["//tools/build/deps:grpc"] if grpc else []),
    )
