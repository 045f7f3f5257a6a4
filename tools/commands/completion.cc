// `skep completion bash|zsh`: a script for the shell that asks skep itself what may
// come next, so that it knows every command, job and flag of the binary that runs. skep
// is asked by running the words before the cursor with CommandLine::kComplete behind
// them.

#include <cstdio>

#include "base/status.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"

namespace skep {
namespace {

// Where nothing is offered, bash and zsh complete names of files.
constexpr char kBash[] = R"sh(_skep() {
  local IFS=$'\n'
  local word=${COMP_WORDS[COMP_CWORD]}
  [[ $word == */* ]] && return
  COMPREPLY=($(compgen -W "$("${COMP_WORDS[@]:0:COMP_CWORD}" %s 2> /dev/null)" -- "$word"))
}
complete -o bashdefault -o default -F _skep skep
)sh";

constexpr char kZsh[] = R"sh(#compdef skep
_skep() {
  local -a words_offered
  words_offered=(${(f)"$("${(@Q)words[1,CURRENT-1]}" %s 2> /dev/null)"})
  compadd -a words_offered
  _files
}
if [[ ${funcstack[1]} == _skep ]]; then _skep; else compdef _skep skep; fi
)sh";

}  // namespace

int RunCompletion(const Args& args) {
  std::string shell;
  CommandLine line("completion",
                   "Prints a script by which the shell completes commands, jobs and "
                   "flags of skep with the Tab key.");
  line.Positional("SHELL", &shell, "bash or zsh", true, {"bash", "zsh"});
  line.Example("source <(skep completion bash)");
  line.Example("skep completion zsh > ~/.zfunc/_skep");
  if (const auto code = line.Parse(args)) return *code;
  if (shell != "bash" && shell != "zsh") {
    return ReportError(
        InvalidArgument("there is no completion for '", shell, "': use bash or zsh"));
  }
  std::printf(shell == "bash" ? kBash : kZsh, CommandLine::kComplete);
  return kOk;
}

}  // namespace skep
