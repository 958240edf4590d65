// The three lines that Git LFS leaves in the place of a large file that was not fetched. A clone
// without git-lfs has one for every weight file, tokenizer and corpus, of the right name; whoever
// reads such a file says so instead of calling it damaged.
#pragma once

#include <string>
#include <string_view>

namespace straq {

// What to do about one.
constexpr const char* kLfsHint =
    "run `git lfs pull` in that repository (git lfs install comes first where it never was), or "
    "download the file itself";

// Whether a file's bytes, or the first 64 of them, are a pointer.
bool is_lfs_pointer(std::string_view bytes);

// "it is a Git LFS pointer to a file of 4976698672 bytes, which has not been fetched"; `bytes` are
// the pointer's.
std::string lfs_pointer_words(std::string_view bytes);

// Throws Error(input) "<path>: it is a Git LFS pointer …" for a pointer; says nothing of a file
// that is something else, or cannot be read.
void require_no_lfs_pointer(const std::string& path);

}  // namespace straq
