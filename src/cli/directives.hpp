#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

// What a script says of itself: its #REEVE and #SBATCH lines.
namespace reeve::cli {

/// The flags of one line, in the words of `reeve run`.
struct DirectiveLine {
    std::size_t line = 0;  // From 1.
    std::vector<std::string> flags = {};
};

struct Directives {
    std::vector<DirectiveLine> reeve = {};
    std::vector<DirectiveLine> sbatch = {};  // As flags of `reeve run`.
    std::vector<std::string> warnings = {};  // "line 3: …", for standard error.
};

/// Reads the comment lines at the head of a script; the first line that is a command ends them, as
/// it does for sbatch. An option of #SBATCH that cannot be honoured is refused, never dropped.
/// Errors: kInvalid: "line 3: #SBATCH --exclusive is not supported …".
[[nodiscard]] Result<Directives> read_directives(std::string_view script);

/// What to write in place of the option of sbatch or srun that `words` begin with; its value may
/// be in the next word. "" if it is none of theirs.
[[nodiscard]] std::string advice_on_sbatch(const std::vector<std::string>& words);

/// Words separated by blanks; '…' and "…" keep them; # begins a comment.
/// Errors: kInvalid: a quote that does not end.
[[nodiscard]] Result<std::vector<std::string>> split_words(std::string_view text);

}  // namespace reeve::cli
