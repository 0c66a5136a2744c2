#include "model/script_lines.hpp"

#include <gtest/gtest.h>

namespace reeve::model {
namespace {

TEST(HasSbatchLines, LooksAtTheHeadAlone) {
    EXPECT_TRUE(has_sbatch_lines("#!/bin/sh\n\n# of mine\n#SBATCH -t 5\ntrue\n"));
    EXPECT_TRUE(has_sbatch_lines("#!/bin/sh\n#SBATCH"));
    EXPECT_FALSE(has_sbatch_lines("#!/bin/sh\ntrue\n#SBATCH -t 5\n"));
    EXPECT_FALSE(has_sbatch_lines("#!/bin/sh\n##SBATCH -t 5\n"));
    EXPECT_FALSE(has_sbatch_lines(""));
}

}  // namespace
}  // namespace reeve::model
