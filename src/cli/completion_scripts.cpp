#include "cli/completion_scripts.hpp"

#include <algorithm>
#include <array>

namespace reeve::cli {
namespace {

// clang-format off: it takes the shell's language for ours.
constexpr std::string_view kBash = R"sh(# reeve completion for bash: eval "$(reeve completion bash)"
_reeve() {
    local IFS=$'\n' cur=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=($(compgen -W "$(reeve __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)" -- "$cur"))
    ((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _reeve reeve
)sh";

constexpr std::string_view kZsh = R"sh(#compdef reeve
# reeve completion for zsh: eval "$(reeve completion zsh)"
_reeve() {
    local -a found lines
    local line
    lines=("${(@f)$(reeve __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        [[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    if ((${#found})); then
        _describe reeve found
    else
        _files
    fi
}
if [[ $funcstack[1] == _reeve ]]; then
    _reeve "$@"
else
    compdef _reeve reeve
fi
)sh";
// clang-format on

constexpr std::string_view kFish = R"sh(# reeve completion for fish: reeve completion fish | source
complete -c reeve -a '(reeve __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
)sh";

// clang-format off: likewise.
constexpr std::string_view kPowerShell = R"sh(# reeve completion for PowerShell: reeve completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName reeve -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    # Before 7.3 an empty argument goes missing unless it is quoted once more.
    $isOld = $PSVersionTable.PSVersion -lt [version]'7.3'
    $last = if ($wordToComplete -eq '' -and $isOld) { '""' } else { $wordToComplete }
    & reeve __complete @words $last 2>$null |
        Where-Object { $_.StartsWith($wordToComplete, [System.StringComparison]::Ordinal) } |
        ForEach-Object {
            $word, $what = $_ -split "`t", 2
            if (-not $what) { $what = $word }
            [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $what)
        }
}
)sh";

constexpr std::string_view kElvish = R"sh(# reeve completion for elvish: eval (reeve completion elvish | slurp)
use str
set edit:completion:arg-completer[reeve] = {|@words|
    try {
        reeve __complete (all $words[1..]) 2>/dev/null | each {|line|
            var parts = [(str:split "\t" $line)]
            edit:complex-candidate $parts[0] &display=(str:join '  ' $parts)
        }
    } catch {
        nop
    }
}
)sh";
// clang-format on

struct Script {
    std::string_view shell;
    std::string_view text;
};

constexpr auto kScripts = std::to_array<Script>({
    {"bash",       kBash      },
    {"zsh",        kZsh       },
    {"fish",       kFish      },
    {"powershell", kPowerShell},
    {"elvish",     kElvish    },
});

}  // namespace

std::vector<std::string> completion_shells() {
    std::vector<std::string> shells;
    shells.reserve(kScripts.size());
    for (const Script& script : kScripts) {
        shells.emplace_back(script.shell);
    }
    return shells;
}

std::string_view completion_script(std::string_view shell) {
    const auto* const script = std::ranges::find(kScripts, shell, &Script::shell);
    return script == kScripts.end() ? "" : script->text;
}

}  // namespace reeve::cli
