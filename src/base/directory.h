// Reading directories.
#pragma once

#include "base/error.h"

#include <sys/types.h>

#include <expected>
#include <string>
#include <vector>

namespace facteur {

struct DirectoryEntry {
    ino_t inode;
    std::string name;
    bool is_directory; // itself, not what a symbolic link leads to
};

// All but "." and "..", in the order of the directory.
[[nodiscard]] std::expected<std::vector<DirectoryEntry>, SystemError> read_directory(const std::string& path);

} // namespace facteur
